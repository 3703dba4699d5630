// The way through the console: the side bar (a drawer on a phone), the palette of commands, the sheet of keys.

import { useLocation } from "preact-iso/router";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, me } from "../lib/api.ts";
import { paletteIsOpen, sheetIsOpen } from "../lib/hotkeys.ts";
import { INTEGRATIONS, KEYS, may, MODELS, USERS, WORKSPACES } from "../lib/may.ts";
import { HOME, to } from "../lib/place.ts";
import { type PageRow, pagesOf } from "../lib/places.ts";
import { forget } from "../lib/query.ts";
import { type Theme, theme } from "../lib/theme.ts";
import { Button, Choice } from "./basics.tsx";
import { Dialog } from "./dialog.tsx";
import { Icon, type IconName } from "./icons.tsx";

export async function signOut(): Promise<void> {
  await call("POST", "/logout", {}).catch(() => undefined);
  forget();
  me.value = null;
}

export function ThemeChoice() {
  return (
    <Choice<Theme> label="Theme" chosen={theme.value} choose={(name) => (theme.value = name)}
      options={[["light", <Icon name="sun" />, "Light theme"], ["dark", <Icon name="moon" />, "Dark theme"], ["system", <Icon name="screen" />, "The system's theme"]]} />
  );
}

export function Navigation() {
  const { path } = useLocation();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!isOpen) return;
    const listen = (event: KeyboardEvent) => event.key === "Escape" && (event.preventDefault(), setOpen(false));
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [isOpen]);
  const pages = pagesOf();
  const here = pages.find((page) => page.path && path.startsWith(to(page.path))) ?? pages.find((page) => page.path === "" && path === HOME);
  const groups = [...new Set(pages.map((page) => page.group))];
  const who = me.value!;
  return (
    <>
      <header class="top">
        <Button icon="menu" kind="quiet" label="Menu" aria-expanded={isOpen} aria-controls="navigation" onClick={() => setOpen(!isOpen)} />
        <span class="brand"><Mark />fastgw</span>
        <Button icon="search" kind="quiet" label="Go to" onClick={() => (paletteIsOpen.value = true)} />
      </header>
      {isOpen && <div class="veil" onClick={() => setOpen(false)} />}
      <nav id="navigation" class={isOpen ? "open" : ""} aria-label="Pages">
        <div class="brand">
          <Mark />
          <span>fastgw</span>
          <span class="organisation" title={who.organisation.name ?? who.organisation.slug}>{who.organisation.name ?? who.organisation.slug}</span>
        </div>
        <button type="button" class="go-to" onClick={() => (paletteIsOpen.value = true)}>
          <Icon name="search" /><span>Go to…</span><kbd>{/Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <div class="pages">
          {groups.map((group) => (
            <div key={group} role="group" aria-label={group || "Traffic"}>
              {group && <span class="group">{group}</span>}
              {pages.filter((page) => page.group === group).map((page) => <PageLink key={page.path} page={page} isHere={page === here} />)}
            </div>
          ))}
        </div>
        <div class="who">
          {who.demo && <p class="demo">Demo: the provider is a mock.</p>}
          <div class="person">
            <a href={to("/settings", { tab: "profile" })} title={who.user.email}>
              <span class="avatar" aria-hidden="true">{(who.user.name || who.user.email).slice(0, 1).toUpperCase()}</span>
              <span><b>{who.user.name || who.user.email}</b><i>{who.role}</i></span>
            </a>
            <Button icon="out" kind="quiet" label="Sign out" onClick={signOut} />
          </div>
          <div class="foot"><ThemeChoice /><span class="faint">{who.version}</span></div>
        </div>
      </nav>
    </>
  );
}

