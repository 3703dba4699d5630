// The objects of the admin API, as its contract has them; members that are read only come back and are not sent.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

export type Window = string;
export type Budget = { usd?: number; tokens?: number; requests?: number; window: Window; alert_at?: number[] };
export type Rate = { requests_per_minute?: number | null; tokens_per_minute?: number | null };
export type Limits = { budgets?: Budget[]; rate?: Rate | null; max_parallel?: number | null };
export type BudgetSpend = {
  window: Window; unit: "usd" | "tokens" | "requests"; limit: number; spent: number; reserved: number; remaining: number;
  window_start?: string | null; resets_at: string | null; is_exhausted: boolean;
};
export type Spend = { usd: number; requests: number; tokens: number; today_usd?: number; budgets: BudgetSpend[] };

export type Stored = { id: string; version: number; created_at: string; updated_at: string; source?: "store" | "file" };
export type Limited = Limits & { spend?: Spend };

export type Organisation = Stored & Limited & { slug: string; name: string };
export type Workspace = Stored & Limited & {
  slug: string; name: string; description?: string; admission?: string; unknown_price?: string; models?: string[]; inline?: string;
  status: "active" | "exhausted"; keys: number; members: number;
};
export type WorkspaceRole = "admin" | "manager" | "member";
export type Member = Stored & { user_id: string; role: WorkspaceRole; email: string; name: string };
export type User = Stored & Limited & {
  email: string; name: string; role: "owner" | "admin" | "member"; status: "active" | "disabled"; has_password: boolean; oidc: boolean;
  last_login_at: string | null;
};
export type Integration = Stored & Limited & {
  slug: string; name?: string; description?: string; provider: string; base_url?: string | null; masked_key?: string | null;
  api_version?: string | null; settings?: Record<string, string>; headers?: Record<string, string>; models?: string[];
  timeouts?: Record<string, number>; max_connections?: number; workspace: string | null;
};
export type Share = Limited & { workspace: string; workspace_id: string; enabled?: boolean; models?: string[]; version: number };
export type KeyStatus = "active" | "exhausted" | "expired" | "disabled";
export type Key = Stored & Limited & {
  name: string; workspace: string; user: string | null; description?: string; models?: string[]; integrations?: string[];
  integration?: string | null; expires_at?: string | null; metadata?: Record<string, string>; config?: string | null;
  allow_config_override?: boolean; enabled?: boolean; admission?: string | null; alert_emails?: string[];
  rotation?: { every_days: number; overlap_hours: number } | null; status: KeyStatus; disabled_by?: "key" | "user" | null;
  masked?: string; last_used_at: string | null;
};
export type KeySecret = Key & { key: string; previous_valid_until?: string };
export type Config = Stored & { slug: string; name?: string; workspace: string | null; config: JsonObject };
export type ConfigVersion = { number: number; config: JsonObject; created_at: string; created_by: string };
export type Target = { integration?: string; model?: string; weight?: number; name?: string; targets?: Target[]; strategy?: string };
export type ModelPrice = {
  input: number; output: number; cache_read?: number | null; cache_write?: number | null; cache_write_1h?: number | null;
  audio_input?: number | null; audio_output?: number | null; request?: number | null;
};
export type Model = Stored & {
  name: string; strategy: string; targets: Target[]; price?: ModelPrice | null; context_tokens?: number | null;
  max_output_tokens?: number | null;
};
export type CatalogModel = {
  provider: string; model: string; input?: number | null; output?: number | null; cache_read?: number | null;
  price?: ModelPrice | null; context_tokens?: number | null; max_output_tokens?: number | null; modalities?: string[]; source?: string;
};
export type Price = Stored & ModelPrice & { provider: string; model: string };
export type Token = Stored & {
  name: string; scopes: string[]; workspace: string | null; expires_at: string | null; last_used_at: string | null; masked: string;
};
export type Channel = Stored & {
  name: string; kind: "webhook" | "slack" | "email"; url?: string; to?: string[]; workspace: string | null; enabled?: boolean;
  last_error?: string | null;
};
export type Alert = {
  at: string; account: string; kind: "threshold" | "exhausted"; threshold: number; window_start: string | null; spent: number;
  limit: number; unit: "usd" | "tokens" | "requests"; channel: string; state: "sent" | "failed" | "pending"; attempts: number;
  error: string | null;
};
export type AuditLine = {
  id: string; at: string; actor: { kind: "user" | "token" | "system"; id: string | null; name: string }; action: string;
  resource: { type: string; id: string; name: string }; workspace: string | null; changes: Record<string, [Json, Json]>;
  address: string | null; request_id: string | null;
};
export type LogLine = {
  id: string; seq: string; at: string; workspace: string; key: string; user: string | null; model: string; upstream_model: string;
  provider: string; integration: string; operation: string; status: number; outcome: string; error: string; streamed: boolean;
  cache: string; attempts: number; input_tokens: number; output_tokens: number; cost_usd: number | null; total_ms: number | null;
  gateway_ms: number; first_byte_ms: number | null; trace_id: string;
};
export type Timings = Record<"read_ms" | "admitted_ms" | "sent_ms" | "first_byte_ms" | "replied_ms" | "finished_ms", number | null>;
export type LogWhole = LogLine & {
  timings: Timings; tokens?: Record<string, number>; request: string | null; reply: string | null;
  detail?: { attempts?: Json; passed_over?: Json; metadata?: Record<string, string>; dropped?: string[] } & JsonObject;
};
export type Overview = {
  since: string; until: string; step_s: number; times: number[]; requests: number[]; errors: number[]; cost_usd: number[];
  input_tokens: number[]; output_tokens: number[]; p50_ms: (number | null)[]; p99_ms: (number | null)[];
  totals: Record<
    "requests" | "errors" | "error_rate" | "cost_usd" | "saved_usd" | "input_tokens" | "output_tokens" | "p50_ms" | "p90_ms" | "p99_ms"
    | "gateway_p50_ms" | "gateway_p99_ms" | "cache_hit_rate", number | null
  >;
};
export type Group = {
  value: string; requests: number; errors: number; cost_usd: number; input_tokens: number; output_tokens: number;
  p50_ms: number | null; p99_ms: number | null;
};
export type Status = {
  version: string; uptime_s: number;
  workers: { index: number; pid: number; in_flight: number; connections: number; snapshot_version: number; snapshot_refused: string | number | boolean | null }[];
  publish: { revision: number; published_at: string | null; error: string | null };
  records: { log_bytes: number; lost: number; error: string | null };
  store: { kind: string; ok: boolean; error: string | null }; alerts: { pending: number };
};
export type Me = {
  user: { id: string; email: string } & Partial<User>; organisation: { id: string; slug: string; name?: string }; csrf: string | null;
  role: "owner" | "admin" | "member"; scopes: string[]; is_organisation_wide: boolean;
  workspaces: { id: string; slug: string; name?: string; role: WorkspaceRole; scopes: string[] }[];
  version: string; demo: boolean;
};
export type LoginOptions = { password: boolean; oidc: { name: string; url: string } | null };
export type Page<T> = { data: T[]; next: string | null; total?: number };
export type Problem = { path?: string; expected?: string; found?: string; hint?: string; message?: string };
