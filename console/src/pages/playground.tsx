// A chat through the gateway itself, as any client would have it, with what it cost and how long it took.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, call, get, me, nonce } from "../lib/api.ts";
import { EventReader } from "../lib/events.ts";
import { count, duration, money, relative } from "../lib/format.ts";
import { useModelNames, useWorkspaceOptions } from "../lib/lists.ts";
import { may } from "../lib/may.ts";
import { withQuery } from "../lib/pages.ts";
import { to, usePlace } from "../lib/place.ts";
import type { LogLine, Page as Rows } from "../lib/types.ts";
import { Button, Copy, Empty } from "../ui/basics.tsx";
import { Icon } from "../ui/icons.tsx";
import { Page } from "../ui/page.tsx";
import { snippetFor } from "../ui/secret.tsx";

type Told = { first_ms?: number; total_ms?: number; input?: number; output?: number; cost?: number | null; id?: string; trace?: string; provider?: string; status?: number };
type Message = { role: "user" | "assistant"; text: string; thought?: string; error?: string; told?: Told };

// The conversation outlives the page, not the tab; a key is never stored.
const messages = signal<Message[]>([]);
const key = signal("");
const keyUntil = signal<string | null>(null);
// What is tried where nothing is chosen, if the key may call it.
const USUAL = ["gpt-4.1-mini", "claude-haiku-4-5", "gemini-2.5-flash"];
const COST_WAITS_MS = [300, 800, 1600];

async function replyError(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { error?: { message?: string; code?: string } };
    return [body.error?.message, body.error?.code && `(${body.error.code})`].filter(Boolean).join(" ") || text;
  } catch {
    return text.slice(0, 500) || `the gateway answered ${response.status}`;
  }
}

type Asked = { model: string; system: string; temperature: string; max_tokens: string; isStreamed: boolean };

/** Send the conversation and tell of the answer while it comes. */
async function ask(asked: Asked, signal: AbortSignal, show: (change: Partial<Message>) => void): Promise<void> {
  const began = performance.now();
  const turns = messages.value.slice(0, -1).filter((one) => !one.error).map(({ role, text }) => ({ role, content: text }));
  const body = {
    model: asked.model,
    messages: asked.system ? [{ role: "system", content: asked.system }, ...turns] : turns,
    ...(asked.temperature ? { temperature: Number(asked.temperature) } : {}),
    ...(asked.max_tokens ? { max_tokens: Number(asked.max_tokens) } : {}),
    ...(asked.isStreamed ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  // by which the record is found
  const trace = nonce();
  const response = await fetch("/v1/chat/completions", {
    method: "POST", headers: { authorization: `Bearer ${key.value}`, "content-type": "application/json", "x-portkey-trace-id": trace }, body: JSON.stringify(body), signal, credentials: "omit",
  });
  const field = (name: string) => response.headers.get(name) ?? undefined;
  const told: Told = { status: response.status, trace };
  const [id, provider, cost] = ["x-fastgw-request-id", "x-fastgw-provider", "x-fastgw-cost-usd"].map(field);
  if (id) told.id = id;
  if (provider) told.provider = provider;
  if (cost) told.cost = Number(cost);
  const since = () => performance.now() - began;
  if (!response.ok) {
    show({ error: await replyError(response), told: { ...told, total_ms: since() } });
    return;
  }
  let text = "";
  let thought = "";
  const take = (one: Record<string, unknown>) => {
    const choice = (one.choices as { delta?: Record<string, string>; message?: Record<string, string> }[] | undefined)?.[0];
    const part = choice?.delta ?? choice?.message;
    text += part?.content ?? "";
    thought += part?.reasoning_content ?? "";
    if ((part?.content || part?.reasoning_content) && told.first_ms === undefined) told.first_ms = since();
    const usage = one.usage as { prompt_tokens?: number; completion_tokens?: number } | undefined | null;
    if (usage) Object.assign(told, { input: usage.prompt_tokens, output: usage.completion_tokens });
    const fault = one.error as { message?: string } | undefined;
    if (fault) throw new Error(fault.message ?? "the stream broke off");
    show({ text, ...(thought ? { thought } : {}), told: { ...told } });
  };
  if (asked.isStreamed && response.body) {
    const events = new EventReader();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (const event of events.feed(part.value)) if (event !== "[DONE]") take(JSON.parse(event) as Record<string, unknown>);
    }
  } else {
    take((await response.json()) as Record<string, unknown>);
  }
  told.total_ms = since();
  show({ told: { ...told } });
  if (told.cost === undefined && told.trace && may("logs.list")) void learnCost(told, show);
}

/** A stream's cost is known when it has ended; the record has it a moment later. */
async function learnCost(told: Told, show: (change: Partial<Message>) => void): Promise<void> {
  for (const wait of COST_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      // a list, as what is not there yet is no fault
      const { data } = await get<Rows<LogLine>>(withQuery("/logs", { trace: told.trace, limit: 1 }));
      if (data[0]) return show({ told: { ...told, cost: data[0].cost_usd } });
    } catch {
      return;
    }
  }
}

