// Small parts that every page is made of: buttons, badges, copy buttons, what stands where there is nothing yet.

import { signal } from "@preact/signals";
import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, isAway } from "../lib/api.ts";
import { relative } from "../lib/format.ts";
import { Icon, type IconName } from "./icons.tsx";

type ButtonProps = {
  children?: ComponentChildren; icon?: IconName; kind?: "plain" | "primary" | "danger" | "quiet"; label?: string | undefined; href?: string;
  small?: boolean; busy?: boolean; disabled?: boolean; class?: string; id?: string; type?: "button" | "submit"; onClick?: (event: MouseEvent) => void;
  download?: boolean; target?: string; "data-create"?: boolean; "aria-expanded"?: boolean; "aria-pressed"?: boolean; "aria-controls"?: string;
};

/** A button, or a link that looks like one; without words it needs a label. */
export function Button({ children, icon, kind = "plain", label, href, small, busy, type = "button", class: extra, ...rest }: ButtonProps) {
  const names = ["button", kind, small ? "small" : "", children ? "" : "square", extra].filter(Boolean).join(" ");
  const inside = (
    <>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </>
  );
  const named = { "aria-label": label, title: children ? undefined : label };
  if (href) return <a class={names} href={href} {...named} {...(rest as object)}>{inside}</a>;
  return (
    <button class={names} type={type} aria-busy={busy || undefined} {...named} {...(rest as ButtonHTMLAttributes<HTMLButtonElement>)}
      disabled={rest.disabled || busy}>
      {inside}
    </button>
  );
}

export type Tone = "good" | "bad" | "warn" | "plain" | "accent";

export function Badge({ tone = "plain", children, dot }: { tone?: Tone; children: ComponentChildren; dot?: boolean }) {
  return <span class={`badge ${tone}`}>{dot && <i class="dot" aria-hidden="true" />}{children}</span>;
}

const TONES: Record<string, Tone> = {
  active: "good", exhausted: "bad", expired: "plain", disabled: "plain", served: "good", refused: "warn", failed: "bad", cancelled: "plain",
  lost: "bad", sent: "good", pending: "warn",
};

export function StateBadge({ state }: { state: string }) {
  return <Badge tone={TONES[state] ?? "plain"} dot>{state}</Badge>;
}

/** Text that is copied by a click; says so for a moment, to eyes and to screen readers. */
export function Copy({ text, label = "Copy", children, small = true }: {
  text: string | (() => string); label?: string; children?: ComponentChildren; small?: boolean;
}) {
  const [done, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const value = typeof text === "string" ? text : text();
    if (!(await toClipboard(value))) return toast("The browser did not allow copying: select the text and copy it by hand", "bad");
    setDone(true);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setDone(false), 1600);
  };
  return (
    <Button icon={done ? "check" : "copy"} kind={children ? "plain" : "quiet"} small={small} label={done ? "Copied" : label} onClick={copy}>
      {children && (done ? "Copied" : children)}
    </Button>
  );
}

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // over plain HTTP there is no clipboard, but the older way works
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A piece of text to take away: in a monospaced box with a button. */
export function Snippet({ text, label, wrap }: { text: string; label: string; wrap?: boolean }) {
  return (
    <div class="snippet">
      <pre class={wrap ? "wrap" : undefined} tabIndex={0} aria-label={label}><code>{text}</code></pre>
      <Copy text={text} label={`Copy ${label}`} />
    </div>
  );
}

export function Ago({ at, never = "never" }: { at: string | null | undefined; never?: string }) {
  return at ? <time dateTime={at} title={new Date(at).toLocaleString()}>{relative(at)}</time> : <span class="faint">{never}</span>;
}

/** What stands where a list is empty: what it is for, and what to do next. */
export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="emblem"><Icon name={icon} size={22} /></span>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

/** What failed, in the API's words, and a way to try again. */
export function Failure({ error, what, retry }: { error: ApiError; what: string; retry?: () => void }) {
  const isForbidden = error.code === "forbidden";
  return (
    <div class="failure" role="alert">
      <Icon name="warning" size={18} />
      <div>
        <strong>{isForbidden ? `You may not see ${what}` : error.code === "not_found" ? `There is no such thing: ${what}` : `Could not load ${what}`}</strong>
        <p>
          {isAway.value ? "The control process does not answer. This page comes back by itself." : error.message}
          {error.requestId && <span class="faint"> · request {error.requestId}</span>}
        </p>
      </div>
      {retry && !isForbidden && <Button small icon="refresh" onClick={retry}>Retry</Button>}
    </div>
  );
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => <i key={index} />)}
    </div>
  );
}

type Note = { id: number; text: string; tone: Tone };
const notes = signal<Note[]>([]);

/** Say something in passing; what failed stays longer. */
export function toast(text: string, tone: Tone = "good"): void {
  const id = Date.now() + Math.random();
  notes.value = [...notes.value.slice(-3), { id, text, tone }];
  setTimeout(() => (notes.value = notes.value.filter((note) => note.id !== id)), tone === "bad" ? 8000 : 3500);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {notes.value.map((note) => (
        <div key={note.id} class={`toast ${note.tone}`}>
          <Icon name={note.tone === "bad" ? "warning" : "check"} />
          {note.text}
        </div>
      ))}
    </div>
  );
}

/** Names in small frames, a few of them. */
export function Chips({ names, most = 3, none = "all" }: { names: readonly string[] | undefined; most?: number; none?: string }) {
  if (!names?.length) return <span class="faint">{none}</span>;
  return (
    <span class="chips" title={names.join(", ")}>
      {names.slice(0, most).map((name) => <span key={name} class="chip">{name}</span>)}
      {names.length > most && <span class="faint">+{names.length - most}</span>}
    </span>
  );
}

export type Fact = [name: string, value: ComponentChildren];

export function Facts({ rows }: { rows: (Fact | false | null | undefined | "" | 0)[] }) {
  return (
    <dl class="facts">
      {rows.filter((row) => Array.isArray(row)).map(([name, value]) => (
        <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
      ))}
    </dl>
  );
}

export function Section({ title, children, action, isTop }: { title: string; children: ComponentChildren; action?: ComponentChildren; isTop?: boolean }) {
  const Heading = isTop ? "h2" : "h3";
  return (
    <section class="part" aria-label={title}>
      <header><Heading>{title}</Heading>{action}</header>
      {children}
    </section>
  );
}

/** Tabs that change what is shown below them; arrow keys move between them. */
export function Tabs<T extends string>({ tabs, chosen, choose, label }: {
  tabs: readonly (readonly [T, ComponentChildren])[]; chosen: T; choose: (tab: T) => void; label: string;
}) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const at = tabs.findIndex(([name]) => name === chosen);
    const next = (at + by + tabs.length) % tabs.length;
    choose(tabs[next]![0]);
    list.current?.querySelectorAll("button")[next]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(([name, title]) => (
        <button key={name} type="button" role="tab" aria-selected={name === chosen} tabIndex={name === chosen ? 0 : -1}
          onClick={() => choose(name)}>{title}</button>
      ))}
    </div>
  );
}

/** One of a few, as a row of buttons. */
export function Choice<T extends string>({ options, chosen, choose, label }: {
  options: readonly (readonly [T, ComponentChildren, string?])[]; chosen: T | string; choose: (option: T) => void; label: string;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([name, title, hint]) => (
        <button key={name} type="button" aria-pressed={name === chosen} title={hint} aria-label={hint} onClick={() => choose(name)}>{title}</button>
      ))}
    </div>
  );
}
