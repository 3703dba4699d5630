import assert from "node:assert/strict";
import { test } from "node:test";
import { fillOf, hasLimits, tightest } from "../src/lib/budget.ts";
import { EventReader } from "../src/lib/events.ts";
import { appended, prepended, withQuery } from "../src/lib/pages.ts";
import { before, rangeOf, secondsOf } from "../src/lib/range.ts";
import { barsOf } from "../src/lib/timings.ts";
import { stepsOf } from "../src/lib/trail.ts";
import type { BudgetSpend, Spend } from "../src/lib/types.ts";

const budget = (limit: number, spent: number, reserved = 0, is_exhausted = false): BudgetSpend => ({
  window: "month", unit: "usd", limit, spent, reserved, remaining: limit - spent, resets_at: null, is_exhausted,
});

test("a bar is never fuller than full, and what is reserved stands behind what is spent", () => {
  assert.deepEqual(fillOf(budget(100, 30, 20)), { spent: 0.3, reserved: 0.2, level: "fine" });
  assert.deepEqual(fillOf(budget(100, 90, 50)), { spent: 0.9, reserved: 1 - 0.9, level: "near" });
  assert.deepEqual(fillOf(budget(100, 130, 5)), { spent: 1, reserved: 0, level: "full" });
  assert.deepEqual(fillOf(budget(0, 0)), { spent: 1, reserved: 0, level: "full" });
  assert.equal(fillOf(budget(100, 50, 0, true)).level, "full");
});

test("the budget that refuses first is the one that is shown", () => {
  const spend: Spend = { usd: 1, requests: 1, tokens: 1, budgets: [budget(100, 10), budget(20, 15), budget(0, 0)] };
  assert.equal(tightest(spend)?.limit, 20);
  assert.equal(tightest(undefined), undefined);
  assert.equal(hasLimits({ budgets: [] }), false);
  assert.equal(hasLimits({ rate: { requests_per_minute: 5 } }), true);
});

test("pages join without doubles, and keep their order", () => {
  const first = appended(undefined, { data: [{ id: "a" }, { id: "b" }], next: "2", total: 4 });
  const both = appended(first, { data: [{ id: "b" }, { id: "c" }], next: null });
  assert.deepEqual(both, { rows: [{ id: "a" }, { id: "b" }, { id: "c" }], next: null, total: 4 });
});

test("what arrives live stands on top once, newest first, and old rows make room", () => {
  const rows = [{ seq: "3" }, { seq: "2" }];
  assert.deepEqual(prepended(rows, [{ seq: "4" }, { seq: "5" }, { seq: "3" }], 10), [{ seq: "5" }, { seq: "4" }, { seq: "3" }, { seq: "2" }]);
  assert.deepEqual(prepended(rows, [{ seq: "4" }], 2), [{ seq: "4" }, { seq: "3" }]);
  assert.equal(prepended(rows, [{ seq: "2" }], 10), rows);
});

test("queries leave out what says nothing and escape the rest", () => {
  assert.equal(withQuery("/logs", { q: "a&b", empty: "", none: undefined, zero: 0 }), "/logs?q=a%26b&zero=0");
  assert.equal(withQuery("/logs", {}), "/logs");
});

test("attempts are read from lists of RFC 9651, with what they quote", () => {
  const text = '"openai-main/gpt-4.1";status=503;trouble="overloaded";ms=312, "a \\"b\\", c";status=200;ms=801';
  assert.deepEqual(stepsOf(text), [
    { target: "openai-main/gpt-4.1", status: 503, trouble: "overloaded", ms: 312 }, { target: 'a "b", c', status: 200, ms: 801 },
  ]);
  assert.deepEqual(stepsOf('"azure/nano";why="the failure does not lead there"'), [{ target: "azure/nano", why: "the failure does not lead there" }]);
  assert.deepEqual(stepsOf([{ target: "x", status: 200, ms: 5 }, "y/z"]), [{ target: "x", status: 200, ms: 5 }, { target: "y/z" }]);
  assert.deepEqual(stepsOf(undefined), []);
});

test("a waterfall has a bar for each step that was reached, none of them negative", () => {
  const none = { read_ms: null, admitted_ms: null, sent_ms: null, first_byte_ms: null, replied_ms: null, finished_ms: null };
  const bars = barsOf({ total_ms: 10, timings: { ...none, read_ms: 4, admitted_ms: 1, sent_ms: 2, first_byte_ms: -1, finished_ms: 10 } });
  assert.deepEqual(bars.map((bar) => [bar.name, bar.from, bar.to]), [["Read", 0, 4], ["Admit", 1, 1], ["Send", 2, 2], ["Finish", 4, 10]]);
  assert.deepEqual(barsOf({ total_ms: 1, timings: none }), []);
});

test("ranges end now, or stand for themselves", () => {
  const now = Date.parse("2026-11-27T12:00:04Z");
  assert.deepEqual(rangeOf({ range: "1h" }, now), { since: "2026-11-27T11:00:10Z", until: "2026-11-27T12:00:10Z", seconds: 3600, isLive: true, name: "1h" });
  assert.equal(rangeOf({ range: "nonsense" }, now).name, "24h");
  assert.equal(rangeOf({ since: "nonsense", until: "x" }, now).isLive, true);
  const custom = rangeOf({ since: "2026-11-01T00:00:00Z", until: "2026-11-02T00:00:00Z" }, now);
  assert.equal(custom.isLive, false);
  assert.deepEqual(before(custom), { since: "2026-10-31T00:00:00Z", until: "2026-11-01T00:00:00Z" });
  assert.equal(secondsOf("7d"), 604_800);
});

test("events come out whole, however the text is cut", () => {
  const text = 'data: {"a":1}\n\n: a comment\n\ndata: x\r\ndata: y\r\n\r\ndata: [DONE]\n\n';
  for (let size = 1; size < text.length; size++) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...reader.feed(text.slice(at, at + size)));
    assert.deepEqual(events, ['{"a":1}', "x\ny", "[DONE]"], `by ${size}`);
  }
});
