// A page's frame: title, what can be done, and the panel that opens beside the list.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isDirty } from "../lib/dirty.ts";
import { Button } from "./basics.tsx";
import { confirm } from "./dialog.tsx";
import { Icon } from "./icons.tsx";

export function Page({ title, lead, actions, children, panel }: {
  title: string; lead?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; panel?: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · fastgw`;
  }, [title]);
  return (
    <div class={`page ${panel ? "with-panel" : ""}`}>
      <div class="content">
        <header class="page-head">
          <div>
            <h1>{title}</h1>
            {lead && <p class="lead">{lead}</p>}
          </div>
          {actions && <div class="actions">{actions}</div>}
        </header>
        {children}
      </div>
      {panel}
    </div>
  );
}

/** What is opened of a list: beside it where there is room, over it on a phone; Escape closes it. */
export function Panel({ title, mark, close, children, wide, id }: {
  title: ComponentChildren; mark?: ComponentChildren; close: () => void; children: ComponentChildren; wide?: boolean; id: string;
}) {
  const frame = useRef<HTMLElement>(null);
  const leave = () => {
    if (!isDirty.value) return close();
    confirm({
      title: "Discard your changes?", text: <p>What you changed here was not saved.</p>, action: "Discard", danger: true,
      go: () => {
        isDirty.value = false;
        close();
      },
    });
  };
  useEffect(() => {
    frame.current?.scrollTo(0, 0);
    // a list that is gone through with j and k keeps the focus
    if (!(document.activeElement as HTMLElement | null)?.dataset.row) frame.current?.focus({ preventScroll: true });
  }, [id]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
      event.preventDefault();
      leave();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  });
  return (
    <aside class={`panel ${wide ? "wide" : ""}`} ref={frame} tabIndex={-1} aria-label={typeof title === "string" ? title : "Details"}>
      <header>
        <h2>{title}</h2>
        {mark}
        <span class="space" />
        <Button icon="close" kind="quiet" label="Close" onClick={leave} />
      </header>
      <div class="panel-body">{children}</div>
    </aside>
  );
}

/** A field to search by; what is typed is taken over after a moment, so that not every letter asks the gateway. */
export function Search({ value, change, label, wait_ms = 250 }: { value: string; change: (text: string) => void; label: string; wait_ms?: number }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  // what is opened while a moment passes stays open: the change is made to the place as it is then
  const latest = useRef(change);
  latest.current = change;
  useEffect(() => setText(value), [value]);
  const apply = (typed: string, wait: number) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => latest.current(typed.trim()), wait);
  };
  return (
    <div class="search">
      <Icon name="search" />
      <input type="search" value={text} placeholder={label} aria-label={label} spellcheck={false} autocomplete="off"
        onInput={(event) => (setText(event.currentTarget.value), apply(event.currentTarget.value, wait_ms))}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply(text, 0);
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (text) setText(""), apply("", 0);
          else event.currentTarget.blur();
        }} />
      <kbd aria-hidden="true">/</kbd>
    </div>
  );
}

/** A filter that stands in the URL, as a list to choose from; with a label that says what it filters. */
export function Filter({ label, value, options, change }: {
  label: string; value: string | undefined; options: readonly (readonly [string, string])[]; change: (value: string) => void;
}) {
  const isKnown = !value || options.some(([name]) => name === value);
  return (
    <label class={`filter ${value ? "on" : ""}`}>
      <span class="sr-only">{label}</span>
      <select value={value ?? ""} onChange={(event) => change(event.currentTarget.value)}>
        <option value="">{label}</option>
        {!isKnown && <option value={value}>{value}</option>}
        {options.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}
