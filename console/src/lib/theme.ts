// Light, dark, or as the system has it; public/theme.js puts what was chosen in place before the first paint.

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const NAME = "fastgw.theme";

function stored(): Theme {
  try {
    const name = localStorage.getItem(NAME);
    return name === "light" || name === "dark" ? name : "system";
  } catch {
    return "system";
  }
}

export const theme = signal<Theme>(stored());
const dark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(dark.matches);
dark.addEventListener("change", () => (systemIsDark.value = dark.matches));

/** Which of the two is shown; charts draw anew when it changes. */
export const isDark = () => (theme.value === "system" ? systemIsDark.value : theme.value === "dark");

effect(() => {
  const name = theme.value;
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    if (name === "system") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, name);
  } catch {
    // storage is forbidden: the choice holds until the page is left
  }
});

/** The colour of a custom property as the browser computes it, which a canvas can take. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
