// Requests to the admin API: errors as the API words them, and what to do while the control process is away.

import { signal } from "@preact/signals";
import { formPath } from "./json.ts";
import type { Json, Me, Problem } from "./types.ts";

export const ROOT = "/api/v1";

/** Who is signed in: undefined until it is known, null for nobody. */
export const me = signal<Me | null | undefined>(undefined);
/** Whether the control process does not answer. */
export const isAway = signal(false);
/** Counts up whenever everything that is shown should be asked for again. */
export const epoch = signal(0);

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly path: string;
  readonly problems: Problem[];
  readonly current: Json | undefined;
  readonly requestId: string;
  readonly retryAfter: number;

  constructor(status: number, code: string, message: string, more: Partial<ApiError> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.path = more.path ?? "";
    this.problems = more.problems ?? [];
    this.current = more.current;
    this.requestId = more.requestId ?? "";
    this.retryAfter = more.retryAfter ?? 0;
  }

  /** Messages by the path of the field that each belongs to; "" is the whole. */
  get byField(): Map<string, string> {
    const found = new Map<string, string>();
    for (const problem of this.problems) {
      const expected = problem.expected ? `expected ${problem.expected}` : "";
      const text = [expected, problem.found && `found ${problem.found}`].filter(Boolean).join(", ") || problem.message || problem.hint || this.message;
      found.set(formPath(problem.path), problem.hint && text !== problem.hint ? `${text} (${problem.hint})` : text);
    }
    if (found.size === 0) found.set(formPath(this.path), this.message);
    return found;
  }

  get isAway(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

type Options = { ifMatch?: number | undefined; idempotencyKey?: string | undefined; signal?: AbortSignal | undefined };

const words = (value: unknown): string => (typeof value === "string" ? value : "");

async function errorOf(response: Response): Promise<ApiError> {
  let error: Record<string, unknown> = {};
  let problems: Problem[] = [];
  try {
    const body = (await response.json()) as { error?: Record<string, unknown>; problems?: Problem[] };
    error = body.error ?? {};
    problems = body.problems ?? (error.problems as Problem[] | undefined) ?? [];
  } catch {
    // not JSON: something before the control process answered
  }
  const message = words(error.message) || `the gateway answered ${response.status}`;
  return new ApiError(response.status, words(error.code) || words(error.type), message, {
    path: words(error.path),
    problems,
    current: error.current as Json | undefined,
    requestId: words(error.request_id),
    retryAfter: Number(response.headers.get("retry-after")) || 0,
  });
}

/** Ask the API; raises ApiError. What is not read is sent with the token that a cookie alone does not prove. */
export async function call<T>(method: string, path: string, body?: unknown, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && me.value?.csrf) headers["x-csrf-token"] = me.value.csrf;
  if (options.ifMatch !== undefined) headers["if-match"] = `"${options.ifMatch}"`;
  if (options.idempotencyKey) headers["idempotency-key"] = options.idempotencyKey;
  let response: Response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: options.signal ?? null,
      credentials: "same-origin",
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    lose();
    throw new ApiError(0, "unreachable", "the gateway cannot be reached");
  }
  if (!response.ok) {
    const error = await errorOf(response);
    if (error.code === "not_signed_in") me.value = null;
    if (error.isAway) lose();
    throw error;
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => call<T>("GET", path, undefined, { signal });

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 8000;

/** Say that the control process is away, and ask for it until it is back; then everything is asked for anew. */
function lose(): void {
  if (isAway.value) return;
  isAway.value = true;
  let wait = FIRST_WAIT_MS;
  const again = async () => {
    try {
      const response = await fetch(`${ROOT}/health`, { cache: "no-store" });
      if (response.status >= 502) throw new Error(String(response.status));
      isAway.value = false;
      epoch.value++;
    } catch {
      wait = Math.min(LONGEST_WAIT_MS, wait * 1.5);
      setTimeout(again, wait);
    }
  };
  setTimeout(again, wait);
}

/** Random text; `randomUUID` is there only over HTTPS, and people try things on http://10.0.0.5 too. */
export function nonce(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
