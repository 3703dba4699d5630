// Integrations: a provider with a credential, tested from here, shared with workspaces under limits.

import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../lib/api.ts";
import { duration } from "../lib/format.ts";
import { useWorkspaceOptions } from "../lib/lists.ts";
import { INTEGRATIONS, isOn, may } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import { loadProviders, type ProviderRow, providers, titleOf } from "../lib/providers.ts";
import { call } from "../lib/api.ts";
import { change, useQuery } from "../lib/query.ts";
import type { Integration, JsonObject, Page as Rows, Share } from "../lib/types.ts";
import { Badge, Button, Chips, Empty, Facts, Failure, Section, Skeleton, Tabs } from "../ui/basics.tsx";
import { SpendBlock, SpendCell } from "../ui/bars.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Form, ListField, NumberField, PairsField, SelectField, SwitchField, TextField, useMember } from "../ui/form.tsx";
import { Icon } from "../ui/icons.tsx";
import { LimitFields } from "../ui/limits.tsx";
import { attempt, FromFile, remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { Table } from "../ui/table.tsx";
import { limitsOf } from "./workspaces.tsx";

const RESOURCE: Resource<Integration> = {
  path: "/integrations", title: "Integrations", one: "integration", create: "Add integration", rights: INTEGRATIONS, nameOf: (row) => row.slug, wide: true,
  mark: (row) => <Badge>{titleOf(row.provider)}</Badge>,
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => <><span>{row.slug}</span><span class="faint sub">{row.name && row.name !== row.slug ? row.name : titleOf(row.provider)}</span></> },
    { head: "Provider", cell: (row) => titleOf(row.provider), narrow: "away" },
    { head: "Credential", cell: (row) => (row.masked_key ? <code>{row.masked_key === "…" ? "kept" : row.masked_key}</code> : <span class="faint">by other means</span>) },
    { head: "Of", cell: (row) => row.workspace ?? <span class="faint">organisation</span>, narrow: "away" },
    { head: "Spend", class: "spend-cell", cell: (row) => <SpendCell of={row} /> },
    { head: "Source", quiet: true, fold: "away", cell: (row) => row.source === "file" && <Badge>file</Badge> },
  ],
  empty: () => (
    <Empty icon="plug" title="No integrations yet" action={may(...INTEGRATIONS.create) && <Button kind="primary" icon="plus" href={to("/integrations/create")}>Add an integration</Button>}>
      An integration is a provider's credential that the gateway keeps, so that applications never hold it.
    </Empty>
  ),
  panel: ({ row, close, place }) => (row ? <Opened row={row} close={close} tab={place.query.tab} /> : <Creating close={close} />),
};

export function Integrations({ params }: { params: { id?: string } }) {
  useEffect(loadProviders, []);
  return <ResourcePage of={RESOURCE} id={params.id} />;
}

function Creating({ close }: { close: () => void }) {
  const [chosen, choose] = useState<ProviderRow | null>(null);
  if (!chosen) return <ProviderChoice choose={choose} />;
  const free = chosen.name.replace(/[^a-z0-9-]/g, "-");
  return (
    <Form path="/integrations" what="integration" submit="Add integration" cancel={() => choose(null)} done={(saved) => (close(), testSaved(saved))}
      blank={{ provider: chosen.name, slug: free, share_with: "all" }}>
      <div class="chosen">
        <div><p><b>{chosen.title}</b></p>{chosen.note && <p class="faint small">{chosen.note}</p>}{chosen.docs && <a href={chosen.docs} target="_blank" rel="noreferrer">Its documentation</a>}</div>
        <Button small onClick={() => choose(null)}>Another provider</Button>
      </div>
      <TextField at="slug" label="Slug" required mono hint="What models and configs call it, such as @openai-main." />
      <CredentialFields row={chosen} />
      <SharingField />
      <MoreFields row={chosen} />
    </Form>
  );
}

