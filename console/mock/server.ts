// The admin API from memory, for development and pictures. The cookie "mock" chooses what there is: empty, member, broken, away, slow.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin } from "vite";
import { applyPatch } from "../src/lib/json.ts";
import type * as T from "../src/lib/types.ts";
import * as world from "./world.ts";

type Row = T.Stored & Record<string, unknown>;
type Ask = { method: string; path: string[]; query: URLSearchParams; body: Record<string, unknown>; match: string | undefined; mode: string };
class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly more: object = {}, readonly problems?: T.Problem[]) {
    super(message);
  }
}

const TABLES: Record<string, Row[]> = Object.fromEntries(Object.entries({
  workspaces: world.workspaces, users: world.users, integrations: world.integrations, keys: world.keys, models: world.models, prices: world.prices,
  configs: world.configs, tokens: world.tokens, channels: world.channels,
}).map(([name, rows]) => [name, rows as unknown as Row[]]));
const NEEDED: Record<string, string[]> = {
  workspaces: ["slug"], users: ["email"], integrations: ["slug", "provider"], keys: ["name", "workspace"], models: ["name", "targets"], prices: ["provider", "model", "input", "output"],
  configs: ["slug", "config"], tokens: ["name", "scopes"], channels: ["name", "kind"],
};
const organisation: Row = {
  ...world.stored(), slug: "northwind", name: "Northwind", settings: {}, budgets: [{ usd: 60_000, window: "month", alert_at: [0.8, 1] }],
  spend: world.spendOf([{ usd: 60_000, window: "month" }], 33_470, 0.558),
};
let isSignedIn = true;

function listed<V>(rows: V[], query: URLSearchParams, mode: string): T.Page<V> {
  if (mode === "empty") return { data: [], next: null, total: 0 };
  const sought = query.get("search")?.toLowerCase();
  const found = sought ? rows.filter((row) => JSON.stringify(row).toLowerCase().includes(sought)) : rows;
  const limit = Number(query.get("limit") ?? 50);
  const from = Number(query.get("cursor") ?? 0);
  return { data: found.slice(from, from + limit), next: from + limit < found.length ? String(from + limit) : null, total: found.length };
}

function checked(name: string, body: Record<string, unknown>): void {
  const problems: T.Problem[] = (NEEDED[name] ?? []).filter((member) => !body[member]).map((member) => ({ path: `$.${member}`, expected: "a value", found: "nothing" }));
  (body.budgets as T.Budget[] | undefined)?.forEach((budget, index) => {
    if (!(Number(budget.usd ?? budget.tokens ?? budget.requests) > 0)) problems.push({ path: `$.budgets[${index}].usd`, expected: "dollars above 0", found: String(budget.usd) });
  });
  if (body.slug && !/^[a-z0-9-]+$/.test(String(body.slug))) problems.push({ path: "$.slug", expected: "a-z, 0-9 and -", found: String(body.slug) });
  if (problems.length) throw new Refusal(422, "invalid_field", `expected ${problems[0]!.expected}, found ${problems[0]!.found}`, { path: problems[0]!.path }, problems);
}

function configProblems(config: unknown): T.Problem[] {
  const problems: T.Problem[] = [];
  const mode = (config as { strategy?: { mode?: string } })?.strategy?.mode;
  if (mode && !["single", "fallback", "loadbalance", "conditional"].includes(mode)) problems.push({ path: "$.strategy.mode", expected: "single, fallback, loadbalance or conditional", found: `"${mode}"`, hint: "did you mean fallback?" });
  const targets = (config as { targets?: { provider?: string }[] })?.targets;
  if (Array.isArray(targets)) targets.forEach((target, index) => {
    if (target.provider?.startsWith("@") && !world.integrations.some((one) => `@${one.slug}` === target.provider)) problems.push({ path: `$.targets[${index}].provider`, expected: "the name of an integration", found: `"${target.provider}"` });
  });
  return problems;
}

