// Alerts: where they go, and what was sent.

import { useState } from "preact/hooks";
import { call, type ApiError } from "../lib/api.ts";
import { amount, moment, share } from "../lib/format.ts";
import { useWorkspaceOptions } from "../lib/lists.ts";
import { CHANNELS, isOn, may } from "../lib/may.ts";
import { type Place, to, usePlace } from "../lib/place.ts";
import { usePages } from "../lib/query.ts";
import type { Alert, Channel } from "../lib/types.ts";
import { Badge, Button, Empty, StateBadge, Tabs } from "../ui/basics.tsx";
import { Form, ListField, SelectField, SwitchField, TextField, useMember } from "../ui/form.tsx";
import { Icon } from "../ui/icons.tsx";
import { Page } from "../ui/page.tsx";
import { remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { Listing } from "../ui/table.tsx";

const KINDS = [["slack", "Slack"], ["webhook", "Webhook"], ["email", "Email"]] as const;

function AlertTabs({ place }: { place: Place }) {
  return <Tabs label="Alerts" tabs={[["channels", "Channels"], ["sent", "Sent"]]} chosen={place.query.tab === "sent" ? "sent" : "channels"}
    choose={(tab) => place.go(to("/alerts", { tab: tab === "sent" ? tab : "" }))} />;
}

const RESOURCE: Resource<Channel> = {
  path: "/channels", home: "/alerts", byId: true, title: "Alerts", one: "channel", many: "channels", create: "Add channel", rights: CHANNELS, nameOf: (row) => row.name,
  lead: "Budgets tell these channels when they reach the shares that they name, and when they are used up.",
  above: (place) => <AlertTabs place={place} />, mark: (row) => <Badge>{row.kind}</Badge>,
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => row.name }, { head: "Kind", cell: (row) => <Badge>{row.kind}</Badge> },
    { head: "Goes to", cell: (row) => <span class="cut">{row.kind === "email" ? row.to?.join(", ") : row.url}</span>, narrow: "away" },
    { head: "Of", cell: (row) => row.workspace ?? <span class="faint">all workspaces</span> },
    { head: "State", fold: "head", cell: (row) => (row.last_error ? <Badge tone="bad" dot>failing</Badge> : <StateBadge state={isOn(row) ? "active" : "disabled"} />) },
  ],
  empty: () => (
    <Empty icon="bell" title="No channels yet" action={may(...CHANNELS.create, "alerts.create") && <Button kind="primary" icon="plus" href={to("/alerts/create")}>Add a channel</Button>}>
      A channel is a webhook, a room in Slack, or mail to some people.
    </Empty>
  ),
  panel: ({ row, close }) => (
    <>
      {row && (
        <div class="panel-actions">
          {may(...CHANNELS.update) && <TestButton key={row.id} row={row} />}
          {may(...CHANNELS.remove) && <Button small kind="danger" icon="trash" onClick={() => remove({ path: "/channels", row, what: "channel", name: row.name, close, text: <p>Alerts do not go there any more.</p> })}>Delete</Button>}
        </div>
      )}
      {row?.last_error && <p class="verdict bad">{row.last_error}</p>}
      <Form key={row?.id} object={row} path={row ? `/channels/${row.id}` : "/channels"} what="channel" submit={row ? undefined : "Add channel"} cancel={close} {...(row ? {} : { done: close })}
        blank={{ kind: "slack", enabled: true }} disabled={row ? !may(...CHANNELS.update) : false}>
        <TextField at="name" label="Name" required placeholder="platform-alerts" />
        {!row && <SelectField at="kind" label="Kind" options={KINDS} />}
        <PlaceFields />
        <SelectField at="workspace" label="Of" none="all workspaces" options={useWorkspaceOptions()} />
        <SwitchField at="enabled" label="Enabled" fallback />
      </Form>
    </>
  ),
};

function PlaceFields() {
  const kind = useMember("kind").value;
  if (kind === "email") return <ListField at="to" label="To" required placeholder="name@company.com" />;
  return (
    <>
      <TextField at="url" label="URL" type="url" required mono placeholder={kind === "slack" ? "https://hooks.slack.com/services/…" : "https://…"} />
      {kind === "webhook" && <TextField at="secret" label="Secret" type="password" mono hint="Signs each message, so that the receiver can tell it is ours." />}
    </>
  );
}

function TestButton({ row }: { row: Channel }) {
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<{ isGood: boolean; text: string } | null>(null);
  const test = async () => {
    setBusy(true);
    try {
      const told = await call<{ ok?: boolean; message?: string } | undefined>("POST", `/channels/${row.id}/test`, {});
      setAnswer(told?.ok === false ? { isGood: false, text: told.message ?? "it did not arrive" } : { isGood: true, text: told?.message ?? "sent" });
    } catch (error) {
      setAnswer({ isGood: false, text: (error as ApiError).message });
    }
    setBusy(false);
  };
  return (
    <>
      <Button small icon="send" busy={busy} onClick={test}>Send a test</Button>
      <p class={`test-answer ${answer ? (answer.isGood ? "good" : "bad") : ""}`} role="status">
        {answer && <><Icon name={answer.isGood ? "check" : "warning"} /> {answer.text}</>}
      </p>
    </>
  );
}

export function Alerts({ params }: { params: { id?: string } }) {
  const place = usePlace();
  return place.query.tab === "sent" ? <Sent place={place} /> : <ResourcePage of={RESOURCE} id={params.id} />;
}

function Sent({ place }: { place: Place }) {
  const list = usePages<Alert>("/alerts", 15_000);
  return (
    <Page title="Alerts" lead={RESOURCE.lead}>
      <AlertTabs place={place} />
      <Listing query={list} what="alerts" empty={<Empty icon="bell" title="Nothing was sent yet">Alerts are sent when a budget reaches one of the shares in its “alert at”.</Empty>} columns={[
        { head: "Time", fold: "head", cell: (alert) => <time dateTime={alert.at}>{moment(alert.at, "minute")}</time> },
        { head: "Account", class: "main", cell: (alert) => alert.account },
        { head: "What", cell: (alert) => <Badge tone={alert.kind === "exhausted" ? "bad" : "warn"}>{alert.kind === "exhausted" ? "used up" : share(alert.threshold, 0)}</Badge> },
        { head: "Spent", numeric: true, cell: (alert) => <>{amount(alert.spent, alert.unit)} <span class="faint">of {amount(alert.limit, alert.unit)}</span></> },
        { head: "Channel", cell: (alert) => alert.channel, narrow: "away" },
        { head: "State", fold: "head", cell: (alert) => <span title={alert.error ?? undefined}><StateBadge state={alert.state} />{alert.attempts > 1 && <span class="faint small"> {alert.attempts} attempts</span>}</span> },
      ]} />
    </Page>
  );
}
