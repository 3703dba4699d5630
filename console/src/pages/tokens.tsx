// API tokens: what scripts and Terraform sign in by, with scopes.

import { useState } from "preact/hooks";
import { me } from "../lib/api.ts";
import { moment } from "../lib/format.ts";
import { useWorkspaceOptions } from "../lib/lists.ts";
import { may, TOKENS } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import type { JsonObject, Token } from "../lib/types.ts";
import { Ago, Button, Chips, Empty, Facts } from "../ui/basics.tsx";
import { Form, MomentField, SelectField, TextField, useMember } from "../ui/form.tsx";
import { remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { SecretOnce } from "../ui/secret.tsx";
import { Section } from "../ui/basics.tsx";

const RESOURCE: Resource<Token> = {
  path: "/tokens", title: "API tokens", one: "token", many: "tokens", create: "Create token", rights: TOKENS, nameOf: (row) => row.name,
  lead: "For scripts and Terraform, as Authorization: Bearer fgt-… at /api/v1.",
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => <><span>{row.name}</span><code class="faint sub">{row.masked}</code></> },
    { head: "Scopes", cell: (row) => <Chips names={row.scopes} most={2} none="none" /> },
    { head: "Of", cell: (row) => row.workspace ?? <span class="faint">organisation</span>, narrow: "away" },
    { head: "Last used", cell: (row) => <Ago at={row.last_used_at} /> },
    { head: "Expires", cell: (row) => <Ago at={row.expires_at} />, narrow: "away" },
  ],
  empty: () => (
    <Empty icon="token" title="No tokens yet" action={may(...TOKENS.create) && <Button kind="primary" icon="plus" href={to("/tokens/create")}>Create a token</Button>}>
      A token lets a script do what its scopes name, and nothing else.
    </Empty>
  ),
  panel: ({ row, close }) => (row ? <Opened row={row} close={close} /> : <Creating close={close} />),
};

export const Tokens = ({ params }: { params: { id?: string } }) => <ResourcePage of={RESOURCE} id={params.id} />;

function Creating({ close }: { close: () => void }) {
  const [made, setMade] = useState<(Token & { token: string }) | null>(null);
  return (
    <>
      <Form path="/tokens" what="token" blank={{ scopes: [] }} cancel={close} done={(saved: JsonObject) => setMade(saved as unknown as Token & { token: string })}>
        <TextField at="name" label="Name" required placeholder="terraform" />
        <SelectField at="workspace" label="Of" none="the organisation" options={useWorkspaceOptions()} hint="A token of a workspace sees nothing else." />
        <MomentField at="expires_at" label="Expires" />
        <Scopes />
      </Form>
      {made && <SecretOnce title={`The token ${made.name}`} secret={made.token} note="Copy it now: it cannot be shown again." close={close} />}
    </>
  );
}

const READING = /\.(list|read|view|export)$/;

/** The scopes that the person has, by what they are about: nobody can give more. */
function Scopes() {
  const { value, set, error, id } = useMember("scopes");
  const chosen = new Set((value ?? []) as string[]);
  const all = me.value?.scopes ?? [];
  const areas = [...new Set(all.map((scope) => scope.slice(0, scope.lastIndexOf("."))))];
  const put = (next: Iterable<string>) => set([...new Set(next)].sort());
  const toggle = (scope: string) => put(chosen.has(scope) ? [...chosen].filter((one) => one !== scope) : [...chosen, scope]);
  return (
    <Section title={`Scopes (${chosen.size})`} action={(
      <span class="actions">
        <Button small kind="quiet" onClick={() => put(all.filter((scope) => READING.test(scope)))}>Read only</Button>
        <Button small kind="quiet" onClick={() => put(all)}>All</Button>
        <Button small kind="quiet" onClick={() => put([])}>None</Button>
      </span>
    )}>
      {error && <p class="error" role="alert" id={`${id}-error`}>{error}</p>}
      <div class="scopes" id={id}>
        {areas.map((area) => (
          <div key={area} role="group" aria-label={area}>
            <b>{area.replaceAll("_", " ")}</b>
            <span>
              {all.filter((scope) => scope.slice(0, scope.lastIndexOf(".")) === area).map((scope) => (
                <label key={scope} class="check"><input type="checkbox" checked={chosen.has(scope)} onChange={() => toggle(scope)} />{scope.slice(area.length + 1)}</label>
              ))}
            </span>
          </div>
        ))}
      </div>
    </Section>
  );
}

function Opened({ row, close }: { row: Token; close: () => void }) {
  return (
    <>
      {may(...TOKENS.remove) && (
        <div class="panel-actions">
          <Button small kind="danger" icon="trash" onClick={() => remove({ path: "/tokens", row, what: "token", name: row.name, action: "Revoke", word: row.name, close, text: <p>Scripts that use it are refused at once.</p> })}>Revoke</Button>
        </div>
      )}
      <Facts rows={[["Token", <code>{row.masked}</code>], ["Of", row.workspace ?? "the organisation"], ["Last used", <Ago at={row.last_used_at} />],
        ["Expires", row.expires_at ? moment(row.expires_at, "minute") : "never"], ["Created", moment(row.created_at, "minute")]]} />
      <Section title={`Scopes (${row.scopes.length})`}><Chips names={row.scopes} most={200} none="none" /></Section>
    </>
  );
}
