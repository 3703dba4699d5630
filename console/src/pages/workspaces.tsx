// Workspaces: teams with their own limits, members, and shares of the integrations.

import { useState } from "preact/hooks";
import { type ApiError, get } from "../lib/api.ts";
import { useIntegrations, useModelNames } from "../lib/lists.ts";
import { INTEGRATIONS, isOn, may, mayIn, MEMBERS, USERS, WORKSPACES } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import { change, usePages, useQuery } from "../lib/query.ts";
import type { Member, Page as Rows, Share, User, Workspace, WorkspaceRole } from "../lib/types.ts";
import { Badge, Button, Chips, Empty, Failure, Skeleton, StateBadge, Tabs } from "../ui/basics.tsx";
import { SpendBlock, SpendCell } from "../ui/bars.tsx";
import { confirm } from "../ui/dialog.tsx";
import { Form, ListField, SelectField, TextField } from "../ui/form.tsx";
import { LimitFields } from "../ui/limits.tsx";
import { attempt, remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { Section } from "../ui/basics.tsx";
import { Table } from "../ui/table.tsx";
import { ADMISSIONS } from "./keys.tsx";

const ROLES: [WorkspaceRole, string][] = [["admin", "admin: everything here"], ["manager", "manager: keys, configs, logs"], ["member", "member: own keys"]];

const RESOURCE: Resource<Workspace> = {
  path: "/workspaces", title: "Workspaces", one: "workspace", create: "Create workspace", rights: WORKSPACES, nameOf: (row) => row.name || row.slug,
  mark: (row) => <StateBadge state={row.status} />, wide: true,
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => <><span>{row.name || row.slug}</span><code class="faint sub">{row.slug}</code></> },
    { head: "State", fold: "head", cell: (row) => <StateBadge state={row.status} /> },
    { head: "Spend", class: "spend-cell", cell: (row) => <SpendCell of={row} /> },
    { head: "Keys", numeric: true, cell: (row) => row.keys },
    { head: "Members", numeric: true, narrow: "tight", cell: (row) => row.members },
    { head: "Models", cell: (row) => <Chips names={row.models} most={2} />, narrow: "away" },
  ],
  empty: () => (
    <Empty icon="workspace" title="No workspaces yet" action={may(...WORKSPACES.create) && <Button kind="primary" icon="plus" href={to("/workspaces/create")}>Create a workspace</Button>}>
      A workspace is a team or a product: keys belong to it, and its budget holds for all of them together.
    </Empty>
  ),
  panel: ({ row, close }) => (row ? <Opened row={row} close={close} /> : (
    <Form path="/workspaces" what="workspace" cancel={close} done={close}><Fields isFresh /></Form>
  )),
};

export const Workspaces = ({ params }: { params: { id?: string } }) => <ResourcePage of={RESOURCE} id={params.id} />;

function Fields({ isFresh }: { isFresh?: boolean }) {
  const models = useModelNames();
  return (
    <>
      <TextField at="name" label="Name" placeholder="Search team" />
      {isFresh && <TextField at="slug" label="Slug" required mono placeholder="search-team" hint="What keys and filters call it: a-z, 0-9 and -; it stays." />}
      <TextField at="description" label="Description" />
      <Section title="Limits of all its keys together"><LimitFields /></Section>
      <Section title="Policy">
        <SelectField at="admission" label="Admission" none="as the organisation says" options={ADMISSIONS} />
        <SelectField at="unknown_price" label="Models without a known price" none="as the organisation says"
          options={[["refuse", "refuse them while a budget holds"], ["allow", "allow them"]]} />
        <ListField at="models" label="Models" options={models} placeholder="all; type to allow some only" />
        <SelectField at="inline" label="Configs that requests carry" none="as the organisation says"
          options={[["allow", "allowed"], ["saved", "only saved ones"]]} />
      </Section>
    </>
  );
}

