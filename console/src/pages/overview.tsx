// What goes through the gateway: how much, how fast, what it costs, how often it fails, and whose it is.

import { useEffect, useState } from "preact/hooks";
import { call, me } from "../lib/api.ts";
import { count, duration, money, moment, share } from "../lib/format.ts";
import { useWorkspaceOptions } from "../lib/lists.ts";
import { INTEGRATIONS, KEYS, may } from "../lib/may.ts";
import { withQuery } from "../lib/pages.ts";
import { to, usePlace } from "../lib/place.ts";
import { useQuery } from "../lib/query.ts";
import { before, type Range, rangeOf } from "../lib/range.ts";
import type { Group, Overview as Seen } from "../lib/types.ts";
import { Button, Choice, Empty, Failure, Skeleton } from "../ui/basics.tsx";
import { Ranking, type Rank } from "../ui/bars.tsx";
import { Chart } from "../ui/chart.tsx";
import { Filter, Page } from "../ui/page.tsx";
import { RangePicker } from "../ui/range.tsx";
import { attempt } from "../ui/resource.tsx";

const TICK_MS = 10_000;
const FILTERS = ["workspace", "key", "model"] as const;

/** The range, moved on every few seconds while it ends now and the page is seen. */
function useMovingRange(query: Record<string, string>): Range {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && setNow(Date.now()), TICK_MS);
    const shown = () => !document.hidden && setNow(Date.now());
    document.addEventListener("visibilitychange", shown);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, []);
  return rangeOf(query, now);
}

