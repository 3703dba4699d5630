// Dialogs over the page; the browser traps the focus in them, closes them on Escape and gives the focus back.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { ApiError } from "../lib/api.ts";
import { Button } from "./basics.tsx";

export function Dialog({ title, children, close, wide, kind = "" }: {
  title: string; children: ComponentChildren; close: () => void; wide?: boolean; kind?: string;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    // not the button that closes: what is to be filled in, or the way back
    dialog.current?.querySelector<HTMLElement>("input, textarea, select, footer .button, pre")?.focus();
    return () => opener?.isConnected && opener.focus();
  }, []);
  return (
    <dialog ref={dialog} class={`dialog ${wide ? "wide" : ""} ${kind}`} aria-labelledby={id}
      onCancel={(event) => (event.preventDefault(), close())}
      onMouseDown={(event) => event.target === dialog.current && close()}>
      <div class="inside">
        <header><h2 id={id}>{title}</h2><Button icon="close" kind="quiet" label="Close" onClick={close} /></header>
        {children}
      </div>
    </dialog>
  );
}

export type Question = {
  title: string; text: ComponentChildren; action: string; danger?: boolean; word?: string;
  go: () => Promise<unknown> | void; extra?: ComponentChildren;
};
const question = signal<Question | null>(null);

/** Ask before something happens that cannot be taken back; `word` has to be typed first. */
export function confirm(asked: Question): void {
  question.value = asked;
}

export function Confirmation() {
  const asked = question.value;
  return asked && <Asking key={asked.title} asked={asked} />;
}

function Asking({ asked }: { asked: Question }) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const close = () => (question.value = null);
  const go = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await asked.go();
      close();
    } catch (failure) {
      setError((failure as ApiError).message);
      setBusy(false);
    }
  };
  return (
    <Dialog title={asked.title} close={close} kind="narrow">
      <form onSubmit={go}>
        <div class="text">{asked.text}</div>
        {asked.extra}
        {asked.word && (
          <label class="field">
            <span class="label">Type <code>{asked.word}</code> to confirm</span>
            <input type="text" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} autocomplete="off" spellcheck={false} />
          </label>
        )}
        {error && <p class="error" role="alert">{error}</p>}
        <footer>
          <Button onClick={close}>Cancel</Button>
          <Button kind={asked.danger ? "danger" : "primary"} type="submit" busy={busy} disabled={Boolean(asked.word) && typed !== asked.word}>
            {asked.action}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
