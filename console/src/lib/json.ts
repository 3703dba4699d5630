// JSON as a form needs it: members by path, what changed (RFC 7396), where a path stands in a text.

import type { Json, JsonObject } from "./types.ts";

export const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (isObject(a) && isObject(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => equal(a[name], b[name]));
  }
  return false;
}

/** The member at "rate.requests_per_minute" or "budgets.0.usd". */
export function memberAt(value: unknown, path: string): Json | undefined {
  let found = value as Json | undefined;
  for (const name of path.split(".")) {
    if (Array.isArray(found)) found = found[Number(name)];
    else if (isObject(found)) found = found[name];
    else return undefined;
  }
  return found;
}

/** A copy with the member at a path set; undefined takes it away, and objects that it leaves empty become null. */
export function withMember(value: JsonObject, path: string, member: Json | undefined): JsonObject {
  const [name = "", ...rest] = path.split(".");
  const copy = { ...value };
  if (rest.length === 0) {
    if (member === undefined) delete copy[name];
    else copy[name] = member;
    return copy;
  }
  const inner = copy[name];
  if (Array.isArray(inner)) {
    const [index = "", ...deeper] = rest;
    copy[name] = inner.map((item, at) =>
      at !== Number(index) ? item : deeper.length ? withMember(isObject(item) ? item : {}, deeper.join("."), member) : (member ?? null));
    return copy;
  }
  copy[name] = withMember(isObject(inner) ? inner : {}, rest.join("."), member);
  return copy;
}

/** What turns `before` into `after` as a merge patch: members that are gone are null, lists are sent whole. */
export function mergePatch(before: JsonObject, after: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old = before[name];
    const now = after[name];
    if (equal(old ?? null, now ?? null)) continue;
    patch[name] = isObject(old) && isObject(now) ? mergePatch(old, now) : (now ?? null);
  }
  return patch;
}

export function applyPatch(value: JsonObject, patch: JsonObject): JsonObject {
  const result = { ...value };
  for (const [name, member] of Object.entries(patch)) {
    if (member === null) delete result[name];
    else if (isObject(member)) result[name] = applyPatch(isObject(result[name]) ? (result[name] as JsonObject) : {}, member);
    else result[name] = member;
  }
  return result;
}

/** Members without the empty ones ("" , {}, [], null, undefined): what is sent to create something. */
export function pruned(value: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const inner = isObject(member) ? pruned(member) : member;
    const isEmpty = inner === null || inner === undefined || inner === "" || (Array.isArray(inner) && inner.length === 0)
      || (isObject(inner) && Object.keys(inner).length === 0);
    if (!isEmpty) kept[name] = inner as Json;
  }
  return kept;
}

/** "$.budgets[0].usd" and "$['a b']" as the paths of a form: "budgets.0.usd", "a b". */
export function formPath(path: string | undefined): string {
  return (path ?? "").replace(/^\$\.?/, "").replace(/\[["']?([^\]"']*)["']?\]/g, ".$1").replace(/^\./, "");
}

type Scan = { lines: Map<string, number>; fault: { line: number; message: string } | null };

const WORD = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/** Go through a JSON text: the line of each member, and where it stops being JSON. Engines word their errors each in another way. */
function scan(text: string): Scan {
  const lines = new Map<string, number>();
  let at = 0;
  let line = 1;
  let fault: Scan["fault"] = null;
  const wrong = (expected: string): false => {
    fault ??= { line, message: `expected ${expected}, found ${at < text.length ? `"${text[at]}"` : "the end"}` };
    return false;
  };
  const skip = () => {
    for (; at < text.length && " \t\r\n".includes(text[at]!); at++) if (text[at] === "\n") line++;
  };
  const string = (): string | false => {
    const begin = at++;
    while (at < text.length && text[at] !== '"' && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
    if (text[at] !== '"') return wrong('a " that ends the text');
    at++;
    try {
      return JSON.parse(text.slice(begin, at)) as string;
    } catch {
      at = begin;
      return wrong("a text with known escapes");
    }
  };
  const value = (path: string): boolean => {
    skip();
    if (!lines.has(path)) lines.set(path, line);
    const open = text[at];
    if (open === '"') return string() !== false;
    if (open !== "{" && open !== "[") {
      WORD.lastIndex = at;
      const word = WORD.exec(text);
      at += word?.[0].length ?? 0;
      return word !== null || wrong("a value");
    }
    const close = open === "{" ? "}" : "]";
    at++;
    skip();
    if (text[at] === close) return at++, true;
    for (let index = 0; ; index++) {
      skip();
      let name: string | false = String(index);
      if (open === "{") {
        if (text[at] !== '"') return wrong('a name in "quotes"');
        const begun = line;
        name = string();
        if (name === false) return false;
        lines.set(path ? `${path}.${name}` : name, begun);
        skip();
        if (text[at] !== ":") return wrong('":"');
        at++;
      }
      if (!value(path ? `${path}.${name}` : name)) return false;
      skip();
      if (text[at] === close) return at++, true;
      if (text[at] !== ",") return wrong(`"," or "${close}"`);
      at++;
    }
  };
  if (value("")) {
    skip();
    if (at < text.length) wrong("nothing more");
  }
  return { lines, fault };
}

/** The line (from 1) on which each member of a JSON text stands, by its form path; "" is the whole. What follows a fault is left out. */
export const linesOf = (text: string): Map<string, number> => scan(text).lines;

/** What is wrong with a JSON text and on which line; null where nothing is. */
export const syntaxFault = (text: string): Scan["fault"] => scan(text).fault;

/** The line of a path, or of the nearest member above it that stands in the text. */
export function lineOf(lines: Map<string, number>, path: string): number {
  for (let name = path; name; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const line = lines.get(name);
    if (line) return line;
  }
  return 1;
}