function crud(ask: Ask): unknown {
  const [name = "", id, part, sub] = ask.path;
  const rows = TABLES[name]!;
  if (!id) {
    if (ask.method === "GET") {
      const fits = (row: Row) => ["workspace", "status", "user"].every((member) => !ask.query.get(member) || row[member] === ask.query.get(member));
      return listed(rows.filter(fits), ask.query, ask.mode);
    }
    checked(name, ask.body);
    if (name === "keys" && rows.some((row) => row.name === ask.body.name)) throw new Refusal(409, "exists", `expected a name that is free, found "${ask.body.name}"`, { path: "$.name" });
    const row: Row = { ...world.stored(0), version: 1, status: "active", enabled: true, spend: world.spendOf(ask.body.budgets as T.Budget[], 0, 0), last_used_at: null, keys: 0, members: 0, masked: "fgw-…k3Zt", ...ask.body };
    delete row.api_key;
    rows.unshift(row);
    return name === "keys" ? { ...row, key: "fgw-4Tq8vYw2nLx0cRb6mJs9eHd1kGu5pAz3fXk3Zt" } : name === "tokens" ? { ...row, token: "fgt-1Zx9cVb7nMq5wEr3tYu2iOp8aSd6fGh4jKl0" } : row;
  }
  const row = rows.find((one) => one.id === id || one.slug === id || (name === "prices" && one.provider === id));
  if (!row) throw new Refusal(404, "not_found", `expected a ${name.slice(0, -1)}, found no "${id}"`);
  if (part === "members") return parts(world.members.get(row.id)! as unknown as Row[], "user_id", sub, ask);
  if (part === "workspaces" && name === "integrations") return parts(world.shares.get(row.id)! as unknown as Row[], "workspace", sub, ask);
  if (part === "versions") return listed(world.versions.get(row.id) ?? [], ask.query, "");
  if (part === "test") return row.slug === "azure-eu" ? { ok: false, status: 401, latency_ms: 212.4, message: "the provider refused the credential" } : { ok: true, status: 200, latency_ms: 143.2, message: "it lists 74 models" };
  if (part === "rotate") return { ...row, key: "fgw-9Rq8vYw2nLx0cRb6mJs9eHd1kGu5pAz3fXnew1", previous_valid_until: world.iso(Date.now() + Number(ask.body.overlap_hours ?? 24) * world.HOUR) };
  if (part === "reset") return Object.assign(row, { spend: world.spendOf(row.budgets as T.Budget[], 0, 0), status: "active" });
  if (part === "restore" || part === "password") return row;
  if (ask.method === "GET") return row;
  if (row.source === "file") throw new Refusal(409, "managed_by_file", "this one stands in the configuration file");
  if (ask.match && ask.match !== `"${row.version}"`) throw new Refusal(409, "conflict", "it was changed meanwhile", { current: row, yours: ask.body });
  if (ask.method === "DELETE") return void rows.splice(rows.indexOf(row), 1);
  const changed = applyPatch(row as T.JsonObject, ask.body as T.JsonObject);
  checked(name, changed);
  for (const member of Object.keys(row)) if (!(member in changed)) delete row[member];
  return Object.assign(row, changed, { version: row.version + 1, ...("enabled" in ask.body ? { status: ask.body.enabled ? "active" : "disabled" } : {}) });
}

function parts(rows: Row[], by: string, id: string | undefined, ask: Ask): unknown {
  if (!id) {
    if (ask.method === "GET") return listed(rows, ask.query, "");
    const user = world.users.find((one) => one.id === ask.body.user_id)!;
    rows.push({ ...world.stored(0), ...ask.body, email: user.email, name: user.name } as Row);
    return rows.at(-1);
  }
  const row = rows.find((one) => one[by] === id || one.workspace_id === id);
  if (ask.method === "DELETE") return void rows.splice(rows.indexOf(row!), 1);
  return Object.assign(row!, ask.body, { version: row!.version + 1 });
}

