// What the person may do, by the scopes of /me; what they may not is not offered.

import { me } from "./api.ts";
import type { Key } from "./types.ts";

/** Whether one of these scopes is theirs; "logs.*" stands for any scope of logs. */
export function may(...scopes: string[]): boolean {
  const theirs = me.value?.scopes ?? [];
  return scopes.some((scope) =>
    scope.endsWith(".*") ? theirs.some((one) => one.startsWith(scope.slice(0, -1))) : theirs.includes(scope));
}

/** The same in one workspace, by its slug: what holds in another of theirs does not count. */
export function mayIn(workspace: string, ...scopes: string[]): boolean {
  const who = me.value;
  if (!who || who.is_organisation_wide) return may(...scopes);
  const theirs = who.workspaces.find((one) => one.slug === workspace)?.scopes ?? [];
  return scopes.some((scope) => theirs.includes(scope));
}

/** What may be done to a key: to all of the workspace, or to one's own. */
export function mayKey(key: Pick<Key, "workspace" | "user">, verb: "read" | "update" | "rotate" | "delete"): boolean {
  const own = key.user && key.user === me.value?.user.id ? [`workspace_user_api_keys.${verb}`] : [];
  return mayIn(key.workspace, `workspace_service_api_keys.${verb}`, ...own);
}

/** What is not said to be off is on: the API answers what was written. */
export const isOn = (one: { enabled?: boolean } | undefined): boolean => one !== undefined && one.enabled !== false;

type Rights = { list: string[]; create: string[]; update: string[]; remove: string[] };

const rights = (...areas: string[]): Rights => {
  const of = (...verbs: string[]) => areas.flatMap((area) => verbs.map((verb) => `${area}.${verb}`));
  return { list: of("list", "read"), create: of("create"), update: of("update"), remove: of("delete") };
};

export const KEYS = rights("workspace_service_api_keys", "workspace_user_api_keys");
export const WORKSPACES = rights("workspaces");
export const MEMBERS = rights("workspace_users");
export const INTEGRATIONS = rights("organisation_integrations", "workspace_integrations", "virtual_keys", "providers");
export const MODELS = rights("models");
export const PRICES = rights("prices");
export const CONFIGS = rights("configs");
export const USERS = rights("organisation_users");
export const TOKENS = rights("organisation_service_api_keys");
export const CHANNELS = rights("alerts");
