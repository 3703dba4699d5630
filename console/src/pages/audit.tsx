// Who changed what, and what it was before.

import { moment } from "../lib/format.ts";
import { withQuery } from "../lib/pages.ts";
import { to, usePlace } from "../lib/place.ts";
import { usePages } from "../lib/query.ts";
import { rangeOf } from "../lib/range.ts";
import type { AuditLine } from "../lib/types.ts";
import { Badge, Button, Copy, Empty, Facts, Section } from "../ui/basics.tsx";
import { Differences } from "../ui/conflict.tsx";
import { Filter, Page, Panel, Search } from "../ui/page.tsx";
import { RangePicker } from "../ui/range.tsx";
import { Listing } from "../ui/table.tsx";
import { useWorkspaceOptions } from "../lib/lists.ts";

const KINDS = ["keys", "workspaces", "members", "integrations", "shares", "models", "prices", "configs", "users", "tokens", "channels", "organisation"].map((name) => [name, name] as const);

export function Audit({ params }: { params: { id?: string } }) {
  const place = usePlace();
  const { query } = place;
  const range = rangeOf(query, Date.now(), "30d");
  const { actor, action, resource, workspace } = query;
  // the end is left open: what happens while one looks belongs to it
  const since = query.since ? range.since : range.since.slice(0, 14) + "00:00Z";
  const list = usePages<AuditLine>(withQuery("/audit", { since, until: range.isLive ? "" : range.until, actor, action, resource, workspace }));
  const open = list.data?.rows.find((line) => line.id === params.id);
  const isFiltered = Boolean(actor || action || resource || workspace);
  return (
    <Page title="Audit" lead="Every change, by whom and from where; secrets never stand in it." actions={<RangePicker place={place} range={range} />}
      panel={open && <AuditPanel line={open} close={() => place.go(to("/audit", query))} />}>
      <div class="filters">
        <Search value={actor ?? ""} change={(text) => place.filter({ actor: text })} label="Search by person or token" />
        <Filter label="What" value={resource} options={KINDS} change={(value) => place.filter({ resource: value })} />
        <Filter label="Workspace" value={workspace} options={useWorkspaceOptions()} change={(value) => place.filter({ workspace: value })} />
        {isFiltered && <Button small kind="quiet" onClick={() => place.go(to("/audit", { range: query.range }))}>Clear</Button>}
      </div>
      <Listing query={list} what="changes" selected={params.id} href={(line) => to(`/audit/${line.id}`, query)}
        empty={<Empty icon="audit" title={isFiltered ? "Nothing fits these filters" : "Nothing was changed in this time"}>What people, tokens and the gateway itself change is written down here.</Empty>}
        columns={[
          { head: "Time", fold: "head", class: "time", cell: (line) => <time dateTime={line.at}>{moment(line.at, "minute")}</time> },
          { head: "Who", narrow: "tight", cell: (line) => <>{line.actor.name}{line.actor.kind !== "user" && <> <Badge>{line.actor.kind}</Badge></>}</> },
          { head: "Action", fold: "head", cell: (line) => <code>{line.action}</code> },
          { head: "On", class: "main", cell: (line) => <><span>{line.resource.name}</span><span class="faint sub">{[line.resource.type, line.workspace].filter(Boolean).join(" in ")}</span></> },
          { head: "Members", cell: (line) => <span class="faint cut">{Object.keys(line.changes ?? {}).join(", ")}</span>, narrow: "away" },
        ]} />
    </Page>
  );
}

function AuditPanel({ line, close }: { line: AuditLine; close: () => void }) {
  const rows = Object.entries(line.changes ?? {});
  return (
    <Panel id={line.id} title={line.action} close={close} wide>
      <Facts rows={[
        ["Time", moment(line.at)], ["Who", `${line.actor.name} (${line.actor.kind})`], ["On", `${line.resource.type} ${line.resource.name}`],
        line.workspace && ["Workspace", line.workspace], line.address && ["From", <code>{line.address}</code>],
        line.request_id && ["Request", <span class="copyable"><code>{line.request_id}</code><Copy text={line.request_id} label="Copy the id" /></span>],
      ]} />
      <Section title="What changed">
        {rows.length ? <Differences heads={["Before", "After"]} rows={rows} /> : <p class="faint">No members are recorded for it.</p>}
      </Section>
    </Panel>
  );
}
