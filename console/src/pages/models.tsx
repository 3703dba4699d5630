// Models: the aliases that callers name, the catalogue of what is known, and prices of one's own.

import { count, money } from "../lib/format.ts";
import { isObject } from "../lib/json.ts";
import { useIntegrations, useIntegrationOptions } from "../lib/lists.ts";
import { may, MODELS, PRICES } from "../lib/may.ts";
import { withQuery } from "../lib/pages.ts";
import { type Place, to, usePlace } from "../lib/place.ts";
import { usePages, useQuery } from "../lib/query.ts";
import type { CatalogModel, Json, Model, Page as Rows, Price, Target } from "../lib/types.ts";
import { Badge, Button, Chips, Copy, Empty, Facts, Section, Tabs } from "../ui/basics.tsx";
import { Form, NumberField, SelectField, TextField, useMember } from "../ui/form.tsx";
import { JsonField } from "../ui/json.tsx";
import { Page, Panel, Search } from "../ui/page.tsx";
import { FromFile, remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { Listing, type Column } from "../ui/table.tsx";

const TABS = [["aliases", "Aliases"], ["catalogue", "Catalogue"], ["prices", "Prices"]] as const;
export const STRATEGIES = [
  ["fallback", "fallback: the next one where one fails"], ["single", "single: one target"], ["weighted", "weighted: by shares"],
  ["latency", "latency: the quickest to begin"], ["least_busy", "least busy: the fewest in flight"], ["cost", "cost: the cheapest"],
  ["throughput", "throughput: the most tokens a second"], ["conditional", "conditional: by what the request says"],
] as const;

export function Models({ params }: { params: { id?: string } }) {
  const place = usePlace();
  const tab = place.query.tab ?? "aliases";
  if (tab === "catalogue") return <Catalogue place={place} />;
  return tab === "prices" ? <ResourcePage key={tab} of={PRICE_LIST} id={params.id} /> : <ResourcePage key={tab} of={ALIASES} id={params.id} />;
}

function ModelTabs({ place }: { place: Place }) {
  return <Tabs label="Models" tabs={TABS} chosen={(place.query.tab ?? "aliases") as "aliases"} choose={(tab) => place.go(to("/models", { tab: tab === "aliases" ? "" : tab }))} />;
}

function leaves(targets: readonly Target[] | undefined): string[] {
  return (targets ?? []).flatMap((target) => (target.targets ? leaves(target.targets) : [`${target.integration}/${target.model}`]));
}

const ALIASES: Resource<Model> = {
  path: "/models", title: "Models", one: "model alias", many: "aliases", create: "Create alias", rights: MODELS, nameOf: (row) => row.name, wide: true,
  above: (place) => <ModelTabs place={place} />,
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => <code>{row.name}</code> },
    { head: "Strategy", narrow: "tight", cell: (row) => <Badge>{row.strategy ?? "fallback"}</Badge> },
    { head: "Targets", cell: (row) => <Chips names={leaves(row.targets)} most={2} none="none" /> },
    { head: "Price in / out", numeric: true, cell: (row) => (row.price ? `${money(row.price.input)} / ${money(row.price.output)}` : <span class="faint">of its targets</span>), narrow: "away" },
    { head: "Source", quiet: true, fold: "away", cell: (row) => row.source === "file" && <Badge>file</Badge> },
  ],
  empty: () => (
    <Empty icon="model" title="No aliases yet" action={may(...MODELS.create) && <Button kind="primary" icon="plus" href={to("/models/create")}>Create an alias</Button>}>
      An alias is a name that callers use, with targets behind it. Without one, a model's own name goes to the integrations that serve it.
    </Empty>
  ),
  panel: ({ row, close, place }) => (
    <>
      {row && <FromFile row={row} />}
      {row && (
        <div class="panel-actions">
          <Button small icon="logs" href={to("/logs", { model: row.name })}>Logs</Button>
          <Button small icon="overview" href={to("", { model: row.name })}>Analytics</Button>
          <Button small icon="play" href={to("/playground", { model: row.name })}>Try it</Button>
          {may(...MODELS.remove) && row.source !== "file" && (
            <Button small kind="danger" icon="trash" onClick={() => remove({
              path: "/models", row, what: "alias", name: row.name, word: row.name, close, text: <p>Requests that name it are refused, unless an integration serves a model of that name.</p>,
            })}>Delete</Button>
          )}
        </div>
      )}
      <Form key={row?.id} object={row} path={row ? `/models/${row.id}` : "/models"} what="alias" cancel={close} {...(row ? {} : { done: close })}
        disabled={row ? row.source === "file" || !may(...MODELS.update) : false}
        blank={{ strategy: "fallback", targets: [{ integration: place.query.integration ?? "", model: place.query.model ?? "" }], ...(place.query.model ? { name: place.query.model } : {}) }}>
        <TextField at="name" label="Name" required mono placeholder="fast" hint={row ? undefined : "What callers send as the model."} />
        <SelectField at="strategy" label="Strategy" options={STRATEGIES} />
        <Targets />
        <Conditions />
        <Section title="When a target fails">
          <div class="columns three">
            <NumberField at="retry.attempts" label="Ask it again" unit="times" placeholder="1" />
            <NumberField at="deadline_ms" label="For all attempts" unit="ms" placeholder="600000" />
            <NumberField at="timeouts.first_byte_ms" label="First byte within" unit="ms" placeholder="as the integration" />
          </div>
        </Section>
        <Section title="Price and limits">
          <div class="columns">
            <NumberField at="price.input" label="Input" unit="$ / M tokens" step="any" placeholder="of its targets" />
            <NumberField at="price.output" label="Output" unit="$ / M tokens" step="any" placeholder="of its targets" />
            <NumberField at="context_tokens" label="Context" unit="tokens" placeholder="of its targets" />
            <NumberField at="max_output_tokens" label="Longest output" unit="tokens" placeholder="of its targets" />
          </div>
        </Section>
        <details class="part">
          <summary>More: cache, breaker, parameters</summary>
          <div class="columns">
            <SelectField at="cache.mode" label="Cache of replies" none="off" options={[["exact", "exact: requests that ask the same"], ["off", "off"]]} />
            <NumberField at="cache.max_age_s" label="Kept for" unit="s" placeholder="3600" />
          </div>
          <JsonField at="breaker" label="Breaker" hint="failures, failure_percent, cooldown_ms, …" />
          <JsonField at="default_params" label="Parameters where the caller states none" />
          <JsonField at="override_params" label="Parameters, whatever the caller states" />
        </details>
      </Form>
    </>
  ),
};

