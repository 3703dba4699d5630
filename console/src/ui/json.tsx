// JSON to read and to edit: colours, line numbers, and problems marked on the line they stand on.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { lineOf, linesOf, syntaxFault } from "../lib/json.ts";
import type { Json } from "../lib/types.ts";
import { Button, Copy } from "./basics.tsx";
import { type Common, Field, useMember } from "./form.tsx";

const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
// A text beyond this is shown plain: colours would cost more than they tell.
const MOST_COLOURED = 60_000;

export function coloured(text: string): ComponentChildren {
  if (text.length > MOST_COLOURED) return text;
  const parts: ComponentChildren[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    parts.push(text.slice(end, match.index));
    const kind = match[2] !== undefined ? "name" : match[1] ? "string" : match[3] ? "word" : "number";
    parts.push(<span class={`j-${kind}`}>{match[1] ?? match[0]}</span>, match[2] ?? "");
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

const pretty = (text: string): string | null => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
};

/** A body as it was recorded: JSON in order and colours, everything else as it is. */
export function Body({ text, label }: { text: string; label: string }) {
  const [isRaw, setRaw] = useState(false);
  const ordered = pretty(text);
  const seen = isRaw || ordered === null ? text : ordered;
  return (
    <div class="snippet body">
      <pre tabIndex={0} aria-label={label} class="wrap"><code>{ordered !== null ? coloured(seen) : seen}</code></pre>
      <span class="snippet-actions">
        {ordered !== null && ordered !== text && <Button small kind="quiet" onClick={() => setRaw(!isRaw)}>{isRaw ? "Pretty" : "Raw"}</Button>}
        <Copy text={text} label={`Copy ${label}`} />
      </span>
    </div>
  );
}

export type Marked = { path: string; message: string };

/** An editor of JSON text with line numbers; `problems` are marked by their paths, faults of the syntax by their line. */
export function JsonEditor({ text, change, problems = [], label, disabled, rows = 18, id, wrong }: {
  text: string; change: (text: string) => void; problems?: readonly Marked[]; label: string; disabled?: boolean; rows?: number; id?: string; wrong?: boolean;
}) {
  const gutter = useRef<HTMLDivElement>(null);
  const under = useRef<HTMLPreElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const fault = text.trim() ? syntaxFault(text) : null;
  const lines = linesOf(text);
  const marked = new Map<number, string[]>();
  const mark = (line: number, message: string) => marked.set(line, [...(marked.get(line) ?? []), message]);
  if (fault) mark(fault.line, fault.message);
  else for (const problem of problems) mark(lineOf(lines, problem.path), problem.path ? `${problem.path}: ${problem.message}` : problem.message);
  const scroll = () => {
    if (!area.current) return;
    const { scrollTop, scrollLeft } = area.current;
    if (gutter.current) gutter.current.style.transform = `translateY(${-scrollTop}px)`;
    if (under.current) under.current.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
  };
  useEffect(scroll, [text]);
  const showLine = (line: number) => {
    if (!area.current) return;
    const begin = text.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.current.focus();
    area.current.setSelectionRange(begin, begin + (text.split("\n")[line - 1]?.length ?? 0));
    area.current.scrollTop = Math.max(0, (line - 4) * 20);
  };
  const keys = (event: KeyboardEvent) => {
    // Tab indents; Escape first gives Tab back to the keyboard's way through the page.
    if (event.key !== "Tab" || event.shiftKey || area.current?.dataset.leave) return;
    event.preventDefault();
    document.execCommand("insertText", false, "  ");
  };
  return (
    <div class={`editor ${wrong || marked.size ? "wrong" : ""}`}>
      <div class="editor-body">
        <div class="gutter" aria-hidden="true">
          <div ref={gutter}>
            {text.split("\n").map((_, index) => <i key={index} class={marked.has(index + 1) ? "marked" : undefined}>{index + 1}</i>)}
          </div>
        </div>
        <div class="sheet">
          <pre ref={under} aria-hidden="true">
            {[...marked.keys()].map((line) => <u key={line} style={{ top: `${(line - 1) * 20 + 8}px` }} />)}
            <code>{coloured(text)}{"\n"}</code>
          </pre>
          <textarea ref={area} id={id} value={text} rows={rows} aria-label={label} aria-invalid={marked.size ? true : undefined} spellcheck={false}
            autocapitalize="off" autocomplete="off" disabled={disabled} wrap="off" onScroll={scroll}
            onInput={(event) => change(event.currentTarget.value)}
            onFocus={(event) => delete event.currentTarget.dataset.leave}
            onKeyDown={(event) => {
              if (event.key === "Escape" && !event.currentTarget.dataset.leave) event.preventDefault(), (event.currentTarget.dataset.leave = "1");
              else keys(event);
            }} />
        </div>
      </div>
      {marked.size > 0 && (
        <ul class="problems" role="status" aria-label="Problems">
          {[...marked].sort(([a], [b]) => a - b).flatMap(([line, messages]) => messages.map((message) => (
            <li key={line + message}><button type="button" onClick={() => showLine(line)}><b>Line {line}</b> {message}</button></li>
          )))}
        </ul>
      )}
    </div>
  );
}

/** A member of a form that is edited as JSON; the draft follows whenever the text is JSON. */
export function JsonField({ at, label, hint, required, rows = 6 }: Common & { rows?: number }) {
  const { value, error, set, id } = useMember(at);
  const outside = value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
  const [text, setText] = useState(outside);
  useEffect(() => {
    if (pretty(text || "null") !== pretty(outside || "null")) setText(outside);
  }, [outside]);
  const put = (typed: string) => {
    setText(typed);
    if (!typed.trim()) set(undefined);
    else if (!syntaxFault(typed)) set(JSON.parse(typed) as Json);
  };
  return (
    <Field id={id} label={label} hint={hint} error={error} required={required}>
      <JsonEditor id={id} text={text} change={put} label={label} rows={rows} wrong={Boolean(error)} />
    </Field>
  );
}