function Opened({ row, close }: { row: Workspace; close: () => void }) {
  const [tab, choose] = useState<"limits" | "members" | "shares">("limits");
  const mayUpdate = mayIn(row.slug, ...WORKSPACES.update);
  const tabs: [typeof tab, string][] = [["limits", "Limits and policy"]];
  if (mayIn(row.slug, ...MEMBERS.list)) tabs.push(["members", `Members (${row.members})`]);
  if (mayIn(row.slug, "organisation_integrations.read", "workspace_integrations.read")) tabs.push(["shares", "Integrations"]);
  return (
    <>
      <div class="panel-actions">
        <Button small icon="key" href={to("/keys", { workspace: row.slug })}>Keys</Button>
        <Button small icon="logs" href={to("/logs", { workspace: row.slug })}>Logs</Button>
        <Button small icon="overview" href={to("", { workspace: row.slug })}>Analytics</Button>
        {mayUpdate && (
          <Button small icon="refresh" onClick={() => confirm({
            title: `Reset the budgets of ${row.slug}?`, action: "Reset", text: <p>What was spent counts as nothing from now on, in each of its windows.</p>,
            go: () => attempt(() => change("POST", `/workspaces/${row.id}/reset`, {}), `The budgets of ${row.slug} begin afresh`),
          })}>Reset budgets</Button>
        )}
        {may(...WORKSPACES.remove) && (
          <Button small kind="danger" icon="trash" onClick={() => remove({
            path: "/workspaces", row, what: "workspace", name: row.slug, word: row.slug, close,
            text: <p>Its {row.keys} keys stop working, and its members lose what it gave them. Records stay.</p>,
          })}>Delete</Button>
        )}
      </div>
      <SpendBlock of={row} />
      <Tabs label="Parts of the workspace" chosen={tab} choose={choose} tabs={tabs} />
      {tab === "limits" && <Form key={row.id} object={row} path={`/workspaces/${row.id}`} what="workspace" disabled={!mayUpdate}><Fields /></Form>}
      {tab === "members" && <Members workspace={row} />}
      {tab === "shares" && <Shares workspace={row} />}
    </>
  );
}