/** The targets in their order, each with its integration, model and share; a branch is edited as JSON. */
function Targets() {
  const { value, set, error, id } = useMember("targets");
  const strategy = useMember("strategy").value ?? "fallback";
  const targets = (Array.isArray(value) ? value : []) as unknown as Target[];
  const put = (next: Target[]) => set(next as unknown as Json);
  const move = (from: number, by: number) => {
    const next = [...targets];
    next.splice(from + by, 0, ...next.splice(from, 1));
    put(next);
  };
  return (
    <Section title="Targets" action={<span class="faint small">{strategy === "fallback" ? "tried from the top" : strategy === "weighted" ? "by their weights" : ""}</span>}>
      {error && <p class="error" role="alert">{error}</p>}
      <ol class="targets" id={id}>
        {targets.map((target, index) => (
          <li key={index}>
            <span class="number">{index + 1}</span>
            {target.targets
              ? <JsonField at={`targets.${index}`} label={`Branch ${index + 1}`} rows={8} />
              : <Leaf index={index} isWeighted={strategy === "weighted"} isNamed={strategy === "conditional"} />}
            <span class="target-actions">
              <Button icon="up" kind="quiet" small label={`Move target ${index + 1} up`} disabled={index === 0} onClick={() => move(index, -1)} />
              <Button icon="down" kind="quiet" small label={`Move target ${index + 1} down`} disabled={index === targets.length - 1} onClick={() => move(index, 1)} />
              <Button icon="close" kind="quiet" small label={`Take away target ${index + 1}`} disabled={targets.length === 1} onClick={() => put(targets.filter((_, at) => at !== index))} />
            </span>
          </li>
        ))}
      </ol>
      <div class="actions">
        <Button small icon="plus" kind="quiet" onClick={() => put([...targets, { integration: "", model: "" }])}>Add a target</Button>
        <Button small icon="plus" kind="quiet" onClick={() => put([...targets, { strategy: "weighted", targets: [{ integration: "", model: "", weight: 1 }] }])}>Add a branch</Button>
      </div>
    </Section>
  );
}