function testSaved(saved: JsonObject): void {
  void attempt(async () => {
    const answer = await call<Tested>("POST", `/integrations/${String(saved.id)}/test`, {});
    if (!answer.ok) throw new Error(`${String(saved.slug)} was added, but its provider said: ${answer.message}`);
  }, `${String(saved.slug)} was added, and its provider accepts the credential`);
}

function ProviderChoice({ choose }: { choose: (row: ProviderRow) => void }) {
  const [sought, setSought] = useState("");
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = providers.value.providers.filter((row) => words.every((word) => `${row.name} ${row.title}`.toLowerCase().includes(word)));
  const kinds = [...new Set(rows.map((row) => row.kind))];
  if (!providers.value.providers.length) return <Skeleton rows={10} />;
  return (
    <div class="providers">
      <div class="search"><Icon name="search" />
        <input type="search" autofocus placeholder={`Search ${providers.value.providers.length} providers`} aria-label="Search providers" value={sought} onInput={(event) => setSought(event.currentTarget.value)} />
      </div>
      {kinds.map((kind) => (
        <div key={kind} role="group" aria-label={kind}>
          <h3>{kind}</h3>
          <ul>{rows.filter((row) => row.kind === kind).map((row) => (
            <li key={row.name}><button type="button" onClick={() => choose(row)}><b>{row.title}</b><code class="faint">{row.name}</code></button></li>
          ))}</ul>
        </div>
      ))}
      {rows.length === 0 && <p class="faint">No provider is called that. Any server that speaks OpenAI's API can be added as “openai-compatible”.</p>}
    </div>
  );
}

const CLOUDS: Record<string, { member: string; lead: string; fields: [string, string, ("secret" | "lines")?][] }> = {
  aws: { member: "aws", lead: "Without keys, the credentials of the place that the gateway runs at are used.", fields: [
    ["access_key_id", "Access key id"], ["secret_access_key", "Secret access key", "secret"], ["role_arn", "Role to assume (ARN)"], ["external_id", "External id"]] },
  google: { member: "google", lead: "Without a service account, the instance's own is used.", fields: [["service_account", "Service account (JSON of its key)", "lines"]] },
  entra: { member: "azure", lead: "An API key, or an identity of Entra.", fields: [
    ["tenant_id", "Tenant id"], ["client_id", "Client id"], ["client_secret", "Client secret", "secret"]] },
  oci: { member: "oracle", lead: "The API key of a user.", fields: [
    ["tenancy", "Tenancy (OCID)"], ["user", "User (OCID)"], ["fingerprint", "Fingerprint"], ["private_key", "Private key (PEM)", "lines"], ["compartment", "Compartment (OCID)"]] },
};

/** The fields that this provider needs: its key, its place, or how its cloud signs. */
function CredentialFields({ row, stored }: { row: ProviderRow | undefined; stored?: Integration }) {
  const cloud = CLOUDS[row?.auth ?? ""];
  const known = providers.value.settings;
  const isOwn = row && !row.base_url;
  return (
    <Section title="Credential">
      {row?.auth !== "none" && (
        <TextField at="api_key" label="API key" type="password" mono required={!stored && Boolean(row) && !cloud && !isOwn}
          placeholder={stored?.masked_key ?? (cloud ? "leave empty to sign as the cloud does" : "sk-…")}
          hint={stored ? "What is kept stays, unless you type another one." : "Kept encrypted, and never shown again. env:NAME and file:PATH are taken from where the gateway runs."} />
      )}
      {row?.requires?.map((place) => (
        <TextField key={place} at={place} label={upper(known[place]?.meaning ?? place)} mono required={!row.defaults?.[place] && !stored}
          placeholder={row.defaults?.[place] ?? known[place]?.example} />
      ))}
      {isOwn && <TextField at="base_url" label="Base URL" type="url" mono required placeholder="http://10.0.0.5:8000/v1" />}
      {row?.versioned && <TextField at="api_version" label="API version" mono placeholder="2024-10-21" hint="Only for deployments that are addressed by version." />}
      {cloud && (
        <details>
          <summary>Sign by the cloud</summary>
          <p class="hint">{cloud.lead}</p>
          {row?.auth === "entra" && <SelectField at="azure.identity" label="Identity" none="by API key"
            options={[["client_secret", "client secret"], ["managed", "managed identity"], ["workload", "workload identity"]]} />}
          {cloud.fields.map(([name, label, kind]) => (
            <TextField key={name} at={`${cloud.member}.${name}`} label={label} mono {...(kind === "lines" ? { lines: 4 } : kind ? { type: "password" as const } : {})} />
          ))}
        </details>
      )}
    </Section>
  );
}

const upper = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

function MoreFields({ row }: { row: ProviderRow | undefined }) {
  return (
    <details class="part">
      <summary>More: address, models, header fields, limits of time</summary>
      <TextField at="name" label="Name" />
      <TextField at="description" label="Description" />
      {row?.base_url && <TextField at="base_url" label="Base URL" type="url" mono placeholder={row.base_url} hint="Instead of the provider's own." />}
      <ListField at="models" label="Models it serves" placeholder="what the price table has of the provider" />
      <PairsField at="headers" label="Header fields" hint="Added to each request." />
      <div class="columns three">
        <NumberField at="timeouts.connect_ms" label="Connect within" unit="ms" placeholder="5000" />
        <NumberField at="timeouts.first_byte_ms" label="First byte within" unit="ms" placeholder="300000" />
        <NumberField at="max_connections" label="Connections" placeholder="256" min={1} />
      </div>
    </details>
  );
}

function SharingField() {
  const workspaces = useWorkspaceOptions();
  const { value, set } = useMember("share_with");
  const mode = value === "all" ? "all" : Array.isArray(value) ? "some" : "none";
  return (
    <Section title="Sharing">
      <fieldset class="radios">
        <legend class="sr-only">Which workspaces may use it</legend>
        {([["all", "All workspaces"], ["some", "Some workspaces"], ["none", "None yet"]] as const).map(([name, title]) => (
          <label key={name}><input type="radio" name="share_with" checked={mode === name} onChange={() => set(name === "all" ? "all" : name === "some" ? [] : undefined)} />{title}</label>
        ))}
      </fieldset>
      {mode === "some" && <ListField at="share_with" label="Workspaces" options={workspaces.map(([slug]) => slug)} />}
    </Section>
  );
}

type Tested = { ok: boolean; status: number | null; latency_ms: number; message: string };

function TestButton({ row }: { row: Integration }) {
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<Tested | null>(null);
  const test = async () => {
    setBusy(true);
    try {
      setAnswer(await call<Tested>("POST", `/integrations/${row.id}/test`, {}));
    } catch (error) {
      setAnswer({ ok: false, status: (error as ApiError).status, latency_ms: 0, message: (error as ApiError).message });
    }
    setBusy(false);
  };
  return (
    <>
      <Button small icon="bolt" busy={busy} onClick={test}>Test the credential</Button>
      <p class={`test-answer ${answer ? (answer.ok ? "good" : "bad") : ""}`} role="status">
        {answer && <><Icon name={answer.ok ? "check" : "warning"} /> {answer.ok ? "The provider accepts it" : answer.message}
          <span class="faint">{[answer.status, answer.latency_ms ? duration(answer.latency_ms) : ""].filter(Boolean).join(", ")}{answer.ok && answer.message ? ` · ${answer.message}` : ""}</span></>}
      </p>
    </>
  );
}

function Opened({ row, close, tab: first }: { row: Integration; close: () => void; tab: string | undefined }) {
  const [tab, choose] = useState<"settings" | "shares">(first === "shares" ? "shares" : "settings");
  const provider = providers.value.providers.find((one) => one.name === row.provider);
  const mayUpdate = may(...INTEGRATIONS.update) && row.source !== "file";
  return (
    <>
      <FromFile row={row} />
      <div class="panel-actions">
        {may(...INTEGRATIONS.update) && <TestButton key={row.id} row={row} />}
        <Button small icon="logs" href={to("/logs", { integration: row.slug })}>Logs</Button>
        {may(...INTEGRATIONS.remove) && row.source !== "file" && (
          <Button small kind="danger" icon="trash" onClick={() => remove({
            path: "/integrations", row, what: "integration", name: row.slug, word: row.slug, close,
            text: <p>Its credential is erased. Models and configs that name it fail from then on, unless another target of theirs serves.</p>,
          })}>Delete</Button>
        )}
      </div>
      <SpendBlock of={row} />
      <Facts rows={[["Provider", titleOf(row.provider)], ["Address", <code>{row.base_url ?? provider?.base_url ?? "–"}</code>], ["Of", row.workspace ?? "the organisation"],
        ["Models", <Chips names={row.models} most={6} none="what the price table has" />]]} />
      <Tabs label="Parts of the integration" chosen={tab} choose={choose} tabs={[["settings", "Settings"], ["shares", "Sharing"]]} />
      {tab === "settings"
        ? (
          <Form key={row.id} object={row} path={`/integrations/${row.id}`} what="integration" disabled={!mayUpdate}>
            <CredentialFields row={provider} stored={row} />
            <Section title="Limits"><LimitFields /></Section>
            <MoreFields row={provider} />
          </Form>
        )
        : <Shares row={row} mayUpdate={may(...INTEGRATIONS.update)} />}
    </>
  );
}

function Shares({ row, mayUpdate }: { row: Integration; mayUpdate: boolean }) {
  const path = `/integrations/${row.id}/workspaces`;
  const { data, error, reload } = useQuery<Rows<Share>>(`${path}?limit=500`);
  const workspaces = useWorkspaceOptions();
  const [edited, edit] = useState<Share | null>(null);
  if (!data) return error ? <Failure error={error} what="its shares" retry={reload} /> : <Skeleton />;
  if (row.workspace) return <p class="faint">It belongs to the workspace {row.workspace} alone.</p>;
  const shares = new Map(data.data.map((share) => [share.workspace, share]));
  const put = (slug: string, share: Partial<Share>) => change("PUT", `${path}/${slug}`, share);
  const rows = workspaces.map(([slug, name]) => ({ id: slug, slug, name, share: shares.get(slug) }));
  return (
    <>
      <Table rows={rows} label="Sharing with workspaces" columns={[
        { head: "Workspace", class: "main", fold: "head", cell: (one) => <><span>{one.name}</span><code class="faint sub">{one.slug}</code></> },
        { head: "Shared", cell: (one) => (
          <input type="checkbox" role="switch" class="switch" aria-label={`Share with ${one.slug}`} checked={isOn(one.share)} disabled={!mayUpdate}
            onChange={(event) => void attempt(() => put(one.slug, { ...limitsOf(one.share), enabled: event.currentTarget.checked }))} />
        ) },
        { head: "Models", cell: (one) => (isOn(one.share) ? <Chips names={one.share?.models} most={2} /> : <span class="faint">–</span>), narrow: "away" },
        { head: "Spend", class: "spend-cell", cell: (one) => (one.share ? <SpendCell of={one.share} /> : <span class="faint">–</span>) },
        { head: "Actions", quiet: true, class: "end", cell: (one) => mayUpdate && isOn(one.share) && <Button small kind="quiet" onClick={() => edit(one.share!)}>Limits</Button> },
      ]} />
      {edited && (
        <Dialog title={`${row.slug} in ${edited.workspace}`} close={() => edit(null)} wide>
          <ShareForm path={`${path}/${edited.workspace}`} share={edited} done={() => edit(null)} />
        </Dialog>
      )}
    </>
  );
}

function ShareForm({ path, share, done }: { path: string; share: Share; done: () => void }) {
  const blank = { ...limitsOf(share), enabled: isOn(share) } as JsonObject;
  return (
    <Form path={path} method="PUT" what="share" blank={blank} submit="Save" cancel={done} done={done}>
      <SwitchField at="enabled" label="Shared" />
      <ListField at="models" label="Models" placeholder="all that it serves" />
      <LimitFields />
    </Form>
  );
}
