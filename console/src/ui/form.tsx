// Forms over one object: fields by path, what changed is sent as a merge patch, errors stand beside the field they name.

import { type Signal, useSignal } from "@preact/signals";
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError } from "../lib/api.ts";
import { isDirty } from "../lib/dirty.ts";
import { applyPatch, equal, memberAt, mergePatch, pruned, withMember } from "../lib/json.ts";
import { change, Creation } from "../lib/query.ts";
import type { Json, JsonObject, Stored } from "../lib/types.ts";
import { Button, toast } from "./basics.tsx";
import { Conflict } from "./conflict.tsx";

export type FormState = {
  draft: Signal<JsonObject>; errors: Signal<Map<string, string>>; places: Set<string>; prefix: string; set: (path: string, member: Json | undefined) => void;
};
export const FormContext = createContext<FormState>(null as unknown as FormState);

/** The member of the draft at a path, with its errors; fields of lists call it with a path such as "targets.0.model". */
export function useMember(at: string) {
  const form = useContext(FormContext);
  useEffect(() => {
    form.places.add(at);
    return () => void form.places.delete(at);
  }, [at, form]);
  return {
    value: memberAt(form.draft.value, at),
    error: form.errors.value.get(at),
    set: (member: Json | undefined) => form.set(at, member),
    id: `${form.prefix}-${at.replace(/[^\w-]/g, "-")}`,
  };
}

type FormProps = {
  object?: (Stored & object) | undefined; path: string; method?: "POST" | "PUT"; blank?: JsonObject; children: ComponentChildren; disabled?: boolean; submit?: string;
  done?: (saved: JsonObject) => void; cancel?: () => void; what: string; saved?: string;
};

