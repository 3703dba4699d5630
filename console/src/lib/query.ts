// What was asked of the API, kept by path, so that a page that was seen before is there at once and then brought up to date.

import { type Signal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type ApiError, call, epoch, get, isAway, nonce } from "./api.ts";
import { appended, type Rows, withQuery } from "./pages.ts";
import type { Page } from "./types.ts";

type Answer<T> = { data: T | undefined; error: ApiError | undefined; isLoading: boolean; at: number };
type Entry = { answer: Signal<Answer<unknown>>; ask: () => Promise<void>; users: number; running: Promise<void> | undefined };

const MOST_KEPT = 200;
// A page that is opened again within so long shows what it has and asks nothing.
const FRESH_MS = 1500;
const entries = new Map<string, Entry>();

function entryOf<T>(path: string, load: (path: string, before: T | undefined) => Promise<T>): Entry {
  const known = entries.get(path);
  if (known) return known;
  for (const [name, entry] of entries) {
    if (entries.size < MOST_KEPT) break;
    if (entry.users === 0) entries.delete(name);
  }
  const answer: Signal<Answer<unknown>> = signal({ data: undefined, error: undefined, isLoading: true, at: 0 });
  const entry: Entry = {
    answer,
    users: 0,
    running: undefined,
    ask: () => {
      entry.running ??= (async () => {
        const before = answer.peek();
        if (!before.isLoading) answer.value = { ...before, isLoading: true };
        try {
          answer.value = { data: await load(path, before.data as T | undefined), error: undefined, isLoading: false, at: Date.now() };
        } catch (error) {
          answer.value = { ...before, error: error as ApiError, isLoading: false, at: Date.now() };
        } finally {
          entry.running = undefined;
        }
      })();
      return entry.running;
    },
  };
  entries.set(path, entry);
  return entry;
}

/** Forget what was kept below these paths, and ask again for what is shown. */
export function invalidate(...prefixes: string[]): void {
  for (const [path, entry] of entries) {
    if (!prefixes.some((prefix) => path.startsWith(prefix))) continue;
    if (entry.users > 0) void entry.ask();
    else entries.delete(path);
  }
}

/** Forget everything: another person signs in. */
export function forget(): void {
  entries.clear();
}

/** Put an answer where it will be looked for, as after a change whose reply is the object. */
export function remember(path: string, data: unknown): void {
  const entry = entries.get(path);
  if (entry) entry.answer.value = { data, error: undefined, isLoading: false, at: Date.now() };
}

export type Query<T> = { data: T | undefined; error: ApiError | undefined; isLoading: boolean; isStale: boolean; reload: () => void };

const NOTHING: Entry = {
  answer: signal({ data: undefined, error: undefined, isLoading: false, at: 0 }), ask: async () => {}, users: 0, running: undefined,
};

function useEntry<T>(path: string | null, load: (path: string, before: T | undefined) => Promise<T>, every_ms: number): Query<T> {
  const entry = path === null ? NOTHING : entryOf<T>(path, load);
  const last = useRef<{ data: T | undefined; stem: string }>({ data: undefined, stem: "" });
  const ticks = epoch.value;
  useEffect(() => {
    if (path === null) return;
    entry.users++;
    if (Date.now() - entry.answer.peek().at > FRESH_MS) void entry.ask();
    return () => void entry.users--;
  }, [entry]);
  useEffect(() => {
    if (ticks > 0 && path !== null) void entry.ask();
  }, [ticks]);
  useEffect(() => {
    if (!every_ms || path === null) return;
    const tick = () => !document.hidden && !isAway.peek() && void entry.ask();
    const timer = setInterval(tick, every_ms);
    const shown = () => !document.hidden && Date.now() - entry.answer.peek().at > every_ms && tick();
    document.addEventListener("visibilitychange", shown);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [entry, every_ms]);
  const { data, error, isLoading } = entry.answer.value as Answer<T>;
  // While the same list is asked for with other filters, the one before stays, so that nothing jumps.
  const stem = path?.split("?")[0] ?? "";
  if (data !== undefined) last.current = { data, stem };
  else if (last.current.stem !== stem) last.current = { data: undefined, stem };
  const shown = data ?? (error ? undefined : last.current.data);
  return { data: shown, error, isLoading, isStale: data === undefined && shown !== undefined, reload: () => void entry.ask() };
}

/** One answer of the API by its path (null asks nothing), again every so many milliseconds while the page is seen. */
export function useQuery<T>(path: string | null, every_ms = 0): Query<T> {
  return useEntry<T>(path, (asked) => get<T>(asked), every_ms);
}

const PAGE_ROWS = 50;
const MOST_ROWS = 500;

/** A list of the API page by page; reloading asks for as many rows as are shown. */
export function usePages<T>(path: string | null, every_ms = 0): Query<Rows<T>> & { more: () => Promise<void> } {
  const joined = (asked: string, query: Record<string, string | number | null>) =>
    withQuery(asked, query).replace(/\?(.*)\?/, "?$1&");
  const load = async (asked: string, before: Rows<T> | undefined) => {
    const limit = Math.min(MOST_ROWS, Math.max(PAGE_ROWS, before?.rows.length ?? 0));
    return appended<T>(undefined, await get<Page<T>>(joined(asked, { limit })));
  };
  const query = useEntry<Rows<T>>(path, load, every_ms);
  const more = async () => {
    const entry = path === null ? undefined : entries.get(path);
    const rows = entry?.answer.peek().data as Rows<T> | undefined;
    if (!entry || !rows?.next) return;
    const page = await get<Page<T>>(joined(path!, { limit: PAGE_ROWS, cursor: rows.next }));
    entry.answer.value = { ...entry.answer.peek(), data: appended(rows, page), at: Date.now() };
  };
  return { ...query, more };
}

/** A name for each thing that is created, so that a second click or a lost answer does not create it twice. */
export class Creation {
  #body = "";
  #key = "";

  keyFor(body: unknown): string {
    const text = JSON.stringify(body);
    if (text !== this.#body) [this.#body, this.#key] = [text, nonce()];
    return this.#key;
  }
}

/** Change something, then bring up to date what is shown of it. */
export async function change<T>(
  method: string, path: string, body?: unknown, options: { ifMatch?: number | undefined; idempotencyKey?: string | undefined } = {},
): Promise<T> {
  const answer = await call<T>(method, path, body, options);
  invalidate(`/${path.split("/")[1]!.split("?")[0]}`, "/audit");
  return answer;
}
