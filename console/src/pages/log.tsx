// One exchange: what became of it, where its time went, what it cost, and what was said.

import { count, duration, moment, moneyExact, whole } from "../lib/format.ts";
import { to } from "../lib/place.ts";
import { useQuery } from "../lib/query.ts";
import { barsOf } from "../lib/timings.ts";
import { type Step, stepsOf } from "../lib/trail.ts";
import type { LogWhole } from "../lib/types.ts";
import { Badge, Chips, Copy, Facts, Failure, Section, Skeleton } from "../ui/basics.tsx";
import { Body } from "../ui/json.tsx";
import { Panel } from "../ui/page.tsx";
import { toneOf } from "./logs.tsx";

const PATHS: Record<string, string> = {
  chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings", responses: "/v1/responses", messages: "/v1/messages",
  moderations: "/v1/moderations", images: "/v1/images/generations", models: "/v1/models", rerank: "/v1/rerank", count_tokens: "/v1/messages/count_tokens",
};

/** The request as a command; a body that was not recorded is said to be missing. */
export function curlOf(log: LogWhole, origin: string): string {
  const path = PATHS[log.operation] ?? "/v1/chat/completions";
  const body = log.request ?? JSON.stringify({ model: log.model, messages: [{ role: "user", content: "..." }], ...(log.streamed ? { stream: true } : {}) });
  return `curl ${origin}${path} \\\n  -H "Authorization: Bearer $FASTGW_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${body.replaceAll("'", "'\\''")}'`;
}

export function LogPanel({ id, close }: { id: string; close: () => void }) {
  const { data: log, error, reload } = useQuery<LogWhole>(`/logs/${encodeURIComponent(id)}`);
  return (
    <Panel id={id} wide close={close} title={log ? log.model || log.operation : "Request"}
      mark={log && <Badge tone={toneOf(log)} dot>{log.status || "–"} {log.outcome}</Badge>}>
      {log ? <Whole log={log} /> : error ? <Failure error={error} what="this request" retry={reload} /> : <Skeleton rows={12} />}
    </Panel>
  );
}

function Whole({ log }: { log: LogWhole }) {
  const attempts = stepsOf(log.detail?.attempts);
  const passed = stepsOf(log.detail?.passed_over);
  const metadata = Object.entries(log.detail?.metadata ?? {});
  return (
    <>
      {log.error && <p class={`verdict ${toneOf(log)}`}><code>{log.error}</code></p>}
      <div class="tiles">
        <div class="tile"><span class="name">Total</span><span class="value">{duration(log.total_ms)}</span></div>
        <div class="tile"><span class="name">First byte</span><span class="value">{duration(log.first_byte_ms)}</span></div>
        <div class="tile"><span class="name">Gateway</span><span class="value">{duration(log.gateway_ms)}</span></div>
        <div class="tile"><span class="name">Cost</span><span class="value" title={moneyExact(log.cost_usd)}>{log.cost_usd === null ? "unknown" : moneyExact(log.cost_usd)}</span></div>
      </div>
      <Section title="Where the time went"><Waterfall log={log} /></Section>
      {(attempts.length > 0 || passed.length > 0) && (
        <Section title="Attempts">
          <ol class="steps">
            {attempts.map((step, index) => <AttemptRow key={index} step={step} number={index + 1} />)}
            {passed.map((step, index) => (
              <li key={`p${index}`} class="passed"><span class="number">–</span><b>{step.target}</b><span class="faint">passed over: {step.why || "no reason recorded"}</span></li>
            ))}
          </ol>
        </Section>
      )}
      <Section title="Tokens">
        <Facts rows={[
          ["Input", whole(log.input_tokens)], ["Output", whole(log.output_tokens)],
          ...Object.entries(log.tokens ?? {}).filter(([name, value]) => value && !/^(input|output)(_tokens)?$/.test(name))
            .map(([name, value]): [string, string] => [name.replace(/_tokens$/, "").replaceAll("_", " "), whole(value)]),
          log.output_tokens > 0 && log.first_byte_ms !== null && log.total_ms !== null && log.total_ms > log.first_byte_ms
            && ["Speed", `${count(log.output_tokens / ((log.total_ms - log.first_byte_ms) / 1000))} tokens/s`],
        ]} />
      </Section>
      <Section title="Request">
        <Facts rows={[
          ["Time", moment(log.at)],
          ["Id", <span class="copyable"><code>{log.id}</code><Copy text={log.id} label="Copy the id" /></span>],
          log.trace_id && ["Trace", <span class="copyable"><a href={to("/logs", { trace: log.trace_id, range: "30d" })}><code>{log.trace_id}</code></a><Copy text={log.trace_id} label="Copy the trace id" /></span>],
          ["Operation", `${log.operation}${log.streamed ? ", streamed" : ""}`],
          ["Key", log.key ? <a href={to("/logs", { key: log.key })}>{log.key}</a> : "unknown"],
          log.workspace && ["Workspace", <a href={to("/logs", { workspace: log.workspace })}>{log.workspace}</a>],
          log.user && ["User", log.user],
          log.integration && ["Served by", `${log.integration} (${log.provider})`],
          log.upstream_model && ["Model asked", <code>{log.upstream_model}</code>],
          log.cache && ["Cache", log.cache],
          log.detail?.dropped?.length && ["Dropped", <Chips names={log.detail.dropped} most={12} />],
        ]} />
      </Section>
      {metadata.length > 0 && (
        <Section title="Metadata">
          <Facts rows={metadata.map(([name, value]) => [name, <a href={to("/logs", { [`metadata.${name}`]: value })}><code>{value}</code></a>])} />
        </Section>
      )}
      <Section title="Body of the request" action={<Copy text={() => curlOf(log, location.origin)} label="Copy as curl">Copy as curl</Copy>}>
        {log.request ? <Body text={log.request} label="the body of the request" /> : <NotKept />}
      </Section>
      <Section title="Body of the reply">{log.reply ? <Body text={log.reply} label="the body of the reply" /> : <NotKept />}</Section>
    </>
  );
}

function NotKept() {
  return <p class="faint small">Not recorded. Bodies are kept where <code>record.payloads</code> says “all” or “errors”, with secrets masked.</p>;
}

function AttemptRow({ step, number }: { step: Step; number: number }) {
  const isGood = !step.trouble && (step.status ?? 0) < 400;
  return (
    <li>
      <span class="number">{number}</span>
      <b>{step.target}</b>
      <Badge tone={isGood ? "good" : "bad"} dot>{[step.status, step.trouble].filter(Boolean).join(" ") || "no reply"}</Badge>
      <span class="faint">{duration(step.ms)}</span>
    </li>
  );
}

function Waterfall({ log }: { log: LogWhole }) {
  const bars = barsOf(log);
  const total = Math.max(log.total_ms ?? 0, ...bars.map((bar) => bar.to)) || 1;
  if (bars.length === 0) return <p class="faint small">It ended before its first step.</p>;
  return (
    <ol class="waterfall">
      {bars.map((bar) => (
        <li key={bar.name} title={`${bar.meaning}: ${duration(bar.from)} to ${duration(bar.to)}`}>
          <span class="name">{bar.name}</span>
          <span class="lane">
            <i class={bar.side} style={{ left: `${(bar.from / total) * 100}%`, width: `${Math.max(0.4, ((bar.to - bar.from) / total) * 100)}%` }} />
          </span>
          <span class="value">{duration(bar.to - bar.from)}</span>
          <span class="meaning faint">{bar.meaning}</span>
        </li>
      ))}
    </ol>
  );
}