function logsFitting(query: URLSearchParams): T.LogWhole[] {
  const exact = ["workspace", "key", "model", "provider", "integration", "outcome", "cache", "status", "trace"] as const;
  const sought = query.get("q")?.toLowerCase();
  return world.logs.filter((log) => {
    const row = { ...log, trace: log.trace_id } as Record<string, unknown>;
    return exact.every((name) => !query.get(name) || String(row[name]) === query.get(name)) && (!sought || JSON.stringify(log).toLowerCase().includes(sought))
      && (!query.get("since") || log.at >= query.get("since")!) && (!query.get("min_ms") || (log.total_ms ?? 0) >= Number(query.get("min_ms")));
  });
}

const plain = (log: T.LogWhole): T.LogLine => {
  const { request: _request, reply: _reply, detail: _detail, timings: _timings, tokens: _tokens, ...line } = log;
  return line;
};

function overview(query: URLSearchParams, mode: string): T.Overview {
  const [since, until] = [Date.parse(query.get("since")!) / 1000, Date.parse(query.get("until")!) / 1000];
  const span = until - since;
  const step_s = span <= 7200 ? 60 : span <= 172_800 ? 900 : span <= 700_000 ? 3600 : 21_600;
  const times: number[] = [];
  for (let at = Math.ceil(since / step_s) * step_s; at < until; at += step_s) times.push(at);
  const part = (mode === "empty" ? 0 : 1) * (query.get("workspace") ? 0.22 : 1) * (query.get("key") ? 0.07 : 1) * (query.get("model") ? 0.3 : 1);
  const noise = (at: number, salt: number) => world.dice(at / step_s + salt * 7919)();
  const requests = times.map((at) => Math.round(world.traffic(at * 1000) * step_s * 1.6 * part * (0.9 + 0.2 * noise(at, 1))));
  const incident = (at: number) => Math.max(0, 1 - Math.abs(at - (world.NOW / 1000 - 5.2 * 3600)) / 2400);
  const errors = times.map((at, index) => Math.round(requests[index]! * (0.006 + 0.01 * noise(at, 2) ** 3 + 0.09 * incident(at))));
  const input = requests.map((value, index) => Math.round(value * 1900 * (0.9 + 0.2 * noise(times[index]!, 3))));
  const output = requests.map((value, index) => Math.round(value * 310 * (0.9 + 0.2 * noise(times[index]!, 4))));
  const cost = requests.map((value, index) => value * 0.0051 * (0.85 + 0.3 * noise(times[index]!, 5)));
  const p50 = times.map((at, index) => (requests[index] ? 610 + 90 * noise(at, 6) + 260 * incident(at) : null));
  const p99 = times.map((at, index) => (requests[index] ? 3900 + 900 * noise(at, 7) + 5200 * incident(at) : null));
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const all = sum(requests);
  return {
    since: query.get("since")!, until: query.get("until")!, step_s, times, requests, errors, cost_usd: cost, input_tokens: input, output_tokens: output, p50_ms: p50, p99_ms: p99,
    totals: {
      requests: all, errors: sum(errors), error_rate: all ? sum(errors) / all : 0, cost_usd: sum(cost), saved_usd: sum(cost) * 0.061, input_tokens: sum(input), output_tokens: sum(output), p50_ms: all ? 655 : null, p90_ms: all ? 1800 : null,
      p99_ms: all ? 4350 : null, gateway_p50_ms: all ? 0.071 : null, gateway_p99_ms: all ? 0.42 : null, cache_hit_rate: all ? 0.118 : null,
    },
  };
}

function groups(by: string, query: URLSearchParams, mode: string): { data: T.Group[] } {
  if (mode === "empty") return { data: [] };
  const found = new Map<string, T.Group>();
  const scale = ((Date.parse(query.get("until")!) - Date.parse(query.get("since")!)) / (2 * world.DAY)) * 90;
  for (const log of world.logs) {
    const value = String((log as unknown as Record<string, unknown>)[by] ?? "");
    if (["workspace", "key", "model"].some((name) => query.get(name) && String((log as unknown as Record<string, unknown>)[name]) !== query.get(name))) continue;
    const group = found.get(value) ?? { value, requests: 0, errors: 0, cost_usd: 0, input_tokens: 0, output_tokens: 0, p50_ms: 640, p99_ms: 4100 };
    group.requests += scale;
    group.cost_usd += (log.cost_usd ?? 0) * scale;
    found.set(value, group);
  }
  const sort = query.get("sort") === "cost" ? "cost_usd" : "requests";
  const data = [...found.values()].map((group) => ({ ...group, requests: Math.round(group.requests) })).sort((a, b) => b[sort] - a[sort]);
  return { data: data.slice(0, Number(query.get("limit") ?? 10)) };
}

