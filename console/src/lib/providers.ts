// The providers that an integration may name; src/lib/providers.json is rendered from the gateway's own table.

import { signal } from "@preact/signals";

export type ProviderRow = {
  name: string; title: string; kind: string; auth: string; base_url?: string; note?: string; docs?: string; requires?: string[];
  defaults?: Record<string, string>; versioned?: boolean;
};
export type ProviderList = { providers: ProviderRow[]; settings: Record<string, { meaning: string; example: string }> };

export const providers = signal<ProviderList>({ providers: [], settings: {} });
let asked: Promise<void> | undefined;

/** Fetch the list once; it is a file of its own, since most pages do not need it. */
export function loadProviders(): void {
  asked ??= import("./providers.json").then((file) => {
    providers.value = file.default as unknown as ProviderList;
  });
}

export const titleOf = (name: string): string => providers.value.providers.find((row) => row.name === name)?.title ?? name;