function Leaf({ index, isWeighted, isNamed }: { index: number; isWeighted: boolean; isNamed: boolean }) {
  const integration = useMember(`targets.${index}.integration`).value;
  const row = useIntegrations().find((one) => one.slug === integration);
  const known = useQuery<Rows<CatalogModel>>(row && may("models.list") ? withQuery("/catalog", { provider: row.provider, limit: 200 }) : null).data?.data ?? [];
  const models = row?.models?.length ? row.models : known.map((one) => one.model);
  return (
    <div class="leaf">
      <SelectField at={`targets.${index}.integration`} label="Integration" required options={useIntegrationOptions()} />
      <TextField at={`targets.${index}.model`} label="Model" required mono options={models} placeholder="gpt-4.1-mini" />
      {isWeighted && <NumberField at={`targets.${index}.weight`} label="Weight" placeholder="1" />}
      {isNamed && <TextField at={`targets.${index}.name`} label="Name" mono placeholder="best" />}
    </div>
  );
}

function Conditions() {
  const strategy = useMember("strategy").value;
  const targets = useMember("targets").value;
  if (strategy !== "conditional") return null;
  const names = (Array.isArray(targets) ? targets : []).filter(isObject).map((target) => String(target.name || `${target.integration}/${target.model}`));
  return (
    <>
      <JsonField at="conditions" label="Conditions" rows={8} hint={'The first that holds decides: [{"query": {"metadata.tier": "gold"}, "then": "best"}]'} />
      <SelectField at="default" label="Where none holds" none="refuse the request" options={names.map((name) => [name, name] as const)} />
    </>
  );
}

const priceOf = (row: CatalogModel, part: "input" | "output" | "cache_read") => row.price?.[part] ?? row[part];
const CATALOGUE: Column<CatalogModel & { id: string }>[] = [
  { head: "Model", class: "main", fold: "head", cell: (row) => <><code>{row.model}</code><span class="faint sub">{row.provider}</span></> },
  { head: "Input", numeric: true, cell: (row) => money(priceOf(row, "input")) },
  { head: "Output", numeric: true, cell: (row) => money(priceOf(row, "output")) },
  { head: "Cached input", numeric: true, cell: (row) => money(priceOf(row, "cache_read")), narrow: "away" },
  { head: "Context", numeric: true, cell: (row) => count(row.context_tokens) },
  { head: "Longest output", numeric: true, cell: (row) => count(row.max_output_tokens), narrow: "away" },
  { head: "Takes and gives", cell: (row) => <Chips names={row.modalities} most={3} none="–" />, narrow: "away" },
];

