import assert from "node:assert/strict";
import { test } from "node:test";
import { applyPatch, equal, formPath, lineOf, linesOf, memberAt, mergePatch, pruned, syntaxFault, withMember } from "../src/lib/json.ts";
import type { JsonObject } from "../src/lib/types.ts";

test("a merge patch turns the one into the other, whatever they are", () => {
  const cases: [JsonObject, JsonObject, JsonObject][] = [
    [{ a: 1 }, { a: 1 }, {}],
    [{ a: 1, b: 2 }, { a: 1 }, { b: null }],
    [{ rate: { rpm: 1, tpm: 2 } }, { rate: { rpm: 3, tpm: 2 } }, { rate: { rpm: 3 } }],
    [{ rate: { rpm: 1, tpm: 2 } }, { rate: { rpm: 1 } }, { rate: { tpm: null } }],
    [{ list: [1, 2] }, { list: [1] }, { list: [1] }],
    [{ a: null }, {}, {}],
    [{ a: { b: 1 } }, { a: [1] }, { a: [1] }],
  ];
  for (const [before, after, patch] of cases) {
    assert.deepEqual(mergePatch(before, after), patch);
    assert.ok(equal(pruned(applyPatch(before, patch)), pruned(after)));
  }
});

test("members are read and set by path, also in lists", () => {
  const value: JsonObject = { budgets: [{ usd: 1 }, { usd: 2 }], rate: { rpm: 1 } };
  assert.equal(memberAt(value, "budgets.1.usd"), 2);
  assert.equal(memberAt(value, "budgets.7.usd"), undefined);
  assert.deepEqual(withMember(value, "budgets.1.usd", 5).budgets, [{ usd: 1 }, { usd: 5 }]);
  assert.deepEqual(withMember(value, "rate.rpm", undefined).rate, {});
  assert.deepEqual(withMember({}, "a.b.c", 1), { a: { b: { c: 1 } } });
  assert.deepEqual(value, { budgets: [{ usd: 1 }, { usd: 2 }], rate: { rpm: 1 } });
});

test("what is empty is not sent, but false and 0 are", () => {
  assert.deepEqual(pruned({ a: "", b: [], c: {}, d: null, e: { f: "" }, g: false, h: 0 }), { g: false, h: 0 });
});

test("paths of the API are paths of the form", () => {
  for (const [path, expected] of [["$.budgets[0].usd", "budgets.0.usd"], ["$", ""], [undefined, ""], ["$['a b'].c", "a b.c"], ["name", "name"], ["$[2]", "2"]] as const) {
    assert.equal(formPath(path), expected);
  }
});

test("each member knows the line that it stands on", () => {
  const lines = linesOf('{\n  "a": 1,\n  "b": {\n    "c\\"d": [\n      1,\n      {"e": true}\n    ]\n  }\n}');
  assert.equal(lines.get("a"), 2);
  assert.equal(lines.get("b"), 3);
  assert.equal(lines.get('b.c"d.1'), 6);
  assert.equal(lineOf(lines, 'b.c"d.1.e'), 6);
  assert.equal(lineOf(lines, "b.missing.deep"), 3);
  assert.equal(lineOf(lines, "nowhere"), 1);
});

test("a text that is no JSON has lines up to its fault, and never hangs", () => {
  const texts = ["", "{", '{"a"', '{"a": ', "[1,", '{"a": 1 "b": 2}', "[,]", '"', "{]", '{"a": [}', "nonsense", "01", "1.", "-", "truely", '"\\x"', '"a\nb"', "[1] 2", "{,}", "[1,]",
    "1e5", "[]", "{}", ' {"a": [1, -2.5e-3, "\\u00e9\\n", null]} ', '"\\', "\u00a01"];
  for (const text of texts) {
    let holds = true;
    try {
      JSON.parse(text);
    } catch {
      holds = false;
    }
    assert.equal(syntaxFault(text) === null, holds, text);
  }
  assert.equal(syntaxFault('{\n  "a": 1,\n  "b": nope\n}')?.line, 3);
  assert.equal(syntaxFault('{"a": 1}'), null);
});
