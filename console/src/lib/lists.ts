// Lists that filters and forms choose from.

import { KEYS, may, MODELS, WORKSPACES, INTEGRATIONS } from "./may.ts";
import { me } from "./api.ts";
import { useQuery } from "./query.ts";
import type { Integration, Key, Model, Page, Workspace } from "./types.ts";

type Option = readonly [string, string];

/** Workspaces by their slugs: all of them where they may be listed, else those the person belongs to. */
export function useWorkspaceOptions(): Option[] {
  const { data } = useQuery<Page<Workspace>>(may(...WORKSPACES.list) ? "/workspaces?limit=500" : null);
  const rows = data?.data ?? me.value?.workspaces ?? [];
  return rows.map((row) => [row.slug, row.name || row.slug] as const);
}

export function useIntegrations(): Integration[] {
  return useQuery<Page<Integration>>(may(...INTEGRATIONS.list) ? "/integrations?limit=500" : null).data?.data ?? [];
}

export function useIntegrationOptions(): Option[] {
  return useIntegrations().map((row) => [row.slug, row.slug] as const);
}

export function useModelNames(): string[] {
  return useQuery<Page<Model>>(may(...MODELS.list) ? "/models?limit=500" : null).data?.data.map((row) => row.name) ?? [];
}

export function useKeyOptions(): Option[] {
  const rows = useQuery<Page<Key>>(may(...KEYS.list) ? "/keys?limit=200" : null).data?.data ?? [];
  return rows.map((row) => [row.name, row.name] as const);
}