function KeyChoice() {
  const workspaces = useWorkspaceOptions();
  const [workspace, setWorkspace] = useState(me.value?.workspaces[0]?.slug ?? "");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const chosen = workspace || workspaces[0]?.[0] || "";
  const lend = async () => {
    setBusy(true);
    setError("");
    try {
      const lent = await call<{ key: string; expires_at: string }>("POST", "/keys/playground", { workspace: chosen });
      key.value = lent.key;
      keyUntil.value = lent.expires_at;
    } catch (failure) {
      setError((failure as ApiError).message);
    }
    setBusy(false);
  };
  const isOver = keyUntil.value !== null && Date.parse(keyUntil.value) < Date.now();
  return (
    <>
      <label class="field">
        <span class="label">Key</span>
        <span class="key-field">
          <input type="password" class="mono" autocomplete="off" placeholder="fgw-…" value={key.value} aria-label="Virtual key"
            onInput={(event) => ((key.value = event.currentTarget.value.trim()), (keyUntil.value = null))} />
        </span>
        {keyUntil.value && <p class={isOver ? "error" : "hint"}>{isOver ? "This key is over: take another" : `A key to try with, one dollar, ends ${relative(keyUntil.value)}`}</p>}
      </label>
      <div class="lend">
        {workspaces.length > 1 && (
          <span class="select"><select aria-label="Workspace of the key" value={chosen} onChange={(event) => setWorkspace(event.currentTarget.value)}>
            {workspaces.map(([slug, name]) => <option key={slug} value={slug}>{name}</option>)}
          </select></span>
        )}
        <Button icon="key" busy={busy} disabled={!chosen} onClick={lend}>Take a key for 15 minutes</Button>
      </div>
      {error && <p class="error" role="alert">{error}</p>}
    </>
  );
}

/** The models that the key may call, as the gateway lists them; without a key, the aliases. */
function useCallable(): string[] {
  const aliases = useModelNames();
  const [listed, setListed] = useState<string[]>([]);
  const asked = key.value;
  useEffect(() => {
    setListed([]);
    if (asked.length < 8) return;
    const asking = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const response = await fetch("/v1/models", { headers: { authorization: `Bearer ${asked}` }, signal: asking.signal, credentials: "omit" });
        const body = (await response.json()) as { data?: { id: string }[] };
        setListed((body.data ?? []).map((model) => model.id));
      } catch {
        // the key is not whole yet, or not valid: sending says so
      }
    }, 300);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [asked]);
  return listed.length ? listed : aliases;
}