let lastLive = Date.now();
function live(query: URLSearchParams): { data: T.LogLine[]; last: string } {
  if (Date.now() - lastLive > 900) {
    for (let index = 0; index < 2 + Math.floor(Math.random() * 4); index++) {
      const log = world.logAt(Date.now() - index * 120);
      log.seq = String(Date.now() * 1e3 + index);
      world.logs.unshift(log);
    }
    lastLive = Date.now();
  }
  const after = Number(query.get("after") ?? Date.now() * 1e3);
  const data = logsFitting(query).filter((log) => Number(log.seq) > after).slice(0, 200).map(plain);
  return { data, last: String(Math.max(after, ...data.map((log) => Number(log.seq)))) };
}

function answer(ask: Ask): unknown {
  const [name = "", id, part] = ask.path;
  const isMember = ask.mode === "member";
  if (name === "health") return { ok: true };
  if (name === "login" && id === "options") return { password: true, oidc: { name: "Northwind SSO", url: "/oauth/login" } };
  if (name === "login") {
    if (String(ask.body.password ?? "").length < 4) throw new Refusal(401, "not_signed_in", "email or password is wrong");
    isSignedIn = true;
    return { user: world.users[0], csrf: "c" };
  }
  if (name === "logout") return void (isSignedIn = false);
  if (!isSignedIn || ask.mode === "out") throw new Refusal(401, "not_signed_in", "expected a cookie, found none");
  if (name === "me") {
    const mine = isMember ? world.workspaces.slice(1, 2) : world.workspaces;
    return {
      user: world.users[isMember ? 6 : 0], organisation, csrf: "c", role: isMember ? "member" : "owner", scopes: isMember ? world.MEMBER_SCOPES : world.SCOPES, is_organisation_wide: !isMember,
      workspaces: mine.map(({ id: workspace, slug, name: title }) => ({ id: workspace, slug, name: title, role: isMember ? "member" : "admin", scopes: isMember ? world.MEMBER_SCOPES : world.SCOPES })), version: "0.1.0", demo: false,
    };
  }
  if (ask.mode === "broken") throw new Refusal(500, "internal", "the store is locked by another process", { request_id: "0193a7c2-11f0-7d3e-8a55-2b1c9d4e6f70" });
  if (name === "organisation") return ask.method === "PATCH" ? Object.assign(organisation, ask.body, { version: organisation.version + 1 }) : organisation;
  if (name === "analytics") return id === "overview" ? overview(ask.query, ask.mode) : groups(part ?? "model", ask.query, ask.mode);
  if (name === "logs") {
    if (id === "live") return live(ask.query);
    if (!id) return listed(logsFitting(ask.query).map(plain), ask.query, ask.mode);
    const log = world.logs.find((one) => one.id === id);
    if (!log) throw new Refusal(404, "not_found", `expected a request, found no "${id}"`);
    return log;
  }
  if (name === "catalog") return listed(world.catalogue.filter((row) => !ask.query.get("provider") || row.provider === ask.query.get("provider")), ask.query, "");
  if (name === "configs" && id === "check") return { problems: configProblems(ask.body.config) };
  if (name === "keys" && id === "playground") return { key: "fgw-playground-4Tq8vYw2nLx0cRb6", expires_at: world.iso(Date.now() + 900_000) };
  if (name === "alerts") return listed(world.alerts, ask.query, ask.mode);
  if (name === "audit") return listed(world.audit.filter((line) => (!ask.query.get("resource") || line.resource.type === ask.query.get("resource")) && (!ask.query.get("actor") || line.actor.name.toLowerCase().includes(ask.query.get("actor")!.toLowerCase()))), ask.query, ask.mode);
  if (name === "status") {
    return {
      version: "0.1.0", uptime_s: 412_533, workers: [0, 1].map((index) => ({ index, pid: 4121 + index, in_flight: 37 - index * 9, connections: 412 - index * 31, snapshot_version: 184, snapshot_refused: null })),
      publish: { revision: 184, published_at: world.iso(Date.now() - 340_000), error: null }, records: { log_bytes: 812_000_000, lost: 0, error: null }, store: { kind: "sqlite", ok: true, error: null }, alerts: { pending: 0 },
    };
  }
  if (TABLES[name]) return crud(ask);
  throw new Refusal(404, "not_found", `expected a resource, found /${ask.path.join("/")}`);
}

