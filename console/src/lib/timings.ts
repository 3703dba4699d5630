// The steps of one exchange as bars of a waterfall.

import type { LogWhole, Timings } from "./types.ts";

export type Bar = { name: string; meaning: string; from: number; to: number; side: "gateway" | "provider" | "caller" };

const STEPS: [keyof Timings, string, string, Bar["side"]][] = [
  ["read_ms", "Read", "the request arrives", "caller"],
  ["admitted_ms", "Admit", "key, limits and budget", "gateway"],
  ["sent_ms", "Send", "route, translate, connect", "gateway"],
  ["first_byte_ms", "Wait", "until the provider's first byte", "provider"],
  ["replied_ms", "Reply", "until the provider's reply is whole", "provider"],
  ["finished_ms", "Finish", "meter, settle, record, last bytes", "gateway"],
];

/** One bar a step that the exchange got to, in milliseconds from its start; steps may overlap where bodies stream through. */
export function barsOf(log: Pick<LogWhole, "timings" | "total_ms">): Bar[] {
  const bars: Bar[] = [];
  let from = 0;
  for (const [member, name, meaning, side] of STEPS) {
    const to = log.timings[member];
    if (to === null || to === undefined || to < 0) continue;
    bars.push({ name, meaning, from: Math.min(from, to), to, side });
    from = Math.max(from, to);
  }
  return bars;
}
