// Routing configs, in Portkey's JSON: an editor that checks while one types, versions, and a way back.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError, call } from "../lib/api.ts";
import { isDirty } from "../lib/dirty.ts";
import { moment, relative } from "../lib/format.ts";
import { formPath, syntaxFault } from "../lib/json.ts";
import { useWorkspaceOptions } from "../lib/lists.ts";
import { CONFIGS, may } from "../lib/may.ts";
import { to } from "../lib/place.ts";
import { change, Creation, useQuery } from "../lib/query.ts";
import type { Config, ConfigVersion, JsonObject, Page as Rows, Problem } from "../lib/types.ts";
import { Ago, Badge, Button, Copy, Empty, Failure, Skeleton, Tabs, toast } from "../ui/basics.tsx";
import { Conflict } from "../ui/conflict.tsx";
import { confirm } from "../ui/dialog.tsx";
import { JsonEditor, type Marked } from "../ui/json.tsx";
import { FromFile, remove, type Resource, ResourcePage } from "../ui/resource.tsx";
import { Icon } from "../ui/icons.tsx";

const CHECK_MS = 400;
const START: JsonObject = { strategy: { mode: "fallback" }, targets: [{ provider: "@openai-main", override_params: { model: "gpt-4.1" } }, { provider: "@azure-eu" }], retry: { attempts: 2 } };

const RESOURCE: Resource<Config> = {
  path: "/configs", title: "Configs", one: "config", create: "Create config", rights: CONFIGS, nameOf: (row) => row.name || row.slug, wide: true,
  lead: "Routing in Portkey's JSON, named by keys or by the field x-portkey-config.",
  columns: [
    { head: "Name", class: "main", fold: "head", cell: (row) => <><span>{row.name || row.slug}</span><code class="faint sub">{row.slug}</code></> },
    { head: "Strategy", cell: (row) => <Badge>{modeOf(row.config)}</Badge> },
    { head: "Targets", numeric: true, cell: (row) => (Array.isArray(row.config?.targets) ? row.config.targets.length : 1), narrow: "away" },
    { head: "Workspace", cell: (row) => row.workspace ?? <span class="faint">all</span> },
    { head: "Changed", cell: (row) => <Ago at={row.updated_at} /> },
  ],
  empty: () => (
    <Empty icon="config" title="No configs yet" action={may(...CONFIGS.create) && <Button kind="primary" icon="plus" href={to("/configs/create")}>Create a config</Button>}>
      A config says where requests go and what happens when that fails. Applications that come from Portkey bring theirs.
    </Empty>
  ),
  panel: ({ row, close }) => <Editing key={row?.id} row={row} close={close} />,
};

export const Configs = ({ params }: { params: { id?: string } }) => <ResourcePage of={RESOURCE} id={params.id} />;

function modeOf(config: JsonObject | undefined): string {
  const strategy = config?.strategy;
  return typeof strategy === "object" && strategy !== null && "mode" in strategy ? String(strategy.mode) : "single";
}

const marksOf = (problems: readonly Problem[]): Marked[] => problems.map((problem) => ({
  path: formPath(problem.path).replace(/^config\.?/, ""),
  message: [problem.expected && `expected ${problem.expected}`, problem.found && `found ${problem.found}`].filter(Boolean).join(", ") + (problem.hint ? ` (${problem.hint})` : "") || problem.message || "",
}));

/** What the gateway says of a config, a moment after the typing stopped; null while it was not asked. */
function useCheck(text: string): Marked[] | null {
  const [problems, setProblems] = useState<Marked[] | null>(null);
  useEffect(() => {
    setProblems(null);
    if (!text.trim() || syntaxFault(text)) return;
    const asking = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await call<{ problems: Problem[] }>("POST", "/configs/check", { config: JSON.parse(text) }, { signal: asking.signal });
        setProblems(marksOf(answer.problems));
      } catch (error) {
        if (error instanceof ApiError && error.problems.length) setProblems(marksOf(error.problems));
      }
    }, CHECK_MS);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [text]);
  return problems;
}

