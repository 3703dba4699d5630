// People: their roles in the organisation, how they sign in, what they may spend.

import { useState } from "preact/hooks";
import { me } from "../lib/api.ts";
import { moment } from "../lib/format.ts";
import { may, USERS } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import { change } from "../lib/query.ts";
import type { User } from "../lib/types.ts";
import { Ago, Badge, Button, Empty, Facts, Section, StateBadge } from "../ui/basics.tsx";
import { SpendBlock, SpendCell } from "../ui/bars.tsx";
import { Form, SelectField, TextField } from "../ui/form.tsx";
import { LimitFields } from "../ui/limits.tsx";
import { attempt, remove, type Resource, ResourcePage } from "../ui/resource.tsx";

const ROLES = [["member", "member: what their workspaces give"], ["admin", "admin: everything but owners and the organisation"], ["owner", "owner: everything"]] as const;
/** Owners are made by owners. */
const roles = () => ROLES.filter(([name]) => name !== "owner" || me.value?.role === "owner");

const RESOURCE: Resource<User> = {
  path: "/users", title: "Users", one: "user", create: "Add user", rights: USERS, nameOf: (row) => row.name || row.email,
  mark: (row) => <StateBadge state={row.status} />,
  columns: [
    { head: "Person", class: "main", fold: "head", cell: (row) => <><span>{row.name || row.email}</span><span class="faint sub">{row.email}</span></> },
    { head: "Role", fold: "head", cell: (row) => <Badge tone={row.role === "owner" ? "accent" : "plain"}>{row.role}</Badge> },
    { head: "State", cell: (row) => <StateBadge state={row.status} />, narrow: "away" },
    { head: "Signs in by", cell: (row) => [row.has_password && "password", row.oidc && "SSO"].filter(Boolean).join(", ") || <span class="faint">nothing yet</span>, narrow: "away" },
    { head: "Spend", class: "spend-cell", cell: (row) => <SpendCell of={row} /> },
    { head: "Last sign-in", cell: (row) => <Ago at={row.last_login_at} /> },
  ],
  empty: () => (
    <Empty icon="users" title="Nobody else yet" action={may(...USERS.create) && <Button kind="primary" icon="plus" href={to("/users/create")}>Add a user</Button>}>
      Add the people who look after keys and budgets. With single sign-on they need no password here.
    </Empty>
  ),
  panel: ({ row, close }) => (row ? <Opened row={row} close={close} /> : (
    <Form path="/users" what="user" submit="Add user" blank={{ role: "member" }} cancel={close} done={close}>
      <TextField at="email" label="Email" type="email" required placeholder="name@company.com" />
      <TextField at="name" label="Name" />
      <SelectField at="role" label="Role" options={roles()} />
      <TextField at="password" label="Password" type="password" hint="At least 12 characters; not needed where they sign in by SSO." />
      <Section title="Limits of all their keys together"><LimitFields /></Section>
    </Form>
  )),
};

export const Users = ({ params }: { params: { id?: string } }) => <ResourcePage of={RESOURCE} id={params.id} />;

function Opened({ row, close }: { row: User; close: () => void }) {
  const isSelf = row.id === me.value?.user.id;
  const [isSetting, setSetting] = useState(false);
  const mayUpdate = may(...USERS.update) && (row.role !== "owner" || me.value?.role === "owner");
  const isActive = row.status === "active";
  return (
    <>
      <div class="panel-actions">
        <Button small icon="key" href={to("/keys", { user: row.id })}>Keys</Button>
        <Button small icon="logs" href={to("/logs", { user: row.email })}>Logs</Button>
        {mayUpdate && !isSelf && <Button small onClick={() => setSetting(!isSetting)} aria-expanded={isSetting}>Set a password</Button>}
        {mayUpdate && !isSelf && (
          <Button small icon={isActive ? "pause" : "play"} onClick={() => attempt(
            () => change("PATCH", `/users/${row.id}`, { status: isActive ? "disabled" : "active" }, { ifMatch: row.version }), isActive ? "They cannot sign in any more, and their keys are refused" : "They can sign in again, and their keys serve")}>
            {isActive ? "Disable" : "Enable"}
          </Button>
        )}
        {may(...USERS.remove) && !isSelf && mayUpdate && (
          <Button small kind="danger" icon="trash" onClick={() => remove({
            path: "/users", row, what: "user", name: row.email, word: row.email, close, text: <p>They are signed out, and their own keys stop working.</p>,
          })}>Delete</Button>
        )}
      </div>
      {isSetting && (
        <Form object={row} path={`/users/${row.id}`} what="password" saved="The password is set" done={() => setSetting(false)}>
          <TextField at="password" label="Password" type="password" required hint="At least 12 characters." />
        </Form>
      )}
      <SpendBlock of={row} />
      <Facts rows={[["Email", row.email], ["Signs in by", [row.has_password && "password", row.oidc && "single sign-on"].filter(Boolean).join(" and ") || "nothing yet"],
        ["Last sign-in", <Ago at={row.last_login_at} />], ["Added", moment(row.created_at, "minute")]]} />
      <Section title="Change it">
        <Form key={row.id} object={row} path={`/users/${row.id}`} what="user" disabled={!mayUpdate}>
          <TextField at="name" label="Name" />
          {!isSelf && <SelectField at="role" label="Role" options={roles()} />}
          <LimitFields />
        </Form>
      </Section>
    </>
  );
}