const WORDS = "Single sign-on is part of the Business plan. For forty people that comes to $480 a month when it is billed yearly, or $560 from month to month. You can switch at any time; what is left of the current period is credited.".split(" ");

async function chat(body: Record<string, unknown>, response: ServerResponse): Promise<void> {
  response.setHeader("x-fastgw-request-id", world.logs.find((log) => log.outcome === "served" && log.cost_usd)!.id);
  response.setHeader("x-fastgw-provider", "openai");
  const usage = { prompt_tokens: 41, completion_tokens: WORDS.length + 9, total_tokens: 50 + WORDS.length };
  if (!body.stream) {
    response.setHeader("x-fastgw-cost-usd", "0.000094");
    response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content: WORDS.join(" ") } }], usage }));
    return;
  }
  response.setHeader("content-type", "text/event-stream");
  await new Promise((resolve) => setTimeout(resolve, 280));
  for (const word of WORDS) {
    response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: `${word} ` } }] })}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 22));
  }
  response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const part of request) text += part;
  return text ? (JSON.parse(text) as Record<string, unknown>) : {};
}

async function respond(request: IncomingMessage, response: ServerResponse, next: () => void): Promise<void> {
  const url = new URL(request.url ?? "/", "http://mock");
  const mode = /(?:^|; )mock=(\w+)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
  response.setHeader("content-type", "application/json");
  if (url.pathname === "/v1/models") return void response.end(JSON.stringify({ data: world.models.map((model) => ({ id: model.name })) }));
  if (url.pathname === "/v1/chat/completions") return chat(await bodyOf(request), response);
  if (!url.pathname.startsWith("/api/v1/")) {
    response.removeHeader("content-type");
    return next();
  }
  if (mode === "away") return void ((response.statusCode = 503), response.end(JSON.stringify({ error: { code: "unavailable", message: "the control process does not answer" } })));
  try {
    const ask = { method: request.method ?? "GET", path: url.pathname.slice(8).split("/").map(decodeURIComponent), query: url.searchParams, body: await bodyOf(request), match: request.headers["if-match"], mode };
    if (mode === "slow") await new Promise((resolve) => setTimeout(resolve, 1500));
    const told = answer(ask);
    response.statusCode = told === undefined ? 204 : request.method === "POST" && ask.path.length === 1 && TABLES[ask.path[0]!] ? 201 : 200;
    response.end(told === undefined ? undefined : JSON.stringify(told));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    response.statusCode = error.status;
    response.end(JSON.stringify({ error: { code: error.code, message: error.message, ...error.more }, ...(error.problems ? { problems: error.problems } : {}) }));
  }
}

const POLICY = "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export function mockApi(): Plugin {
  const answerAll = (request: IncomingMessage, response: ServerResponse, next: () => void) => void respond(request, response, next);
  return {
    name: "mock-api",
    configureServer: (server) => void server.middlewares.use(answerAll),
    configurePreviewServer: (server) => {
      // as fastgw/control/console.py has it, so that what it forbids is seen here too
      server.middlewares.use((_request, response, next) => {
        response.setHeader("content-security-policy", POLICY);
        next();
      });
      server.middlewares.use(answerAll);
    },
  };
}