export function Overview() {
  const place = usePlace();
  const range = useMovingRange(place.query);
  const workspaces = useWorkspaceOptions();
  const only = Object.fromEntries(FILTERS.map((name) => [name, place.query[name]]));
  const asked = { since: range.since, until: range.until, ...only };
  const { data, error, isStale, reload } = useQuery<Seen>(withQuery("/analytics/overview", { ...asked, step: "auto" }));
  const earlier = useQuery<Seen>(withQuery("/analytics/overview", { ...before(range), ...only, step: "auto" }));
  const isEmpty = data && !data.totals.requests && FILTERS.every((name) => !place.query[name]);
  return (
    <Page title="Overview" actions={(
      <>
        <Filter label="All workspaces" value={place.query.workspace} options={workspaces} change={(workspace) => place.filter({ workspace })} />
        {FILTERS.slice(1).map((name) => place.query[name] && (
          <Button key={name} small icon="close" label={`All ${name}s again`} onClick={() => place.filter({ [name]: "" })}>{name}: {place.query[name]}</Button>
        ))}
        <RangePicker place={place} range={range} />
      </>
    )}>
      {!data
        ? error ? <Failure error={error} what="the overview" retry={reload} /> : <Skeleton rows={12} />
        : (
          <div class={isStale && !range.isLive ? "stale" : ""}>
            {error && <Failure error={error} what="the latest figures" retry={reload} />}
            {isEmpty && <FirstSteps range={range} />}
            <Totals now={data} then={earlier.data} />
            {!isEmpty && (
              <>
                <Graphs data={data} pick={(since, until) => place.filter({ since: iso(since), until: iso(until), range: "" }, false)} />
                <Rankings asked={asked} range={range} />
              </>
            )}
          </div>
        )}
    </Page>
  );
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

function FirstSteps({ range }: { range: Range }) {
  return (
    <Empty icon="bolt" title={range.name === "custom" ? "Nothing went through in this time" : "Nothing has gone through yet"} action={(
      <div class="actions">
        {may(...INTEGRATIONS.create) && <Button href={to("/integrations/create")} icon="plug">Add an integration</Button>}
        {may(...KEYS.create) && <Button href={to("/keys/create")} kind="primary" icon="key">Create a key</Button>}
        <Button href={to("/playground")} icon="play">Try it</Button>
        {me.value?.demo && may("workspaces.update") && (
          <Button icon="bolt" onClick={() => attempt(() => call("POST", "/demo/traffic", {}), "Sample traffic is on its way")}>Send sample traffic</Button>
        )}
      </div>
    )}>
      Add a provider's credential as an integration, create a key, and point any OpenAI, Anthropic or Gemini client at this address.
    </Empty>
  );
}

function Change({ now, then, isBad }: { now: number | null | undefined; then: number | null | undefined; isBad?: boolean }) {
  if (now === null || now === undefined || !then) return <span class="change faint">–</span>;
  const by = now / then - 1;
  if (Math.abs(by) < 0.005) return <span class="change faint">as before</span>;
  const tone = isBad === undefined ? "" : by > 0 === isBad ? "bad" : "good";
  const text = Math.abs(by) >= 9.995 ? `${(by + 1).toFixed(0)}×` : `${Math.abs(by * 100).toFixed(Math.abs(by) < 0.1 ? 1 : 0)} %`;
  return <span class={`change ${tone}`} title="against the same time before">{by > 0 ? "↑" : "↓"} {text}</span>;
}

function Totals({ now: { totals }, then }: { now: Seen; then: Seen | undefined }) {
  const old = then?.totals;
  const tokens = (totals.input_tokens ?? 0) + (totals.output_tokens ?? 0);
  const oldTokens = old && (old.input_tokens ?? 0) + (old.output_tokens ?? 0);
  return (
    <div class="totals">
      <div class="total"><span class="name">Requests</span><span class="value">{count(totals.requests)}</span><Change now={totals.requests} then={old?.requests} /></div>
      <div class="total"><span class="name">Cost</span><span class="value">{money(totals.cost_usd)}</span><Change now={totals.cost_usd} then={old?.cost_usd} />
        {Boolean(totals.saved_usd) && <span class="note">{money(totals.saved_usd)} saved by the cache</span>}
      </div>
      <div class="total"><span class="name">Tokens</span><span class="value">{count(tokens)}</span><Change now={tokens} then={oldTokens} />
        <span class="note">{count(totals.input_tokens)} in, {count(totals.output_tokens)} out</span>
      </div>
      <div class="total"><span class="name">Latency p50</span><span class="value">{duration(totals.p50_ms)}</span><Change now={totals.p50_ms} then={old?.p50_ms} isBad />
        <span class="note">p99 {duration(totals.p99_ms)}</span>
      </div>
      <div class="total"><span class="name">Errors</span><span class="value">{share(totals.error_rate, 2)}</span><Change now={totals.error_rate} then={old?.error_rate} isBad />
        <span class="note">{count(totals.errors)} requests</span>
      </div>
      <div class="total"><span class="name">Gateway's share</span><span class="value">{duration(totals.gateway_p50_ms)}</span>
        <Change now={totals.gateway_p50_ms} then={old?.gateway_p50_ms} isBad />
        <span class="note">p99 {duration(totals.gateway_p99_ms)} · cache hits {share(totals.cache_hit_rate)}</span>
      </div>
    </div>
  );
}

function Graphs({ data, pick }: { data: Seen; pick: (since: number, until: number) => void }) {
  const rate = data.requests.map((requests, index) => (requests ? (data.errors[index] ?? 0) / requests : null));
  const shared = { times: data.times, step_s: data.step_s, pick };
  return (
    <div class="graphs">
      <Chart {...shared} title="Requests" format={count} total={per(data.step_s)}
        series={[{ label: "requests", values: data.requests, colour: "--accent", fill: true }]} />
      <Chart {...shared} title="Cost" format={money} total={per(data.step_s)} series={[{ label: "cost", values: data.cost_usd, colour: "--accent", fill: true }]} />
      <Chart {...shared} title="Latency" format={duration} series={[
        { label: "p50", values: data.p50_ms, colour: "--accent" }, { label: "p99", values: data.p99_ms, colour: "--second" },
      ]} />
      <Chart {...shared} title="Tokens" format={count} series={[
        { label: "input", values: data.input_tokens, colour: "--accent", fill: true }, { label: "output", values: data.output_tokens, colour: "--second", fill: true },
      ]} />
      <Chart {...shared} title="Errors" format={(value) => share(value)} total="share of requests"
        series={[{ label: "errors", values: rate, colour: "--bad", fill: true }]} />
    </div>
  );
}

function per(step_s: number): string {
  const unit = step_s % 86_400 === 0 ? [step_s / 86_400, "day"] : step_s % 3600 === 0 ? [step_s / 3600, "hour"] : step_s % 60 === 0 ? [step_s / 60, "minute"] : [step_s, "second"];
  return unit[0] === 1 ? `per ${unit[1]}` : `per ${unit[0]} ${unit[1]}s`;
}

const SORTS = [["cost", "Cost"], ["requests", "Requests"]] as const;
const BY = [["model", "Models"], ["key", "Keys"], ["workspace", "Workspaces"], ["provider", "Providers"], ["error", "Errors"]] as const;

function Rankings({ asked, range }: { asked: Record<string, string | undefined>; range: Range }) {
  const [sort, setSort] = useState<"cost" | "requests">("cost");
  return (
    <section class="rankings" aria-label="Breakdown">
      <header><h2>Breakdown</h2><Choice label="Rank by" options={SORTS} chosen={sort} choose={setSort} /></header>
      <div class="cards">
        {BY.map(([by, title]) => <Ranked key={by} by={by} title={title} sort={by === "error" ? "requests" : sort} asked={asked} range={range} />)}
      </div>
    </section>
  );
}

function Ranked({ by, title, sort, asked, range }: {
  by: string; title: string; sort: "cost" | "requests"; asked: Record<string, string | undefined>; range: Range;
}) {
  const { data, error, reload } = useQuery<{ data: Group[] }>(withQuery(`/analytics/groups/${by}`, { ...asked, limit: 8, sort }));
  const time = range.isLive ? { range: range.name } : { since: range.since, until: range.until };
  const rows: Rank[] = (data?.data ?? []).filter((row) => by !== "error" || row.value).map((row) => ({
    name: row.value,
    value: sort === "cost" ? row.cost_usd : row.requests,
    text: sort === "cost" ? money(row.cost_usd) : count(row.requests),
    note: sort === "cost" ? `${count(row.requests)} req` : by === "error" ? "" : money(row.cost_usd),
    href: by === "workspace" || by === "key" || by === "model" ? to("", { ...asked, since: time.since, until: time.until, range: time.range, [by]: row.value })
      : to("/logs", { ...time, [by === "error" ? "q" : by]: row.value }),
  }));
  return (
    <div class="card ranked">
      <h3>{title}</h3>
      {data ? rows.length ? <Ranking rows={rows} label={`${title} by ${sort}`} /> : <p class="faint nothing">{by === "error" ? "No errors" : `Nothing since ${moment(range.since, "minute")}`}</p>
        : error ? <Failure error={error} what={title.toLowerCase()} retry={reload} /> : <Skeleton rows={5} />}
    </div>
  );
}
