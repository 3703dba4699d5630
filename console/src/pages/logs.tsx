// The record of every exchange: filters, search, live tail, and one of them opened beside the list.

import { useEffect, useState } from "preact/hooks";
import { get, isAway, ROOT } from "../lib/api.ts";
import { count, money, duration, moment } from "../lib/format.ts";
import { useKeyOptions, useModelNames, useWorkspaceOptions } from "../lib/lists.ts";
import { may } from "../lib/may.ts";
import { prepended, withQuery } from "../lib/pages.ts";
import { to, usePlace } from "../lib/place.ts";
import { usePages } from "../lib/query.ts";
import { rangeOf } from "../lib/range.ts";
import type { LogLine } from "../lib/types.ts";
import { Badge, Button, Empty, type Tone } from "../ui/basics.tsx";
import { Filter, Page, Search } from "../ui/page.tsx";
import { RangePicker } from "../ui/range.tsx";
import { Listing } from "../ui/table.tsx";
import { LogPanel } from "./log.tsx";

const TAIL_MS = 2000;
const MOST_LIVE = 500;
const EXACT = ["workspace", "key", "model", "provider", "integration", "outcome", "cache", "user"] as const;
const FREE = [["provider", "Provider"], ["integration", "Integration"], ["user", "User"], ["trace", "Trace"], ["min_cost_usd", "Cost at least ($)"], ["min_ms", "Time at least (ms)"]] as const;
const OUTCOMES = ["served", "refused", "failed", "cancelled", "lost"].map((name) => [name, name] as const);
const CACHES = ["hit", "miss", "refresh", "bypass"].map((name) => [name, `cache ${name}`] as const);

export const toneOf = (log: Pick<LogLine, "status" | "outcome">): Tone =>
  log.outcome === "served" ? "good" : log.outcome === "refused" || log.outcome === "cancelled" ? "warn" : "bad";

const today = () => moment(new Date().toISOString(), "day");

const COLUMNS = [
  { head: "Time", class: "time", fold: "head" as const, cell: (log: LogLine) => <time dateTime={log.at} title={moment(log.at)}>{moment(log.at, "day") !== today() && `${moment(log.at, "day")} `}<b>{moment(log.at, "time")}</b></time> },
  { head: "Status", fold: "head" as const, cell: (log: LogLine) => <><span class="badges"><Badge tone={toneOf(log)} dot>{log.status || log.outcome}</Badge>{log.cache === "hit" && <Badge tone="accent">cache</Badge>}{log.attempts > 1 && <Badge tone="warn">{log.attempts} tries</Badge>}</span>{log.error && <span class="faint sub">{log.error}</span>}</> },
  { head: "Model", class: "main", cell: (log: LogLine) => <><span>{log.model || <span class="faint">{log.operation}</span>}</span>{log.upstream_model && log.upstream_model !== log.model && <span class="faint sub">{log.integration}/{log.upstream_model}</span>}</> },
  { head: "Key", narrow: "tight" as const, cell: (log: LogLine) => <><span>{log.key || <span class="faint">unknown</span>}</span><span class="faint sub">{log.workspace}</span></> },
  { head: "In", numeric: true, cell: (log: LogLine) => count(log.input_tokens), narrow: "away" as const },
  { head: "Out", numeric: true, cell: (log: LogLine) => count(log.output_tokens), narrow: "away" as const },
  { head: "Cost", numeric: true, narrow: "tight" as const, cell: (log: LogLine) => (log.cost_usd === null ? <span class="faint" title="the model's price is unknown">unknown</span> : money(log.cost_usd)) },
  { head: "First byte", numeric: true, cell: (log: LogLine) => duration(log.first_byte_ms), narrow: "away" as const },
  { head: "Total", numeric: true, cell: (log: LogLine) => duration(log.total_ms) },
];

