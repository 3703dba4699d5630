// The stretch of time that a page looks at, as it stands in the URL.

export const RANGES = [["1h", "1 hour"], ["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"]] as const;
const SECONDS: Record<string, number> = { h: 3600, d: 86_400 };

export type Range = { since: string; until: string; seconds: number; isLive: boolean; name: string };

export function secondsOf(range: string): number {
  const match = /^(\d+)([hd])$/.exec(range);
  return match ? Number(match[1]) * SECONDS[match[2]!]! : 86_400;
}

const iso = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** A named range ends now, at a whole step of ten seconds so that repeated questions are the same; since and until stand for themselves. */
export function rangeOf(query: Record<string, string | undefined>, now = Date.now(), fallback = "24h"): Range {
  if (query.since && query.until && !Number.isNaN(Date.parse(query.since)) && !Number.isNaN(Date.parse(query.until))) {
    const seconds = Math.max(60, (Date.parse(query.until) - Date.parse(query.since)) / 1000);
    return { since: query.since, until: query.until, seconds, isLive: false, name: "custom" };
  }
  const name = RANGES.some(([known]) => known === query.range) ? query.range! : fallback;
  const seconds = secondsOf(name);
  const until = Math.ceil(now / 10_000) * 10_000;
  return { since: iso(until - seconds * 1000), until: iso(until), seconds, isLive: true, name };
}

/** The stretch of the same length just before, to compare with. */
export function before(range: Range): { since: string; until: string } {
  return { since: iso(Date.parse(range.since) - range.seconds * 1000), until: range.since };
}
