// A made-up organisation for development: seeded, so that every run and every picture shows the same.

import type * as T from "../src/lib/types.ts";

/** Numbers from 0 to 1 that look random and are the same each time (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const iso = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

let count = 0;
export const uuid = (): string => `0193${(++count).toString(16).padStart(4, "0")}-7c1e-7a40-9b2d-${(count * 2_654_435_761 % 2 ** 40).toString(16).padStart(12, "0")}`;

const roll = dice(7);
const pick = <V>(from: readonly V[]): V => from[Math.floor(roll() * from.length)]!;
const between = (low: number, high: number) => low + (high - low) * roll();

export const NOW = Date.now();
export const stored = (age_days = between(1, 90)): T.Stored => ({
  id: uuid(), version: 1 + Math.floor(between(0, 5)), created_at: iso(NOW - age_days * DAY), updated_at: iso(NOW - between(0, age_days) * DAY), source: "store",
});

const WINDOW_DAYS: Record<string, number> = { day: 1, week: 7, month: 30, "30d": 30 };

export function spendOf(budgets: T.Budget[] | undefined, usd: number, fill?: number): T.Spend {
  return {
    usd, requests: Math.round(usd * 210), tokens: Math.round(usd * 190_000), today_usd: usd / 14,
    budgets: (budgets ?? []).map((budget) => {
      const unit = budget.usd !== undefined ? "usd" : budget.tokens !== undefined ? "tokens" : "requests";
      const limit = budget[unit]!;
      const spent = Math.min(limit, fill === undefined ? usd : limit * fill);
      const days = WINDOW_DAYS[budget.window];
      return {
        window: budget.window, unit, limit, spent, reserved: spent < limit ? Math.min(limit - spent, limit * 0.02) : 0, remaining: Math.max(0, limit - spent),
        window_start: iso(NOW - 2 * DAY), resets_at: days ? iso(NOW + between(0.1, days) * DAY) : null, is_exhausted: spent >= limit,
      };
    }),
  };
}

const TEAMS = [["search", "Search"], ["support-bot", "Support bot"], ["growth", "Growth"], ["data-science", "Data science"], ["mobile", "Mobile apps"], ["internal-tools", "Internal tools"], ["research", "Research"], ["default", "Default"]] as const;
export const workspaces: T.Workspace[] = TEAMS.map(([slug, name], index) => {
  const budgets: T.Budget[] = [{ usd: [20_000, 8000, 2500, 6000, 1200, 500, 4000, 1000][index]!, window: "month", alert_at: [0.8, 1] }];
  const fill = [0.62, 0.83, 0.31, 0.47, 1, 0.12, 0.58, 0.05][index]!;
  return {
    ...stored(), slug, name, description: "", budgets, rate: { requests_per_minute: 60_000 }, admission: "clamp", unknown_price: "refuse", models: index === 4 ? ["fast", "gpt-4.1-mini"] : [],
    inline: "allow", status: fill >= 1 ? "exhausted" : "active", keys: 0, members: 3 + (index % 4), spend: spendOf(budgets, budgets[0]!.usd! * fill, fill),
  };
});

const PEOPLE = ["Amara Okafor", "Jonas Weber", "Mei Tanaka", "Sofia Rossi", "Diego Fernandez", "Priya Raman", "Tom Becker", "Lena Fischer", "Yusuf Demir", "Clara Nilsson", "Marek Novak", "Ines Carvalho", "Noah Klein", "Fatima Zahra"];
export const users: T.User[] = PEOPLE.map((name, index) => ({
  ...stored(), email: `${name.toLowerCase().replace(" ", ".")}@northwind.example`, name, role: index === 0 ? "owner" : index < 3 ? "admin" : "member",
  status: index === 11 ? "disabled" : "active", has_password: index < 4, oidc: index > 1, last_login_at: index === 12 ? null : iso(NOW - between(0.01, 9) * DAY),
  budgets: index % 3 ? [] : [{ usd: 200, window: "month" }], spend: spendOf(index % 3 ? [] : [{ usd: 200, window: "month" }], between(2, 150), between(0.1, 0.9)),
}));

const INTEGRATIONS = [["openai-main", "openai"], ["openai-batch", "openai"], ["anthropic", "anthropic"], ["azure-eu", "azure-openai"], ["bedrock-us", "bedrock"], ["gemini", "gemini"], ["vertex-eu", "vertex-ai"], ["mistral", "mistral-ai"], ["groq", "groq"], ["vllm-h100", "vllm"]] as const;
export const integrations: T.Integration[] = INTEGRATIONS.map(([slug, provider], index) => ({
  ...stored(), slug, name: slug, provider, base_url: provider === "vllm" ? "http://10.20.0.14:8000/v1" : null, masked_key: ["vllm", "bedrock", "vertex-ai"].includes(provider) ? null : `sk-…${uuid().slice(-4)}`,
  models: provider === "vllm" ? ["llama-3.3-70b", "qwen3-32b"] : [], max_connections: 256, workspace: index === 9 ? "research" : null, source: index === 8 ? "file" : "store",
  budgets: index < 3 ? [{ usd: 25_000, window: "month" }] : [], spend: spendOf(index < 3 ? [{ usd: 25_000, window: "month" }] : [], [14_200, 900, 9300, 3100, 2800, 1900, 640, 410, 220, 0][index]!),
}));
export const shares = new Map<string, T.Share[]>(integrations.map((one) => [one.id, workspaces.map((workspace, index) => ({
  workspace: workspace.slug, workspace_id: workspace.id, enabled: (index + one.slug.length) % 4 !== 0, models: [], version: 1,
  budgets: index === 1 ? [{ usd: 3000, window: "month" }] : [], spend: spendOf(index === 1 ? [{ usd: 3000, window: "month" }] : [], between(10, 900)),
}))]));
export const members = new Map<string, T.Member[]>(workspaces.map((workspace, index) => [workspace.id, users.slice(index, index + workspace.members).map((user, at) => ({
  ...stored(), user_id: user.id, role: at === 0 ? "admin" : at === 1 ? "manager" : "member", email: user.email, name: user.name,
}))]));

const KEY_NAMES = ["search-ranker", "search-query-rewrite", "search-embeddings", "support-bot-prod", "support-bot-staging", "ticket-triage", "growth-emails", "landing-copy", "notebook-jonas", "notebook-mei", "eval-harness", "ios-assistant", "android-assistant", "code-review-bot", "standup-digest", "sql-copilot", "paper-reader", "agent-lab", "batch-labels", "moderation", "voice-notes", "translation", "contract-review", "invoice-ocr", "release-notes"];
export const keys: T.Key[] = KEY_NAMES.map((name, index) => {
  const workspace = workspaces[[0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 3, 6, 6, 3, 1, 4, 2, 5, 5, 7][index]!]!;
  workspace.keys++;
  const fill = [0.44, 0.71, 0.22, 0.91, 0.08, 0.36, 0.55, 0.17, 0.33, 0.86, 0.64, 1, 0.97, 0.28, 0.05, 0.49, 0.61, 0.77, 0.12, 0.03, 0.4, 0.2, 0.68, 0.52, 0][index]!;
  const budgets: T.Budget[] = index % 7 === 6 ? [] : [{ usd: [8000, 2000, 900, 5000, 300, 800, 600][index % 7]!, window: index % 3 ? "month" : "30d", alert_at: [0.8, 1] }];
  const status = fill >= 1 ? "exhausted" : index === 20 ? "expired" : index === 19 ? "disabled" : "active";
  return {
    ...stored(), name, workspace: workspace.slug, user: index === 8 ? users[1]!.id : null, description: "", models: index % 4 ? [] : ["gpt-4.1", "claude-sonnet-4.5", "fast", "embed"].slice(0, 1 + (index % 3)),
    integrations: [], budgets, rate: { requests_per_minute: 6000, tokens_per_minute: 10_000_000 }, expires_at: index === 20 ? iso(NOW - 3 * DAY) : index % 5 === 1 ? iso(NOW + 40 * DAY) : null,
    metadata: { team: workspace.slug, env: name.includes("staging") ? "staging" : "prod" }, config: null, allow_config_override: true, enabled: status !== "disabled", alert_emails: [],
    rotation: index === 3 ? { every_days: 90, overlap_hours: 24 } : null, status, masked: `fgw-…${uuid().slice(-4)}`, last_used_at: index === 24 ? null : iso(NOW - between(0.0001, index > 17 ? 20 : 0.02) * DAY),
    spend: spendOf(budgets, (budgets[0]?.usd ?? 300) * fill, budgets.length ? fill : undefined),
  };
});

const target = (integration: string, model: string, weight?: number): T.Target => ({ integration, model, ...(weight ? { weight } : {}) });
export const models: T.Model[] = ([
  ["fast", "fallback", [target("openai-main", "gpt-4.1-mini"), target("gemini", "gemini-2.5-flash"), target("groq", "llama-3.3-70b-versatile")]],
  ["smart", "fallback", [target("anthropic", "claude-sonnet-4.5"), target("bedrock-us", "anthropic.claude-sonnet-4-5"), target("openai-main", "gpt-4.1")]],
  ["gpt-4.1", "weighted", [target("openai-main", "gpt-4.1", 7), target("azure-eu", "gpt-4.1", 3)]], ["gpt-4.1-mini", "latency", [target("openai-main", "gpt-4.1-mini"), target("azure-eu", "gpt-4.1-mini")]],
  ["embed", "single", [target("openai-main", "text-embedding-3-small")]], ["cheap", "cost", [target("groq", "llama-3.3-70b-versatile"), target("gemini", "gemini-2.5-flash"), target("mistral", "mistral-small")]],
  ["llama-local", "single", [target("vllm-h100", "llama-3.3-70b")]],
  ["by-tier", "conditional", [{ name: "gold", ...target("anthropic", "claude-opus-4.1") }, { name: "rest", ...target("openai-main", "gpt-4.1-mini") }]],
] as [string, string, T.Target[]][]).map(([name, strategy, targets], index) => ({
  ...stored(), name, strategy, targets, source: index === 6 ? "file" : "store", ...(name === "llama-local" ? { price: { input: 0.1, output: 0.1 } } : {}),
  ...(strategy === "conditional" ? { conditions: [{ query: { "metadata.tier": "gold" }, then: "gold" }], default: "rest" } : {}),
}));

const CATALOGUE: [string, string, number | null, number | null, number, number][] = [
  ["openai", "gpt-4.1", 2, 8, 1_047_576, 32_768], ["openai", "gpt-4.1-mini", 0.4, 1.6, 1_047_576, 32_768], ["openai", "gpt-4.1-nano", 0.1, 0.4, 1_047_576, 32_768], ["openai", "gpt-5", 1.25, 10, 400_000, 128_000],
  ["openai", "text-embedding-3-small", 0.02, 0, 8191, 0], ["openai", "o4-mini", 1.1, 4.4, 200_000, 100_000], ["anthropic", "claude-opus-4.1", 15, 75, 200_000, 32_000], ["anthropic", "claude-sonnet-4.5", 3, 15, 1_000_000, 64_000],
  ["anthropic", "claude-haiku-4.5", 1, 5, 200_000, 64_000], ["gemini", "gemini-2.5-pro", 1.25, 10, 1_048_576, 65_536], ["gemini", "gemini-2.5-flash", 0.3, 2.5, 1_048_576, 65_536], ["mistral-ai", "mistral-large", 2, 6, 131_072, 16_384],
  ["mistral-ai", "mistral-small", 0.1, 0.3, 131_072, 16_384], ["groq", "llama-3.3-70b-versatile", 0.59, 0.79, 131_072, 32_768], ["bedrock", "anthropic.claude-sonnet-4-5", 3, 15, 200_000, 64_000], ["vllm", "llama-3.3-70b", null, null, 131_072, 8192],
];
export const catalogue: T.CatalogModel[] = CATALOGUE.map(([provider, model, input, output, context_tokens, max_output_tokens]) => ({
  provider, model, input, output, cache_read: input === null ? null : input / 10, context_tokens, max_output_tokens, modalities: model.includes("embedding") ? ["text"] : ["text", "image"], source: "genai-prices 2026-11-20",
}));
export const prices: T.Price[] = [{ ...stored(), provider: "openai", model: "gpt-4.1", input: 1.8, output: 7.2 }, { ...stored(), provider: "vllm", model: "llama-3.3-70b", input: 0.1, output: 0.1 }];

const config = (slug: string, name: string, body: T.JsonObject, workspace: string | null = null): T.Config => ({ ...stored(), slug, name, workspace, config: body });
export const configs: T.Config[] = [
  config("main-route", "Main route", { strategy: { mode: "fallback", on_status_codes: [429, 500, 503] }, retry: { attempts: 3 }, cache: { mode: "simple", max_age: 3600 }, targets: [{ provider: "@openai-main", override_params: { model: "gpt-4.1" } }, { provider: "@azure-eu", override_params: { model: "gpt-4.1" } }] }),
  config("ab-haiku", "A/B Haiku", { strategy: { mode: "loadbalance" }, targets: [{ provider: "@anthropic", weight: 0.8 }, { provider: "@openai-main", weight: 0.2, override_params: { model: "gpt-4.1-mini" } }] }, "support-bot"),
  config("cached-faq", "Cached FAQ", { cache: { mode: "simple", max_age: 86_400 }, provider: "@gemini" }, "support-bot"),
];
export const versions = new Map<string, T.ConfigVersion[]>(configs.map((one) => [one.id, [3, 2, 1].map((number) => ({
  number, config: number === 3 ? one.config : { ...one.config, retry: { attempts: number } }, created_at: iso(NOW - (4 - number) * 3 * DAY), created_by: pick(users).email,
}))]));

export const SCOPES = ["organisation_users", "organisation_service_api_keys", "workspaces", "workspace_users", "workspace_service_api_keys", "workspace_user_api_keys", "configs", "virtual_keys", "providers", "organisation_integrations", "workspace_integrations", "policies", "prices", "models", "alerts"]
  .flatMap((area) => ["create", "read", "update", "delete", "list"].map((verb) => `${area}.${verb}`))
  .concat(["organisation_settings.read", "organisation_settings.update", "audit_logs.list", "workspace_service_api_keys.rotate", "analytics.view", "logs.list", "logs.view", "logs.export", "status.view"]);
export const MEMBER_SCOPES = ["workspace_user_api_keys.create", "workspace_user_api_keys.read", "workspace_user_api_keys.list", "workspace_user_api_keys.update", "workspaces.list", "analytics.view", "logs.list", "logs.view", "models.list", "completions.write"];

export const tokens: T.Token[] = [
  { ...stored(), name: "terraform", scopes: SCOPES.slice(0, 60), workspace: null, expires_at: iso(NOW + 200 * DAY), last_used_at: iso(NOW - 0.4 * DAY), masked: "fgt-…9f2c" },
  { ...stored(), name: "grafana", scopes: ["analytics.view", "logs.list"], workspace: null, expires_at: null, last_used_at: iso(NOW - 20_000), masked: "fgt-…04ab" },
  { ...stored(), name: "support-ci", scopes: ["configs.list", "configs.update"], workspace: "support-bot", expires_at: iso(NOW - DAY), last_used_at: null, masked: "fgt-…771d" },
];
export const channels: T.Channel[] = [
  { ...stored(), name: "platform-alerts", kind: "slack", url: "https://hooks.slack.com/services/T0/B0/…", workspace: null, enabled: true, last_error: null },
  { ...stored(), name: "finance", kind: "email", to: ["finance@northwind.example"], workspace: null, enabled: true, last_error: null },
  { ...stored(), name: "pager", kind: "webhook", url: "https://events.pager.example/v2/enqueue", workspace: "search", enabled: true, last_error: "answered 503 four times in a row" },
];
export const alerts: T.Alert[] = Array.from({ length: 9 }, (_, index) => ({
  at: iso(NOW - index * 7.3 * HOUR), account: `key ${keys[index * 2 + 1]!.name}`, kind: index % 4 === 2 ? "exhausted" : "threshold", threshold: index % 4 === 2 ? 1 : 0.8, window_start: iso(NOW - 9 * DAY),
  spent: 1600 + index * 31, limit: 2000, unit: "usd", channel: channels[index % 3]!.name, state: index === 1 ? "failed" : "sent", attempts: index === 1 ? 5 : 1, error: index === 1 ? "answered 503" : null,
}));

const ACTIONS: [string, string, Record<string, [T.Json, T.Json]>][] = [
  ["keys.update", "keys", { budgets: [[{ usd: 500, window: "month" }], [{ usd: 800, window: "month" }]], max_parallel: [null, 40] }], ["keys.create", "keys", { name: [null, "release-notes"] }],
  ["integrations.update", "integrations", { api_key: ["(secret)", "(another secret)"], max_connections: [256, 512] }], ["users.update", "users", { role: ["member", "admin"] }],
  ["models.update", "models", { strategy: ["single", "fallback"] }], ["keys.rotate", "keys", {}], ["configs.update", "configs", { retry: [{ attempts: 2 }, { attempts: 3 }] }],
];
export const audit: T.AuditLine[] = Array.from({ length: 140 }, (_, index) => {
  const [action, type, changes] = ACTIONS[Math.floor(roll() * ACTIONS.length)]!;
  const actor = roll() < 0.2 ? { kind: "token" as const, id: tokens[0]!.id, name: "terraform" } : { kind: "user" as const, id: users[index % 4]!.id, name: users[index % 4]!.name };
  return {
    id: uuid(), at: iso(NOW - index * 3.1 * HOUR - between(0, HOUR)), actor, action, resource: { type, id: uuid(), name: type === "keys" ? pick(keys).name : type === "users" ? pick(users).email : type === "models" ? pick(models).name : type === "configs" ? pick(configs).slug : pick(integrations).slug },
    workspace: type === "keys" ? pick(workspaces).slug : null, changes, address: `10.4.${Math.floor(between(0, 9))}.${Math.floor(between(2, 250))}`, request_id: uuid(),
  };
});

const FAULTS = [["upstream_status", 429, "failed"], ["upstream_timeout", 504, "failed"], ["rate_limited", 429, "refused"], ["budget_exhausted", 412, "refused"], ["model_not_found", 404, "refused"], ["client_gone", 0, "cancelled"], ["upstream_unreachable", 502, "failed"]] as const;
let seq = NOW * 1e3;

export function logAt(ms: number): T.LogWhole {
  const key = keys[Math.min(23, Math.floor(roll() ** 1.7 * 24))]!;
  const alias = models[Math.min(7, Math.floor(roll() ** 1.4 * 8))]!;
  const isBad = roll() < 0.035;
  const [error, status, outcome] = isBad ? pick(FAULTS) : (["", 200, "served"] as const);
  const isRetried = !isBad && roll() < 0.05;
  const served = alias.targets[isRetried ? 1 : 0] ?? alias.targets[0]!;
  const price = catalogue.find((row) => row.model === served.model);
  const input = Math.floor(120 + roll() ** 3 * 24_000);
  const output = alias.name === "embed" || outcome !== "served" ? 0 : Math.floor(20 + roll() ** 2 * 1800);
  const cache = roll() < 0.12 && outcome === "served" ? "hit" : "";
  const first = cache ? 0.4 : outcome === "refused" ? null : 180 + roll() ** 2 * 1400 + (isRetried ? 900 : 0);
  const gateway = 0.06 + roll() ** 6 * 0.9;
  const total = outcome === "refused" ? gateway : (first ?? 0) + (cache ? 0.6 : output * between(4, 11)) + gateway;
  const cost = outcome === "refused" ? 0 : cache ? 0 : price?.input == null ? null : (input * price.input + output * (price.output ?? 0)) / 1e6;
  const first_ms = first === null ? null : first;
  const label = (one: T.Target | undefined) => `"${one?.integration}/${one?.model}"`;
  seq += 997;
  return {
    id: uuid(), seq: String(seq), at: new Date(ms).toISOString(), workspace: key.workspace, key: key.name, user: key.user ? users[1]!.email : null, model: alias.name, upstream_model: outcome === "refused" ? "" : served.model!, provider: outcome === "refused" ? "" : integrations.find((one) => one.slug === served.integration)!.provider,
    integration: outcome === "refused" ? "" : served.integration!, operation: alias.name === "embed" ? "embeddings" : roll() < 0.2 ? "messages" : "chat", status, outcome, error, streamed: roll() < 0.6, cache, attempts: outcome === "refused" || cache ? 0 : isRetried ? 2 : 1, input_tokens: outcome === "refused" ? 0 : input, output_tokens: output, cost_usd: cost,
    total_ms: total, gateway_ms: gateway, first_byte_ms: first_ms, trace_id: roll() < 0.4 ? uuid().replaceAll("-", "") : "",
    timings: { read_ms: 0.021, admitted_ms: 0.043, sent_ms: outcome === "refused" || cache ? null : isRetried ? 900 : 0.09, first_byte_ms: cache ? null : first_ms, replied_ms: first_ms === null || cache ? null : total - 0.05, finished_ms: total },
    tokens: { cache_read_tokens: Math.floor(input * (roll() < 0.4 ? 0.7 : 0)), reasoning_tokens: roll() < 0.2 ? Math.floor(output * 0.4) : 0 },
    detail: {
      ...(isRetried ? { attempts: `${label(alias.targets[0])};status=503;trouble="overloaded";ms=312, ${label(alias.targets[1])};status=200;ms=${Math.round(total - 900)}` } : outcome === "refused" || cache ? {} : { attempts: `${label(alias.targets[0])};status=${status || 200};ms=${Math.round(total)}` }),
      ...(isRetried && alias.targets[2] ? { passed_over: `${label(alias.targets[2])};why="open"` } : {}), metadata: { team: key.workspace, env: "prod", feature: pick(["chat", "summary", "rank", "draft"]) },
    },
    request: JSON.stringify({ model: alias.name, messages: [{ role: "system", content: "You answer in one paragraph." }, { role: "user", content: "Which of our plans includes single sign-on, and what does it cost for 40 people?" }], temperature: 0.2, stream: true }),
    reply: outcome === "served" ? JSON.stringify({ id: "chatcmpl-B9x", object: "chat.completion", model: served.model, choices: [{ index: 0, message: { role: "assistant", content: "Single sign-on is part of the Business plan. For 40 people it is $480 a month, billed yearly." }, finish_reason: "stop" }], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } }) : JSON.stringify({ error: { message: `the request ended with ${error}`, code: error } }),
  };
}

/** The traffic of a moment, more by day than by night and less at weekends. */
export function traffic(ms: number): number {
  const date = new Date(ms);
  const hour = date.getUTCHours() + date.getUTCMinutes() / 60;
  const day = 0.25 + Math.max(0, Math.sin(((hour - 6) / 24) * 2 * Math.PI) * 0.5 + 0.45);
  return day * ([0, 6].includes(date.getUTCDay()) ? 0.45 : 1);
}

export const logs: T.LogWhole[] = [];
for (let at = NOW - 2 * DAY; at < NOW; at += between(20_000, 110_000) / traffic(at)) logs.unshift(logAt(at));
for (let at = NOW - 600_000; at < NOW; at += between(2000, 9000)) logs.unshift(logAt(at));
logs.sort((a, b) => Number(b.seq) - Number(a.seq) || Date.parse(b.at) - Date.parse(a.at));
logs.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
logs.forEach((log, index) => (log.seq = String(NOW * 1e3 - index * 1000)));
