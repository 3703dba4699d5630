// Keys of the keyboard: "/" to search, "g" and a letter to go somewhere, "?" to see them all.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export const sheetIsOpen = signal(false);
export const paletteIsOpen = signal(false);
const SECOND_KEY_MS = 1200;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Listen as long as the component is there; `places` leads from the letter after "g" to a path. */
export function useHotkeys(places: Record<string, string>, go: (path: string) => void): void {
  useEffect(() => {
    let armedAt = -SECOND_KEY_MS;
    const listen = (event: KeyboardEvent) => {
      if (event.key === "k" && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        paletteIsOpen.value = !paletteIsOpen.value;
        return;
      }
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      if (event.timeStamp - armedAt < SECOND_KEY_MS && places[event.key]) {
        event.preventDefault();
        armedAt = -SECOND_KEY_MS;
        go(places[event.key]!);
      } else if (event.key === "g") {
        armedAt = event.timeStamp;
      } else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (search) event.preventDefault();
        search?.focus();
        search?.select();
      } else if (event.key === "?") {
        sheetIsOpen.value = true;
      } else if (event.key === "c") {
        const create = document.querySelector<HTMLAnchorElement>("main a[data-create]");
        if (create) event.preventDefault();
        create?.click();
      } else if (event.key === "j" || event.key === "k") {
        moveInRows(event.key === "j" ? 1 : -1);
      }
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, [places, go]);
}

/** Focus the next row of the table; where a row is open beside it, open the next one. */
function moveInRows(by: number): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>("main table a[data-row]")];
  const open = links.findIndex((link) => link.getAttribute("aria-current") === "true");
  const at = open >= 0 ? open : links.indexOf(document.activeElement as HTMLAnchorElement);
  const next = links[Math.min(links.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  if (open >= 0) next?.click();
}
