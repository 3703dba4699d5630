// Pages of a list, and what comes in live, as one list without gaps or doubles.

import type { Page } from "./types.ts";

export type Rows<T> = { rows: T[]; next: string | null; total: number | undefined };
export const idOf = (row: unknown): string => String((row as { id?: unknown }).id ?? JSON.stringify(row));

/** The rows so far and the page after them; a row that moved between two requests stands once, where it was first seen. */
export function appended<T>(before: Rows<T> | undefined, page: Page<T>): Rows<T> {
  const seen = new Set(before?.rows.map(idOf));
  const rows = [...(before?.rows ?? []), ...page.data.filter((row) => !seen.has(idOf(row)))];
  return { rows, next: page.next, total: page.total ?? before?.total };
}

/** What came in since, newest first, before the rows that were there, at most so many in all. */
export function prepended<T extends { seq: string }>(rows: T[], arrived: T[], most: number): T[] {
  const seen = new Set(rows.map((row) => row.seq));
  const fresh = arrived.filter((row) => !seen.has(row.seq)).sort((a, b) => (BigInt(b.seq) > BigInt(a.seq) ? 1 : -1));
  return fresh.length ? [...fresh, ...rows].slice(0, most) : rows;
}

/** A path with those members of a query that say something. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const parts = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = parts.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`).join("&");
  return text ? `${path}?${text}` : path;
}