const written = (config: JsonObject) => JSON.stringify(config, null, 2);

function Editing({ row, close }: { row: Config | undefined; close: () => void }) {
  const [text, setText] = useState(() => written(row?.config ?? START));
  const [name, setName] = useState(row?.name ?? "");
  const [slug, setSlug] = useState(row?.slug ?? "");
  const [workspace, setWorkspace] = useState(row?.workspace ?? "");
  const [tab, choose] = useState<"editor" | "versions">("editor");
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [conflict, setConflict] = useState<Config | null>(null);
  const from = useRef(row);
  const creation = useRef(new Creation());
  const workspaces = useWorkspaceOptions();
  const problems = useCheck(text);
  const fault = syntaxFault(text);
  const mayChange = row ? may(...CONFIGS.update) && row.source !== "file" : may(...CONFIGS.create);
  const isChanged = row ? text !== written(from.current!.config) || name !== (from.current!.name ?? "") : true;
  useLayoutEffect(() => {
    isDirty.value = Boolean(row) && isChanged && mayChange;
    return () => void (isDirty.value = false);
  }, [isChanged, mayChange]);
  useEffect(() => {
    // what was saved or restored elsewhere is taken over where nothing was typed
    if (!row || row.version === from.current?.version) return;
    if (text === written(from.current!.config)) setText(written(row.config)), (from.current = row);
  }, [row?.version]);

  const save = async (version: number | undefined) => {
    setBusy(true);
    setError(null);
    try {
      const config = JSON.parse(text) as JsonObject;
      const saved = row
        ? await change<Config>("PATCH", `/configs/${row.id}`, { name: name || null, config }, { ifMatch: version })
        : await create({ slug, ...(name ? { name } : {}), workspace: workspace || null, config });
      from.current = saved;
      isDirty.value = false;
      setConflict(null);
      toast(row ? `Saved ${saved.slug}` : `Created ${saved.slug}`);
      if (!row) close();
    } catch (failure) {
      const told = failure as ApiError;
      if (told.code === "conflict" && told.current) setConflict(told.current as unknown as Config);
      else setError(told);
    }
    setBusy(false);
  };
  const create = (body: object) => change<Config>("POST", "/configs", body, { idempotencyKey: creation.current.keyFor(body) });
  const stated = error ? error.problems.length ? marksOf(error.problems) : error.path.includes("config") ? marksOf([{ path: error.path, message: error.message }]) : [] : [];
  const slugError = error?.byField.get("slug");
  return (
    <>
      {row && <FromFile row={row} />}
      {row && (
        <div class="panel-actions">
          <span class="copyable"><code>{row.slug}</code><Copy text={row.slug} label="Copy the slug" /></span>
          {may(...CONFIGS.remove) && row.source !== "file" && (
            <Button small kind="danger" icon="trash" onClick={() => remove({
              path: "/configs", row, what: "config", name: row.slug, word: row.slug, close, text: <p>Requests and keys that name it are refused from then on.</p>,
            })}>Delete</Button>
          )}
        </div>
      )}
      {row && <Tabs label="Parts of the config" tabs={[["editor", "Editor"], ["versions", "Versions"]]} chosen={tab} choose={choose} />}
      {tab === "versions" && row ? <Versions row={row} shown={(config) => (setText(written(config)), choose("editor"))} /> : (
        <form class="form" onSubmit={(event) => (event.preventDefault(), void save(from.current?.version))}>
          <div class="columns">
            <label class="field"><span class="label">Name</span><input type="text" value={name} disabled={!mayChange} onInput={(event) => setName(event.currentTarget.value)} /></label>
            {!row && (
              <>
                <label class={`field ${slugError ? "wrong" : ""}`}><span class="label">Slug<span class="required" aria-hidden="true">*</span></span>
                  <input type="text" class="mono" required value={slug} placeholder="main-route" aria-invalid={slugError ? true : undefined} onInput={(event) => setSlug(event.currentTarget.value)} />
                  {slugError && <p class="error" role="alert">{slugError}</p>}
                </label>
                <label class="field"><span class="label">Workspace</span>
                  <span class="select"><select value={workspace} onChange={(event) => setWorkspace(event.currentTarget.value)}>
                    <option value="">all of them</option>{workspaces.map(([one, title]) => <option key={one} value={one}>{title}</option>)}
                  </select></span>
                </label>
              </>
            )}
          </div>
          <JsonEditor label="Config" text={text} change={setText} problems={[...(problems ?? []), ...stated]} disabled={!mayChange} rows={22} />
          <p class="check-state small" role="status">
            {fault ? <span class="bad">not JSON yet</span> : problems === null ? <span class="faint">checking…</span>
              : problems.length ? <span class="bad">{problems.length} {problems.length === 1 ? "problem" : "problems"}</span> : <span class="good"><Icon name="check" /> holds</span>}
          </p>
          {error && !stated.length && !slugError && <div class="error-box" role="alert"><p>{error.path && <code>{formPath(error.path)}</code>} {error.message}</p></div>}
          {mayChange && isChanged && (
            <footer class="form-foot">
              <Button onClick={() => (row ? (setText(written(from.current!.config)), setName(from.current!.name ?? "")) : close())}>{row ? "Undo" : "Cancel"}</Button>
              <Button type="submit" kind="primary" busy={busy} disabled={Boolean(fault) || Boolean(problems?.length)}>{row ? "Save as a version" : "Create config"}</Button>
            </footer>
          )}
        </form>
      )}
      {conflict && row && (
        <Conflict what="config" busy={busy} close={() => setConflict(null)} before={from.current as unknown as JsonObject} theirs={conflict as unknown as JsonObject}
          mine={{ ...(from.current as unknown as JsonObject), name: name || null, config: fault ? {} : JSON.parse(text) }}
          takeTheirs={() => ((from.current = conflict), setText(written(conflict.config)), setName(conflict.name ?? ""), setConflict(null))}
          takeMine={() => void save(conflict.version)} />
      )}
    </>
  );
}