function Members({ workspace }: { workspace: Workspace }) {
  const path = `/workspaces/${workspace.id}/members`;
  const list = usePages<Member>(path);
  const users = useQuery<Rows<User>>(may(...USERS.list) ? "/users?limit=500" : null).data?.data ?? [];
  const [user, setUser] = useState("");
  const [role, setRole] = useState<WorkspaceRole>("member");
  if (!list.data) return list.error ? <Failure error={list.error} what="the members" retry={list.reload} /> : <Skeleton />;
  const rows = list.data.rows;
  const others = users.filter((one) => !rows.some((member) => member.user_id === one.id));
  const mayUpdate = mayIn(workspace.slug, ...MEMBERS.update);
  return (
    <>
      {mayIn(workspace.slug, ...MEMBERS.create) && others.length > 0 && (
        <form class="inline-form" onSubmit={(event) => {
          event.preventDefault();
          void attempt(() => change("POST", path, { user_id: user, role }), "Added the member").then(() => setUser(""));
        }}>
          <span class="select"><select aria-label="User to add" value={user} onChange={(event) => setUser(event.currentTarget.value)}>
            <option value="">Add someone…</option>
            {others.map((one) => <option key={one.id} value={one.id}>{one.name || one.email}</option>)}
          </select></span>
          <span class="select"><select aria-label="Role" value={role} onChange={(event) => setRole(event.currentTarget.value as WorkspaceRole)}>
            {ROLES.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
          </select></span>
          <Button type="submit" kind="primary" disabled={!user}>Add</Button>
        </form>
      )}
      {rows.length === 0 ? <p class="faint">Nobody belongs to it yet.</p> : (
        <Table rows={rows.map((member) => ({ ...member, id: member.user_id }))} label="Members" columns={[
          { head: "Person", class: "main", fold: "head", cell: (member) => <><span>{member.name || member.email}</span><span class="faint sub">{member.email}</span></> },
          { head: "Role", cell: (member) => (mayUpdate
            ? <span class="select"><select aria-label={`Role of ${member.email}`} value={member.role} onChange={(event) => void attempt(
                () => change("PATCH", `${path}/${member.user_id}`, { role: event.currentTarget.value }, { ifMatch: member.version }), "Changed the role")}>
                {ROLES.map(([name]) => <option key={name} value={name}>{name}</option>)}
              </select></span>
            : member.role) },
          { head: "Actions", quiet: true, class: "end", cell: (member) => mayIn(workspace.slug, ...MEMBERS.remove) && (
            <Button small kind="quiet" icon="close" label={`Take ${member.email} out`} onClick={() => confirm({
              title: `Take ${member.name || member.email} out?`, action: "Take out", danger: true, text: <p>Keys of theirs in this workspace stay; they cannot see them any more.</p>,
              go: () => change("DELETE", `${path}/${member.user_id}`),
            })} />
          ) },
        ]} />
      )}
    </>
  );
}

/** Which integrations the workspace has a share of; the API lists shares by integration, so each is asked. */
function Shares({ workspace }: { workspace: Workspace }) {
  const integrations = useIntegrations();
  const [shares, setShares] = useState<Map<string, Share | undefined>>(new Map());
  const [error, setError] = useState<ApiError | null>(null);
  const [asked, setAsked] = useState("");
  const wanted = integrations.map((one) => one.id).join();
  if (wanted && asked !== wanted) {
    setAsked(wanted);
    void Promise.all(integrations.map(async (one): Promise<[string, Share | undefined]> => {
      const { data } = await get<Rows<Share>>(`/integrations/${one.id}/workspaces?limit=500`);
      return [one.id, data.find((share) => share.workspace_id === workspace.id || share.workspace === workspace.slug)];
    })).then((found) => setShares(new Map(found)), setError);
  }
  if (error) return <Failure error={error} what="the shares" retry={() => (setError(null), setAsked(""))} />;
  if (integrations.length === 0) return <p class="faint">There are no integrations yet. <a href={to("/integrations/create")}>Add one</a>.</p>;
  const toggle = async (id: string, slug: string, isShared: boolean) => {
    const share = await attempt(() => change<Share | undefined>("PUT", `/integrations/${id}/workspaces/${workspace.id}`, { ...limitsOf(shares.get(id)), enabled: isShared }),
      isShared ? `${slug} is shared with ${workspace.slug}` : `${slug} is not shared any more`);
    if (share) setShares(new Map(shares).set(id, share));
  };
  return (
    <Table rows={integrations} label="Shares of integrations" columns={[
      { head: "Integration", class: "main", fold: "head", cell: (one) => <><a href={to(`/integrations/${one.id}`, { tab: "shares" })}>{one.slug}</a><span class="faint sub">{one.provider}</span></> },
      { head: "Shared", cell: (one) => (one.workspace ? <Badge>{one.workspace === workspace.slug ? "its own" : `of ${one.workspace}`}</Badge> : (
        <input type="checkbox" role="switch" class="switch" aria-label={`Share ${one.slug}`} checked={isOn(shares.get(one.id))} disabled={!may(...INTEGRATIONS.update)}
          onChange={(event) => void toggle(one.id, one.slug, event.currentTarget.checked)} />
      )) },
      { head: "Spend", class: "spend-cell", cell: (one) => (shares.get(one.id) ? <SpendCell of={shares.get(one.id)!} /> : <span class="faint">–</span>) },
    ]} />
  );
}

/** Of a share, what is sent back when it is put again. */
export function limitsOf(share: Share | undefined): Partial<Share> {
  const { models, budgets, rate, max_parallel } = share ?? {};
  return JSON.parse(JSON.stringify({ models, budgets, rate, max_parallel })) as Partial<Share>;
}