function Catalogue({ place }: { place: Place }) {
  const { query } = place;
  const list = usePages<CatalogModel>(withQuery("/catalog", { search: query.search, provider: query.provider }));
  const rows = list.data && { ...list.data, rows: list.data.rows.map((row) => ({ ...row, id: `${row.provider}/${row.model}` })) };
  const open = rows?.rows.find((row) => row.id === query.open);
  const href = (row: { id: string }) => to("/models", { ...query, open: row.id });
  return (
    <Page title="Models" panel={open && (
      <Panel id={open.id} title={open.model} mark={<Badge>{open.provider}</Badge>} close={() => place.filter({ open: "" })}>
        <div class="panel-actions">
          {may(...MODELS.create) && <Button small icon="plus" href={to("/models/create", { model: open.model })}>Make an alias</Button>}
          {may(...PRICES.create) && <Button small icon="plus" href={to("/models/create", { tab: "prices", provider: open.provider, model: open.model })}>Override its price</Button>}
        </div>
        <Facts rows={[
          ["Model", <span class="copyable"><code>{open.model}</code><Copy text={open.model} label="Copy the name" /></span>], ["Provider", open.provider],
          ["Input", `${money(priceOf(open, "input"))} per million tokens`], ["Output", `${money(priceOf(open, "output"))} per million tokens`],
          ["Cached input", money(priceOf(open, "cache_read"))], ["Context", count(open.context_tokens)], ["Longest output", count(open.max_output_tokens)],
          ["Takes and gives", <Chips names={open.modalities} most={8} none="unknown" />], open.source && ["Source", open.source],
        ]} />
      </Panel>
    )}>
      <ModelTabs place={place} />
      <div class="filters">
        <Search value={query.search ?? ""} change={(search) => place.filter({ search, open: "" })} label="Search the catalogue" />
        <input class="filter-text" type="text" aria-label="Provider" placeholder="Provider" value={query.provider ?? ""} onChange={(event) => place.filter({ provider: event.currentTarget.value.trim() })} />
        <span class="faint small">dollars per million tokens</span>
      </div>
      <Listing query={{ ...list, data: rows }} what="models" dense columns={CATALOGUE} href={href} selected={query.open}
        empty={<Empty icon="search" title="No model is called that" action={<Button onClick={() => place.go(to("/models", { tab: "catalogue" }))}>Show all</Button>}>Models that are not in the catalogue work too: state their price under “Prices”.</Empty>} />
    </Page>
  );
}

const PARTS: [string, string][] = [["cache_read", "Input from a cache"], ["cache_write", "Written to a cache"], ["cache_write_1h", "Written for an hour"], ["audio_input", "Audio input"], ["audio_output", "Audio output"]];

const PRICE_LIST: Resource<Price> = {
  path: "/prices", title: "Models", one: "price", many: "prices", create: "State a price", rights: PRICES, nameOf: (row) => row.model, home: "/models", keep: ["tab"],
  above: (place) => <ModelTabs place={place} />,
  columns: [
    { head: "Model", class: "main", fold: "head", cell: (row) => <><code>{row.model}</code><span class="faint sub">{row.provider}</span></> },
    { head: "Input", numeric: true, cell: (row) => money(row.input) }, { head: "Output", numeric: true, cell: (row) => money(row.output) },
    { head: "Cached input", numeric: true, cell: (row) => money(row.cache_read), narrow: "away" },
    { head: "A request", numeric: true, cell: (row) => money(row.request), narrow: "away" },
  ],
  empty: () => (
    <Empty icon="model" title="No prices of your own" action={may(...PRICES.create) && <Button kind="primary" icon="plus" href={to("/models/create", { tab: "prices" })}>State a price</Button>}>
      The catalogue knows most prices. State one where yours differs, or where a model is your own.
    </Empty>
  ),
  panel: ({ row, close, place }) => (
    <>
      {row && may(...PRICES.remove) && (
        <div class="panel-actions">
          <Button small kind="danger" icon="trash" onClick={() => remove({ path: "/prices", at: `${row.provider}/${row.model}`, row, what: "price", name: row.model, close, text: <p>The catalogue's price holds again, where it has one.</p> })}>Delete</Button>
        </div>
      )}
      <Form key={row?.id} object={row} path={row ? `/prices/${row.provider}/${row.model}` : "/prices"} what="price" cancel={close} {...(row ? {} : { done: close })}
        disabled={row ? !may(...PRICES.update) : false} blank={{ provider: place.query.provider ?? "", model: place.query.model ?? "" }}>
        {!row && <><TextField at="provider" label="Provider" required mono placeholder="openai" /><TextField at="model" label="Model" required mono placeholder="gpt-4.1-mini" /></>}
        <div class="columns">
          <NumberField at="input" label="Input" required unit="$ / M tokens" step="any" /><NumberField at="output" label="Output" required unit="$ / M tokens" step="any" />
          {PARTS.map(([at, label]) => <NumberField key={at} at={at} label={label} unit="$ / M tokens" step="any" placeholder="as plain" />)}
          <NumberField at="request" label="Each request" unit="$" step="any" placeholder="0" />
        </div>
      </Form>
    </>
  ),
};