export function Logs({ params }: { params: { id?: string } }) {
  const place = usePlace();
  const { query } = place;
  const [now, setNow] = useState(Date.now());
  const range = rangeOf(query, now, "24h");
  const isLive = query.live === "1";
  const filters = { ...Object.fromEntries(Object.entries(query).filter(([name]) => !["range", "since", "until", "live", "more"].includes(name))) };
  const asked = { since: range.since, until: range.isLive ? "" : range.until, ...filters };
  const list = usePages<LogLine>(withQuery("/logs", asked));
  const [arrived, behind] = useTail(isLive, filters, list.data && (list.data.rows[0]?.seq ?? ""));
  const [isMore, setMore] = useState(FREE.some(([name]) => query[name]) || Object.keys(query).some((name) => name.startsWith("metadata.")));
  const workspaces = useWorkspaceOptions();
  const keys = useKeyOptions();
  const models = useModelNames();
  const rows = list.data && { ...list.data, rows: isLive ? prepended(list.data.rows, arrived, MOST_LIVE) : list.data.rows };
  const put = (name: string) => (value: string) => place.filter({ [name]: value });
  const path = (id?: string) => to(id ? `/logs/${encodeURIComponent(id)}` : "/logs", query);
  const isFiltered = Object.keys(filters).length > 0;
  return (
    <Page title="Logs" actions={(
      <>
        {may("logs.export") && <Button icon="download" small href={ROOT + withQuery("/logs/export", { ...asked, format: "jsonl" })} download target="_self">Export</Button>}
        <RangePicker place={place} range={range} />
      </>
    )} panel={params.id && <LogPanel id={params.id} close={() => place.go(path())} />}>
      <div class="filters">
        <Search value={query.q ?? ""} change={put("q")} label="Search models, errors, metadata, bodies" />
        <Filter label="Workspace" value={query.workspace} options={workspaces} change={put("workspace")} />
        <Filter label="Key" value={query.key} options={keys} change={put("key")} />
        <Filter label="Model" value={query.model} options={models.map((name) => [name, name])} change={put("model")} />
        <Filter label="Outcome" value={query.outcome} options={OUTCOMES} change={put("outcome")} />
        <Filter label="Cache" value={query.cache} options={CACHES} change={put("cache")} />
        <Button small icon="filter" aria-expanded={isMore} onClick={() => setMore(!isMore)}>More</Button>
        {isFiltered && <Button small kind="quiet" onClick={() => place.go(to("/logs", { range: query.range, live: query.live }))}>Clear</Button>}
        <span class="space" />
        <span class="actions">
        <Button small icon={isLive ? "pause" : "run"} class={isLive ? "on" : ""} aria-pressed={isLive}
          onClick={() => place.filter({ live: isLive ? "" : "1" })}>{isLive ? "Live" : "Live tail"}</Button>
        <Button small icon="refresh" label="Load the newest" onClick={() => (setNow(Date.now()), list.reload())} />
        </span>
      </div>
      {isMore && <MoreFilters query={query} put={place.filter} />}
      {behind && <p class="faint small" role="status">More arrives than is shown; filter to see all of it.</p>}
      <Listing query={{ ...list, data: rows }} what="requests" columns={COLUMNS} dense selected={params.id} href={(log) => path(log.id)}
        fresh={(log) => isLive && arrived.includes(log)}
        empty={(
          <Empty icon="logs" title={isFiltered ? "Nothing fits these filters" : "No requests in this time"} action={(
            <div class="actions">
              {isFiltered && <Button onClick={() => place.go(to("/logs", { range: query.range }))}>Clear the filters</Button>}
              {range.name !== "30d" && <Button onClick={() => place.filter({ range: "30d", since: "", until: "" })}>Look at 30 days</Button>}
              {!isFiltered && <Button href={to("/playground")} icon="play">Send one from the playground</Button>}
            </div>
          )}>Every request leaves one line here, whether it was served, refused or failed.</Empty>
        )} />
    </Page>
  );
}

function MoreFilters({ query, put }: { query: Record<string, string>; put: (change: Record<string, string>) => void }) {
  const metadata = Object.entries(query).find(([name]) => name.startsWith("metadata."));
  const [name, setName] = useState(metadata?.[0].slice(9) ?? "");
  return (
    <div class="more-filters">
      {FREE.map(([member, title]) => (
        <label key={member} class="field">
          <span class="label">{title}</span>
          <input type="text" inputMode={member.startsWith("min") ? "decimal" : "text"} value={query[member] ?? ""} onChange={(event) => put({ [member]: event.currentTarget.value.trim() })} />
        </label>
      ))}
      <label class="field"><span class="label">Status</span>
        <input type="text" inputMode="numeric" placeholder="429" value={query.status ?? ""} onChange={(event) => put({ status: event.currentTarget.value.trim() })} />
      </label>
      <div class="field" role="group" aria-label="Metadata">
        <span class="label">Metadata</span>
        <span class="pair">
          <input type="text" placeholder="name" aria-label="Metadata: name" value={name} onInput={(event) => setName(event.currentTarget.value.trim())} />
          <input type="text" placeholder="value" aria-label="Metadata: value" value={metadata?.[1] ?? ""} disabled={!name}
            onChange={(event) => put({ ...(metadata ? { [metadata[0]]: "" } : {}), [`metadata.${name}`]: event.currentTarget.value.trim() })} />
        </span>
      </div>
    </div>
  );
}

/** What arrives while the tail is on; it rests while the page is hidden, and goes on from where it was. */
function useTail(isOn: boolean, filters: Record<string, string>, newest: string | undefined): [LogLine[], boolean] {
  const [arrived, setArrived] = useState<LogLine[]>([]);
  const [isBehind, setBehind] = useState(false);
  const shape = JSON.stringify(filters);
  useEffect(() => setArrived([]), [shape, isOn]);
  useEffect(() => {
    if (!isOn || newest === undefined) return;
    let after = newest;
    let isAsking = false;
    const ask = async () => {
      if (document.hidden || isAsking || isAway.peek()) return;
      isAsking = true;
      try {
        const { data, last } = await get<{ data: LogLine[]; last: string }>(withQuery("/logs/live", { ...filters, after }));
        after = last;
        // the tail may know fewer filters than the list does
        const fitting = data.filter((log) => EXACT.every((name) => !filters[name] || String(log[name] ?? "") === filters[name]));
        setBehind(fitting.length >= MOST_LIVE);
        if (fitting.length) setArrived((before) => prepended(before, fitting, MOST_LIVE));
      } catch {
        // the banner says that the control process is away; the next tick asks again
      } finally {
        isAsking = false;
      }
    };
    const timer = setInterval(ask, TAIL_MS);
    return () => clearInterval(timer);
  }, [isOn, shape, newest === undefined]);
  return [arrived, isBehind];
}
