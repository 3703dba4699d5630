import assert from "node:assert/strict";
import { test } from "node:test";
import { amount, bytes, count, duration, money, moneyExact, relative, share, whole, windowName } from "../src/lib/format.ts";

const rows = <A>(cases: [A, string][], say: (value: A) => string) => {
  for (const [value, expected] of cases) assert.equal(say(value), expected, String(value));
};

test("money shows cents from a dollar on, and three digits that tell something below", () => {
  rows<number | null | undefined>([
    [0, "$0"], [1234.5, "$1,235"], [12.345, "$12.35"], [1, "$1.00"], [0.4, "$0.40"], [0.0784, "$0.078"], [0.00042, "$0.00042"], [0.0000005, "$0.0000005"],
    [-3.5, "-$3.50"], [null, "–"], [undefined, "–"],
  ], money);
});

test("exact money keeps all nine decimals", () => {
  rows<number | null>([[0.001119, "$0.001119"], [0.000000001, "$0.000000001"], [2, "$2.00"], [null, "unknown price"]], moneyExact);
});

test("counts have three digits, also where rounding would make four", () => {
  rows<number | null>([
    [0, "0"], [7, "7"], [999, "999"], [1000, "1.00k"], [12_345, "12.3k"], [999_949, "1.00M"], [99_950, "100k"], [1_000_000, "1.00M"], [2.5e9, "2.50B"], [null, "–"], [2.25, "2.3"],
  ], count);
});

test("durations choose the unit that reads best", () => {
  rows<number | null>([
    [0, "0 ms"], [0.0421, "0.042 ms"], [1.5, "1.50 ms"], [12.34, "12.3 ms"], [99.7, "100 ms"], [999.4, "999 ms"], [999.6, "1.00 s"], [12_345, "12.3 s"], [60_000, "1 min"],
    [185_000, "3 min 5 s"], [-1, "–"], [null, "–"],
  ], duration);
});

test("shares say when they are small but not nothing", () => {
  rows<number | null>([[0, "0 %"], [0.0002, "<0.1 %"], [0.0123, "1.2 %"], [1, "100 %"], [null, "–"], [Number.NaN, "–"]], (value) => share(value));
});

test("bytes, amounts and windows are worded", () => {
  rows([[512, "512 B"], [2048, "2.0 KiB"], [812_000_000, "774 MiB"]], bytes);
  assert.equal(amount(1500, "tokens"), "1.50k tokens");
  assert.equal(amount(1.5, "usd"), "$1.50");
  rows([["month", "a month"], ["14d", "every 14 days"], ["fortnight", "fortnight"]], windowName);
  assert.equal(whole(1234567), "1,234,567");
});

test("times say how far off they are, in both directions", () => {
  const now = Date.parse("2026-11-27T12:00:00Z");
  rows<string | null>([
    ["2026-11-27T11:59:58Z", "now"], ["2026-11-27T11:57:00Z", "3 min ago"], ["2026-11-27T14:00:01Z", "in 2 h"], ["2026-11-20T12:00:00Z", "7 d ago"], [null, "never"],
  ], (at) => relative(at, now));
});