/** Create at `path` where there is no object, else change the object there; only what changed is sent, and a conflict is shown. */
export function Form({ object, path, method = "POST", blank, children, disabled, submit, done, cancel, what, saved }: FormProps) {
  const before = useMemo(() => (object ?? blank ?? {}) as JsonObject, [object?.id, object?.version]);
  const draft = useSignal<JsonObject>(before);
  const errors = useSignal(new Map<string, string>());
  const [busy, setBusy] = useState(false);
  const [conflict, setConflict] = useState<{ theirs: JsonObject; patch: JsonObject } | null>(null);
  const places = useRef(new Set<string>());
  const creation = useRef(new Creation());
  const frame = useRef<HTMLFormElement>(null);
  const base = useRef(before);

  useEffect(() => {
    // A change from elsewhere is taken over, unless there are changes here: then saving tells of the conflict.
    if (equal(draft.peek(), base.current)) draft.value = before;
    if (equal(draft.peek(), base.current) || (object && base.current.id !== object.id)) draft.value = before;
    base.current = before;
  }, [before]);

  const isChanged = object ? !equal(pruned(draft.value), pruned(before)) : !equal(draft.value, before);
  useLayoutEffect(() => {
    isDirty.value = isChanged && !disabled;
    return () => void (isDirty.value = false);
  }, [isChanged, disabled]);

  const state: FormState = useMemo(() => ({
    draft, errors, places: places.current, prefix: `f${Math.random().toString(36).slice(2, 7)}`,
    set: (at, member) => {
      draft.value = withMember(draft.peek(), at, member);
      if ([...errors.peek().keys()].some((name) => name === at || name.startsWith(`${at}.`))) {
        errors.value = new Map([...errors.peek()].filter(([name]) => name !== at && !name.startsWith(`${at}.`)));
      }
    },
  }), []);

  const save = async (version: number | undefined, patch: JsonObject) => {
    setBusy(true);
    errors.value = new Map();
    try {
      const answer = object
        ? await change<JsonObject>("PATCH", path, patch, { ifMatch: version })
        : await change<JsonObject>(method, path, patch, { idempotencyKey: creation.current.keyFor(patch) });
      setConflict(null);
      isDirty.value = false;
      if (object) {
        base.current = answer;
        draft.value = answer;
        toast(saved ?? `Saved the ${what}`);
      }
      done?.(answer);
    } catch (failure) {
      const error = failure as ApiError;
      if (error.code === "conflict" && error.current) setConflict({ theirs: error.current as JsonObject, patch });
      else {
        errors.value = error instanceof ApiError ? error.byField : new Map([["", String(failure)]]);
        queueMicrotask(() => frame.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
      }
    }
    setBusy(false);
  };
  const submitAll = (event: Event) => {
    event.preventDefault();
    void save(object?.version, object ? mergePatch(pruned(before), pruned(draft.value)) : pruned(draft.value));
  };

  const isClaimed = (name: string) => [...places.current].some((at) => name === at);
  const loose = [...errors.value].filter(([name]) => !isClaimed(name));
  return (
    <FormContext.Provider value={state}>
      <form class="form" onSubmit={submitAll} ref={frame} noValidate>
        <fieldset disabled={disabled || busy}>{children}</fieldset>
        {loose.length > 0 && (
          <div class="error-box" role="alert">
            {loose.map(([name, text]) => <p key={name}>{name && <code>{name}</code>} {text}</p>)}
          </div>
        )}
        {!disabled && (object ? isChanged : true) && (
          <footer class="form-foot">
            {object
              ? <Button onClick={() => ((draft.value = before), (errors.value = new Map()))}>Undo</Button>
              : cancel && <Button onClick={cancel}>Cancel</Button>}
            <Button type="submit" kind="primary" busy={busy}>{submit ?? (object ? "Save changes" : `Create ${what}`)}</Button>
          </footer>
        )}
      </form>
      {conflict && object && (
        <Conflict what={what} before={before} theirs={conflict.theirs} mine={applyPatch(conflict.theirs, conflict.patch)} busy={busy}
          close={() => setConflict(null)}
          takeTheirs={() => {
            base.current = conflict.theirs;
            draft.value = conflict.theirs;
            setConflict(null);
            done?.(conflict.theirs);
          }}
          takeMine={() => void save(Number(conflict.theirs.version), conflict.patch)} />
      )}
    </FormContext.Provider>
  );
}

/** The frame of a field: its name, what it means, what is wrong with it. */
/** `group` is for what is made of several controls: each of them has a name of its own. */
export function Field({ id, label, hint, error, required, children, row, group }: {
  id: string; label: string; hint?: ComponentChildren; error?: string | undefined; required?: boolean | undefined; children: ComponentChildren; row?: boolean; group?: boolean;
}) {
  return (
    <div class={`field ${row ? "row" : ""} ${error ? "wrong" : ""}`} {...(group ? { role: "group" as const, "aria-labelledby": `${id}-name` } : {})}>
      {group ? <span class="label" id={`${id}-name`}>{label}</span>
        : <label class="label" for={id}>{label}{required && <span class="required" title="needed" aria-hidden="true">*</span>}</label>}
      {children}
      {error ? <p class="error" id={`${id}-error`} role="alert">{error}</p> : hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

export type Common = { at: string; label: string; hint?: ComponentChildren; required?: boolean };

export const described = (id: string, error: string | undefined, hint: unknown) => ({
  "aria-invalid": error ? (true as const) : undefined,
  "aria-describedby": error ? `${id}-error` : hint ? `${id}-hint` : undefined,
});

export function TextField({ at, label, hint, required, type = "text", placeholder, options, mono, lines, auto }: Common & {
  type?: "text" | "email" | "password" | "url"; placeholder?: string | undefined; options?: readonly string[]; mono?: boolean; lines?: number; auto?: string;
}) {
  const { value, error, set, id } = useMember(at);
  const shared = {
    id, value: typeof value === "string" ? value : "", placeholder, required, spellcheck: false, class: mono ? "mono" : undefined,
    autocomplete: auto ?? (type === "password" ? "new-password" : "off"),
    onInput: (event: Event) => set((event.currentTarget as HTMLInputElement).value || undefined),
    ...described(id, error, hint),
  };
  return (
    <Field id={id} label={label} hint={hint} error={error} required={required}>
      {lines ? <textarea rows={lines} {...shared} /> : <input {...({ type, list: options ? `${id}-list` : undefined, ...shared } as object)} />}
      {options && <datalist id={`${id}-list`}>{options.slice(0, 200).map((one) => <option key={one} value={one} />)}</datalist>}
    </Field>
  );
}

export function NumberField({ at, label, hint, required, unit, step = 1, min = 0, placeholder }: Common & {
  unit?: string; step?: number | "any"; min?: number; placeholder?: string;
}) {
  const { value, error, set, id } = useMember(at);
  return (
    <Field id={id} label={label} hint={hint} error={error} required={required}>
      <span class="with-unit">
        <input id={id} type="number" inputMode="decimal" min={min} step={step} value={typeof value === "number" ? value : ""} placeholder={placeholder}
          required={required} onInput={(event) => set(event.currentTarget.value === "" ? undefined : Number(event.currentTarget.value))}
          {...described(id, error, hint)} />
        {unit && <span class="unit">{unit}</span>}
      </span>
    </Field>
  );
}

export function SelectField({ at, label, hint, required, options, none, changed }: Common & {
  options: readonly (readonly [string, string])[]; none?: string; changed?: (value: string) => void;
}) {
  const { value, error, set, id } = useMember(at);
  const chosen = typeof value === "string" ? value : "";
  const isKnown = chosen === "" || options.some(([name]) => name === chosen);
  return (
    <Field id={id} label={label} hint={hint} error={error} required={required}>
      <span class="select">
        <select id={id} value={chosen} required={required} onChange={(event) => (set(event.currentTarget.value || undefined), changed?.(event.currentTarget.value))}
          {...described(id, error, hint)}>
          {(none !== undefined || chosen === "") && <option value="">{none ?? "Choose…"}</option>}
          {!isKnown && <option value={chosen}>{chosen}</option>}
          {options.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
        </select>
      </span>
    </Field>
  );
}

export function SwitchField({ at, label, hint, fallback = false }: Common & { fallback?: boolean }) {
  const { value, error, set, id } = useMember(at);
  return (
    <Field id={id} label={label} hint={hint} error={error} row>
      <input id={id} type="checkbox" role="switch" class="switch" checked={value === undefined || value === null ? fallback : Boolean(value)}
        onChange={(event) => set(event.currentTarget.checked)} {...described(id, error, hint)} />
    </Field>
  );
}

/** Names one after another: Enter or a comma adds one, Backspace in an empty field takes the last away. */
export function ListField({ at, label, hint, required, placeholder = "Add and press Enter", options }: Common & {
  placeholder?: string; options?: readonly string[];
}) {
  const { value, error, set, id } = useMember(at);
  const [typed, setTyped] = useState("");
  const names = Array.isArray(value) ? (value as string[]) : [];
  const add = (text: string) => {
    const found = text.split(/[\s,]+/).filter((name) => name && !names.includes(name));
    if (found.length) set([...names, ...found]);
    setTyped("");
  };
  return (
    <Field id={id} label={label} hint={hint} error={error} required={required}>
      <div class="chips-input">
        {names.map((name) => (
          <span key={name} class="chip">
            {name}
            <button type="button" aria-label={`Take away ${name}`} onClick={() => set(names.filter((one) => one !== name))}>×</button>
          </span>
        ))}
        <input id={id} type="text" value={typed} placeholder={names.length ? "" : placeholder} list={options ? `${id}-list` : undefined} spellcheck={false}
          autocomplete="off"
          onInput={(event) => {
            const text = event.currentTarget.value;
            // choosing from the list is an input without a key
            if (/[,\s]$/.test(text) || (options?.includes(text) && !(event as InputEvent).inputType?.startsWith("insertText"))) add(text);
            else setTyped(text);
          }}
          onBlur={() => add(typed)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && typed) event.preventDefault(), add(typed);
            if (event.key === "Backspace" && !typed && names.length) set(names.slice(0, -1));
          }}
          {...described(id, error, hint)} />
        {options && <datalist id={`${id}-list`}>{options.filter((one) => !names.includes(one)).slice(0, 200).map((one) => <option key={one} value={one} />)}</datalist>}
      </div>
    </Field>
  );
}

/** Names and values, such as metadata or header fields. */
export function PairsField({ at, label, hint, names = "name", values = "value" }: Common & { names?: string; values?: string }) {
  const { value, error, set, id } = useMember(at);
  const given = Object.entries((value ?? {}) as Record<string, string>);
  const [rows, setRows] = useState(given);
  useEffect(() => {
    if (!equal(Object.fromEntries(rows.filter(([name]) => name)), Object.fromEntries(given))) setRows(given);
  }, [JSON.stringify(value)]);
  const put = (next: [string, string][]) => {
    setRows(next);
    const full = next.filter(([name]) => name);
    set(full.length ? Object.fromEntries(full) : undefined);
  };
  return (
    <Field id={id} label={label} hint={hint} error={error} group>
      <div class="pairs">
        {rows.map(([name, text], index) => (
          <div key={index}>
            <input type="text" class="mono" value={name} aria-label={`${label} ${index + 1}: ${names}`} placeholder={names} spellcheck={false}
              onInput={(event) => put(rows.with(index, [event.currentTarget.value, text]))} />
            <input type="text" class="mono" value={text} aria-label={`${label} ${index + 1}: ${values}`} placeholder={values} spellcheck={false}
              onInput={(event) => put(rows.with(index, [name, event.currentTarget.value]))} />
            <Button icon="close" kind="quiet" small label={`Take away ${name || `row ${index + 1}`}`} onClick={() => put(rows.filter((_, one) => one !== index))} />
          </div>
        ))}
        <Button icon="plus" small kind="quiet" onClick={() => setRows([...rows, ["", ""]])}>Add</Button>
      </div>
    </Field>
  );
}

/** A moment, as the person's own zone has it. */
export function MomentField({ at, label, hint }: Common) {
  const { value, error, set, id } = useMember(at);
  const local = typeof value === "string" && value ? new Date(Date.parse(value) - new Date(value).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
  return (
    <Field id={id} label={label} hint={hint} error={error}>
      <input id={id} type="datetime-local" value={local}
        onChange={(event) => set(event.currentTarget.value ? new Date(event.currentTarget.value).toISOString().replace(/\.\d+Z$/, "Z") : undefined)}
        {...described(id, error, hint)} />
    </Field>
  );
}