function Versions({ row, shown }: { row: Config; shown: (config: JsonObject) => void }) {
  const { data, error, reload } = useQuery<Rows<ConfigVersion>>(`/configs/${row.id}/versions?limit=100`);
  const [open, setOpen] = useState<number | null>(null);
  if (!data) return error ? <Failure error={error} what="the versions" retry={reload} /> : <Skeleton />;
  const latest = Math.max(...data.data.map((version) => version.number));
  return (
    <ol class="versions">
      {data.data.map((version) => (
        <li key={version.number}>
          <header>
            <button type="button" aria-expanded={open === version.number} onClick={() => setOpen(open === version.number ? null : version.number)}>
              <b>Version {version.number}</b><span class="faint" title={moment(version.created_at)}>{relative(version.created_at)} by {version.created_by}</span>
            </button>
            {version.number === latest ? <Badge tone="good" dot>in force</Badge> : may(...CONFIGS.update) && (
              <>
                <Button small kind="quiet" onClick={() => shown(version.config)}>Edit from here</Button>
                <Button small onClick={() => confirm({
                  title: `Restore version ${version.number}?`, action: "Restore", text: <p>It becomes the version in force, as a version of its own; nothing is lost.</p>,
                  go: async () => {
                    await change("POST", `/configs/${row.id}/restore`, { number: version.number });
                    toast(`Version ${version.number} is in force again`);
                  },
                })}>Restore</Button>
              </>
            )}
          </header>
          {open === version.number && <JsonEditor label={`Version ${version.number}`} text={written(version.config)} change={() => undefined} disabled rows={Math.min(18, written(version.config).split("\n").length)} />}
        </li>
      ))}
    </ol>
  );
}
