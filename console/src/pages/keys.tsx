// Virtual keys: what callers authenticate by, and what each may spend.

import { useState } from "preact/hooks";
import { moment, plural, relative } from "../lib/format.ts";
import { useIntegrationOptions, useModelNames, useWorkspaceOptions } from "../lib/lists.ts";
import { isOn, KEYS, may, mayKey, USERS } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import { change, useQuery } from "../lib/query.ts";
import type { Config, Key, KeySecret, Page as Rows, User } from "../lib/types.ts";
import { Ago, Button, Copy, Empty, Facts, Section, StateBadge } from "../ui/basics.tsx";
import { SpendBlock, SpendCell } from "../ui/bars.tsx";
import { confirm } from "../ui/dialog.tsx";
import { Form, ListField, MomentField, NumberField, PairsField, SelectField, SwitchField, TextField, useMember } from "../ui/form.tsx";
import { LimitFields } from "../ui/limits.tsx";
import { Filter } from "../ui/page.tsx";
import { attempt, remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { SecretOnce } from "../ui/secret.tsx";

const STATES = ["active", "exhausted", "expired", "disabled"].map((name) => [name, name] as const);
export const ADMISSIONS = [
  ["clamp", "clamp: as much output as the budget pays for"], ["strict", "strict: refuse what could exceed it"], ["estimate", "estimate: count what it probably costs"],
] as const;

function WorkspaceFilter({ value, change: put }: { value: string | undefined; change: (value: string) => void }) {
  return <Filter label="Workspace" value={value} options={useWorkspaceOptions()} change={put} />;
}

/** Of others' keys a member of the workspace is told the names alone. */
const isOpen = (key: Key): boolean => key.masked !== undefined;

const RESOURCE: Resource<Key> = {
  path: "/keys", title: "Keys", one: "key", create: "Create key", rights: KEYS, nameOf: (key) => key.name, asked: ["workspace", "status", "user"],
  isOpen,
  // a key that has used up its budget is seen to
  every_ms: 1500,
  mark: (key) => <StateBadge state={key.status} />,
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (key) => <><span>{key.name}</span>{key.masked && <code class="faint sub">{key.masked}</code>}</> },
    { head: "State", fold: "head", cell: (key) => <><StateBadge state={key.status} />{key.disabled_by === "user" && <span class="faint sub">its user is disabled</span>}</> },
    { head: "Workspace", cell: (key) => key.workspace, narrow: "away" },
    { head: "Spend", class: "spend-cell", cell: (key) => <SpendCell of={key} /> },
    { head: "Last used", cell: (key) => <Ago at={key.last_used_at} />, narrow: "away" },
    { head: "Expires", cell: (key) => <Ago at={key.expires_at} />, narrow: "away" },
  ],
  filters: (place) => (
    <>
      <WorkspaceFilter value={place.query.workspace} change={(workspace) => place.filter({ workspace })} />
      <Filter label="State" value={place.query.status} options={STATES} change={(status) => place.filter({ status })} />
    </>
  ),
  empty: () => (
    <Empty icon="key" title="No keys yet" action={may(...KEYS.create) && <Button kind="primary" icon="plus" href={to("/keys/create")}>Create a key</Button>}>
      A key is what an application sends instead of a provider's. It says what may be called, how often, and for how much.
    </Empty>
  ),
  panel: ({ row, close, place }) => (row ? <Opened row={row} close={close} /> : <Creating close={close} workspace={place.query.workspace} />),
};

export const Keys = ({ params }: { params: { id?: string } }) => <ResourcePage of={RESOURCE} id={params.id} />;

function Creating({ close, workspace }: { close: () => void; workspace: string | undefined }) {
  const [made, setMade] = useState<KeySecret | null>(null);
  const workspaces = useWorkspaceOptions();
  const models = useModelNames();
  const first = workspace ?? (workspaces.length === 1 ? workspaces[0]![0] : undefined);
  return (
    <>
      <Form key={first} path="/keys" what="key" blank={first ? { workspace: first } : {}} cancel={close} done={(saved) => setMade(saved as unknown as KeySecret)}>
        <Fields />
      </Form>
      {made && (
        <SecretOnce title={`The key ${made.name}`} secret={made.key} model={made.models?.[0] ?? models[0] ?? "gpt-4.1-mini"}
          note="Copy it now: it is kept as a digest only, and cannot be shown again." close={close} />
      )}
    </>
  );
}

function UserSelect() {
  const users = useQuery<Rows<User>>(may(...USERS.list) ? "/users?limit=500" : null).data?.data ?? [];
  if (!users.length) return null;
  return <SelectField at="user" label="Belongs to" none="the workspace" options={users.map((user) => [user.id, user.name || user.email] as const)}
    hint="What a person's key spends counts for the person too." />;
}

function RotationFields() {
  const { value, set, id } = useMember("rotation");
  return (
    <>
      <div class="field row">
        <label class="label" for={id}>Rotate by itself</label>
        <input id={id} type="checkbox" role="switch" class="switch" checked={Boolean(value)}
          onChange={(event) => set(event.currentTarget.checked ? { every_days: 90, overlap_hours: 24 } : undefined)} />
      </div>
      {Boolean(value) && (
        <div class="columns">
          <NumberField at="rotation.every_days" label="Every" unit="days" min={1} />
          <NumberField at="rotation.overlap_hours" label="The old one stays valid for" unit="hours" />
        </div>
      )}
    </>
  );
}