function PageLink({ page, isHere }: { page: PageRow; isHere: boolean }) {
  return (
    <a href={to(page.path)} aria-current={isHere ? "page" : undefined}>
      <Icon name={page.icon} /><span>{page.title}</span><kbd aria-hidden="true">g {page.key}</kbd>
    </a>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M8 10.5h9.5M8 16h16M8 21.5h6.5" /><circle cx="22.5" cy="10.5" r="1.9" /><circle cx="19.5" cy="21.5" r="1.9" />
    </svg>
  );
}

type Command = { title: string; icon: IconName; path: string; keys?: string };

function commands(): Command[] {
  const creations: [string, IconName, string, string[]][] = [
    ["Create a key", "key", "/keys/create", KEYS.create], ["Add an integration", "plug", "/integrations/create", INTEGRATIONS.create],
    ["Create a workspace", "workspace", "/workspaces/create", WORKSPACES.create], ["Create a model alias", "model", "/models/create", MODELS.create],
    ["Add a user", "users", "/users/create", USERS.create],
  ];
  return [
    ...pagesOf().map((page) => ({ title: page.title, icon: page.icon, path: to(page.path), keys: `g ${page.key}` })),
    ...creations.filter(([, , , scopes]) => may(...scopes)).map(([title, icon, path]) => ({ title, icon, path: to(path) })),
    { title: "Errors of the last hour", icon: "logs" as const, path: to("/logs", { range: "1h", outcome: "failed" }) },
    { title: "Catalogue of models", icon: "model" as const, path: to("/models", { tab: "catalogue" }) },
    { title: "Status of the gateway", icon: "gear" as const, path: to("/settings", { tab: "status" }) },
  ];
}

/** Everything one can go to or begin, by typing a part of its name. */
export function Palette() {
  return paletteIsOpen.value ? <PaletteDialog /> : null;
}

function PaletteDialog() {
  const { route } = useLocation();
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const close = () => (paletteIsOpen.value = false);
  const all = useMemo(commands, []);
  const sought = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Command[] = all.filter((one) => sought.every((word) => one.title.toLowerCase().includes(word)));
  if (typed.trim() && may("logs.list", "logs.view")) found.push({ title: `Search the logs for “${typed.trim()}”`, icon: "search", path: to("/logs", { q: typed.trim() }) });
  const go = (command: Command | undefined) => command && (close(), route(command.path));
  const keys = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by) {
      event.preventDefault();
      const next = (at + by + found.length) % Math.max(1, found.length);
      setAt(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter") event.preventDefault(), go(found[at]);
  };
  return (
    <Dialog title="Go to" close={close} kind="palette">
      <input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={`palette-${at}`} aria-label="Go to"
        placeholder="Go to a page, or do something" value={typed} autocomplete="off" spellcheck={false} onKeyDown={keys}
        onInput={(event) => (setTyped(event.currentTarget.value), setAt(0))} autofocus />
      <ul id="palette-list" role="listbox" aria-label="Commands" ref={list}>
        {found.map((command, index) => (
          <li key={command.title} id={`palette-${index}`} role="option" aria-selected={index === at} onMouseMove={() => setAt(index)}
            onClick={() => go(command)}>
            <Icon name={command.icon} /><span>{command.title}</span>{command.keys && <kbd>{command.keys}</kbd>}
          </li>
        ))}
        {found.length === 0 && <li class="faint" role="option" aria-selected={false}>Nothing is called that</li>}
      </ul>
    </Dialog>
  );
}

export function Shortcuts() {
  if (!sheetIsOpen.value) return null;
  const rows: [string, string][] = [
    ["/", "Search on this page"], ["Ctrl K", "Go to a page or begin something"], ["c", "Create what this page lists"], ["j  k", "Next and previous row"],
    ["Enter", "Open the row"], ["Esc", "Close the panel or dialog"], ["?", "This list"],
    ...pagesOf().map((page): [string, string] => [`g ${page.key}`, page.title]),
  ];
  return (
    <Dialog title="Keys of the keyboard" close={() => (sheetIsOpen.value = false)}>
      <dl class="shortcuts">{rows.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
    </Dialog>
  );
}
