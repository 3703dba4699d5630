// What became of a request on its way through a route: lists of RFC 9651 as records have them, or lists of objects.

import { isObject } from "./json.ts";

export type Step = { target: string; status?: number; trouble?: string; ms?: number; why?: string };

const MEMBER = /"((?:[^"\\]|\\.)*)"((?:;[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^;,"]*))*)/g;
const PARAMETER = /;([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))/g;
const plain = (text: string) => text.replace(/\\(.)/g, "$1");

function stepsOfText(text: string): Step[] {
  return [...text.matchAll(MEMBER)].map(([, target = "", rest = ""]) => {
    const step: Step & Record<string, unknown> = { target: plain(target) };
    for (const [, name = "", quoted, word] of rest.matchAll(PARAMETER)) step[name] = quoted !== undefined ? plain(quoted) : Number(word);
    return step;
  });
}

export function stepsOf(trail: unknown): Step[] {
  if (typeof trail === "string") return stepsOfText(trail);
  if (!Array.isArray(trail)) return [];
  return trail.flatMap((item): Step[] => {
    if (typeof item === "string") return stepsOfText(item.startsWith('"') ? item : JSON.stringify(item));
    if (!isObject(item)) return [];
    const target = item.target ?? item.label ?? item.name ?? "";
    return [{ ...(item as unknown as Step), target: String(target) }];
  });
}