function Fields({ row }: { row?: Key }) {
  const workspaces = useWorkspaceOptions();
  const models = useModelNames();
  const integrations = useIntegrationOptions();
  const configs = useQuery<Rows<Config>>(may("configs.list", "configs.read") ? "/configs?limit=500" : null).data?.data ?? [];
  return (
    <>
      <TextField at="name" label="Name" required placeholder="billing-service" />
      {!row && <SelectField at="workspace" label="Workspace" required options={workspaces} />}
      <UserSelect />
      <TextField at="description" label="Description" />
      <Section title="Limits"><LimitFields /><MomentField at="expires_at" label="Expires" hint="Without a date it stays valid until it is revoked." /></Section>
      <Section title="What it may call">
        <ListField at="models" label="Models" options={models} placeholder="all; type to allow some only" />
        <ListField at="integrations" label="Integrations" options={integrations.map(([name]) => name)} placeholder="all that the workspace has" />
        <SelectField at="integration" label="Passes other paths to" none="nowhere" options={integrations} hint="Where requests go whose path the gateway does not know." />
        <SelectField at="config" label="Routing config" none="none" options={configs.map((config) => [config.slug, config.name || config.slug] as const)} />
        <SwitchField at="allow_config_override" label="Callers may send another config" fallback />
      </Section>
      <Section title="More">
        <SelectField at="admission" label="Admission" none="as the workspace says" options={ADMISSIONS} />
        <PairsField at="metadata" label="Metadata" hint="Goes into the record of each request." />
        <ListField at="alert_emails" label="Alerts also go to" placeholder="name@company.com" />
        <RotationFields />
        <SwitchField at="enabled" label="Enabled" fallback />
      </Section>
    </>
  );
}

function Opened({ row, close }: { row: Key; close: () => void }) {
  const [rotated, setRotated] = useState<KeySecret | null>(null);
  const mayUpdate = mayKey(row, "update");
  const path = `/keys/${row.id}`;
  const isWhole = isOpen(row);
  return (
    <>
      <div class="panel-actions">
        <Button small icon="logs" href={to("/logs", { key: row.name, range: "7d" })}>Logs</Button>
        <Button small icon="overview" href={to("", { key: row.name, range: "7d" })}>Analytics</Button>
        {mayKey(row, "rotate") && <Button small icon="rotate" onClick={() => rotate(row, setRotated)}>Rotate</Button>}
        {mayUpdate && <Button small icon="refresh" onClick={() => reset(row)}>Reset budgets</Button>}
        {mayUpdate && (
          <Button small icon={isOn(row) ? "pause" : "play"} onClick={() => attempt(
            () => change("PATCH", path, { enabled: !isOn(row) }, { ifMatch: row.version }), isOn(row) ? `Disabled ${row.name}` : `Enabled ${row.name}`)}>
            {isOn(row) ? "Disable" : "Enable"}
          </Button>
        )}
        {mayKey(row, "delete") && (
          <Button small kind="danger" icon="trash" onClick={() => remove({
            path: "/keys", row, what: "key", name: row.name, action: "Revoke", word: row.name, close,
            text: <p>Requests with this key are refused within a second, everywhere. What it spent stays in the records. This cannot be taken back.</p>,
          })}>Revoke</Button>
        )}
      </div>
      <SpendBlock of={row} />
      <Facts rows={[
        row.masked && ["Key", <span class="copyable"><code>{row.masked}</code></span>],
        ["Id", <span class="copyable"><code>{row.id}</code><Copy text={row.id} label="Copy the id" /></span>],
        ["Workspace", <a href={to("/workspaces", { search: row.workspace })}>{row.workspace}</a>],
        isWhole && ["Last used", <Ago at={row.last_used_at} />],
        isWhole && ["Expires", row.expires_at ? `${moment(row.expires_at, "minute")} (${relative(row.expires_at)})` : "never"],
        ["Created", moment(row.created_at, "minute")],
        row.rotation && ["Rotates", `every ${plural(row.rotation.every_days, "day")}, ${plural(row.rotation.overlap_hours, "hour")} overlap`],
      ]} />
      {isWhole && <Section title="Change it"><Form key={row.id} object={row} path={path} what="key" disabled={!mayUpdate}><Fields row={row} /></Form></Section>}
      {!isWhole && <p class="notice">This is someone else's key: its limits and what it spends are not yours to see.</p>}
      {rotated && (
        <SecretOnce title={`The key ${rotated.name}, rotated`} secret={rotated.key} close={() => setRotated(null)}
          note={rotated.previous_valid_until ? `The one before stays valid until ${moment(rotated.previous_valid_until, "minute")}.` : "The one before is not valid any more."} />
      )}
    </>
  );
}

function rotate(row: Key, show: (made: KeySecret) => void): void {
  let hours = row.rotation?.overlap_hours ?? 24;
  confirm({
    title: `Rotate ${row.name}?`, action: "Rotate",
    text: <p>A fresh key takes its place, with the same limits and what was spent. Both are valid for the time of the overlap.</p>,
    extra: (
      <label class="field">
        <span class="label">The old one stays valid for</span>
        <span class="with-unit"><input type="number" min={0} max={8760} defaultValue={String(hours)} onInput={(event) => (hours = Number(event.currentTarget.value))} /><span class="unit">hours</span></span>
      </label>
    ),
    go: async () => show(await change<KeySecret>("POST", `/keys/${row.id}/rotate`, { overlap_hours: hours })),
  });
}

function reset(row: Key): void {
  confirm({
    title: `Reset the budgets of ${row.name}?`, action: "Reset", text: <p>What was spent counts as nothing from now on, in each of its windows. Records stay as they are.</p>,
    go: () => attempt(() => change("POST", `/keys/${row.id}/reset`, {}), `The budgets of ${row.name} begin afresh`),
  });
}