export function Playground() {
  const place = usePlace();
  const models = useCallable();
  const [model, setModel] = useState(place.query.model ?? "");
  const [asked, setAsked] = useState({ system: "", temperature: "", max_tokens: "", isStreamed: true });
  const [draft, setDraft] = useState("");
  const running = useRef<AbortController | null>(null);
  const [isBusy, setBusy] = useState(false);
  const end = useRef<HTMLDivElement>(null);
  const aliases = useModelNames();
  const usual = [...aliases, ...USUAL].find((one) => models.includes(one)) ?? models[0];
  const name = model || usual || "";
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [messages.value]);
  useEffect(() => () => running.current?.abort(), []);

  const send = async () => {
    if (!draft.trim() || isBusy || !key.value || !name) return;
    messages.value = [...messages.value, { role: "user", text: draft.trim() }, { role: "assistant", text: "" }];
    setDraft("");
    setBusy(true);
    const show = (change: Partial<Message>) => (messages.value = messages.value.with(-1, { ...messages.value.at(-1)!, ...change }));
    running.current = new AbortController();
    try {
      await ask({ ...asked, model: name }, running.current.signal, show);
    } catch (error) {
      if (messages.value.length) show({ error: (error as Error).name === "AbortError" ? "stopped" : (error as Error).message });
    }
    running.current = null;
    setBusy(false);
  };
  const put = (change: Partial<typeof asked>) => setAsked({ ...asked, ...change });
  return (
    <Page title="Playground" actions={messages.value.length > 0 && <Button icon="trash" onClick={() => (running.current?.abort(), (messages.value = []))}>Clear</Button>}>
      <div class="playground">
        <section class="talk" aria-label="Conversation">
          <div class="turns" role="log" aria-live="polite" aria-busy={isBusy}>
            {messages.value.length === 0 && (
              <Empty icon="play" title={key.value ? "Say something" : "Take a key first"}>
                {key.value ? "It goes through the gateway as any client's request would, with the same limits, and leaves a line in the logs." : "Paste a virtual key, or take one for 15 minutes; it stays in this tab."}
              </Empty>
            )}
            {messages.value.map((message, index) => <Turn key={index} message={message} isBusy={isBusy && index === messages.value.length - 1} />)}
            <div ref={end} />
          </div>
          <form class="say" onSubmit={(event) => (event.preventDefault(), void send())}>
            <textarea rows={3} value={draft} aria-label="Message" placeholder={key.value ? "Message; Enter sends, Shift+Enter is a line" : "Take a key first"} onInput={(event) => setDraft(event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && (event.preventDefault(), void send())} />
            {isBusy ? <Button icon="stop" label="Stop" onClick={() => running.current?.abort()} /> : <Button icon="send" kind="primary" type="submit" label="Send" disabled={!key.value || !draft.trim() || !name} />}
          </form>
        </section>
        <aside class="knobs" aria-label="Request">
          <KeyChoice />
          <label class="field"><span class="label">Model</span>
            <input type="text" class="mono" list="callable" value={model} placeholder={usual ?? USUAL[0]} spellcheck={false} onInput={(event) => setModel(event.currentTarget.value.trim())} />
            <datalist id="callable">{models.slice(0, 300).map((one) => <option key={one} value={one} />)}</datalist>
          </label>
          <label class="field"><span class="label">System</span><textarea rows={3} value={asked.system} onInput={(event) => put({ system: event.currentTarget.value })} /></label>
          <div class="columns">
            <label class="field"><span class="label">Temperature</span><input type="number" min="0" max="2" step="0.1" placeholder="model's" value={asked.temperature} onInput={(event) => put({ temperature: event.currentTarget.value })} /></label>
            <label class="field"><span class="label">Longest output</span><input type="number" min="1" placeholder="model's" value={asked.max_tokens} onInput={(event) => put({ max_tokens: event.currentTarget.value })} /></label>
          </div>
          <label class="field row"><span class="label">Stream</span><input type="checkbox" role="switch" class="switch" checked={asked.isStreamed} onChange={(event) => put({ isStreamed: event.currentTarget.checked })} /></label>
          <Copy text={() => snippetFor("curl", "$FASTGW_KEY", name, location.origin)} label="Copy as curl">Copy as curl</Copy>
        </aside>
      </div>
    </Page>
  );
}

function Turn({ message, isBusy }: { message: Message; isBusy: boolean }) {
  const { told } = message;
  return (
    <article class={`turn ${message.role}`} aria-label={message.role === "user" ? "You" : "Answer"}>
      {message.thought && <details><summary>Thoughts</summary><p class="faint">{message.thought}</p></details>}
      {message.text && <p>{message.text}</p>}
      {isBusy && !message.text && !message.error && <span class="spinner" role="status" aria-label="Waiting for the answer" />}
      {message.error && <p class="error"><Icon name="warning" /> {message.error}</p>}
      {told && message.role === "assistant" && (
        <footer>
          <span title="until the first word">first <b>{duration(told.first_ms)}</b></span>
          <span>total <b>{duration(told.total_ms)}</b></span>
          <span title="tokens in and out"><b>{count(told.input)}</b> in <b>{count(told.output)}</b> out</span>
          <span>cost <b>{told.cost === undefined ? "…" : told.cost === null ? "unknown" : money(told.cost)}</b></span>
          {told.provider && <span>{told.provider}</span>}
          {told.id && may("logs.view", "logs.list") && <a href={to(`/logs/${told.id}`)}>log</a>}
          {message.text && <Copy text={message.text} label="Copy the answer" />}
        </footer>
      )}
    </article>
  );
}
