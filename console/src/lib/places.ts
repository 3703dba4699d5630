// The pages of the console: where they are, how they are called, who may see them, and the key after "g".

import type { IconName } from "../ui/icons.tsx";
import { CHANNELS, CONFIGS, INTEGRATIONS, KEYS, may, MODELS, PRICES, TOKENS, USERS, WORKSPACES } from "./may.ts";
import { to } from "./place.ts";

export type PageRow = { path: string; title: string; icon: IconName; key: string; group: string; scopes: string[] };

export const PAGES: PageRow[] = [
  { path: "", title: "Overview", icon: "overview", key: "o", group: "", scopes: ["analytics.view"] },
  { path: "/logs", title: "Logs", icon: "logs", key: "l", group: "", scopes: ["logs.list", "logs.view"] },
  { path: "/playground", title: "Playground", icon: "play", key: "p", group: "", scopes: ["completions.write", ...KEYS.create] },
  { path: "/keys", title: "Keys", icon: "key", key: "k", group: "Gateway", scopes: KEYS.list },
  { path: "/workspaces", title: "Workspaces", icon: "workspace", key: "w", group: "Gateway", scopes: WORKSPACES.list },
  { path: "/integrations", title: "Integrations", icon: "plug", key: "i", group: "Gateway", scopes: INTEGRATIONS.list },
  { path: "/models", title: "Models", icon: "model", key: "m", group: "Gateway", scopes: [...MODELS.list, ...PRICES.list] },
  { path: "/configs", title: "Configs", icon: "config", key: "c", group: "Gateway", scopes: CONFIGS.list },
  { path: "/users", title: "Users", icon: "users", key: "u", group: "Organisation", scopes: USERS.list },
  { path: "/tokens", title: "API tokens", icon: "token", key: "t", group: "Organisation", scopes: TOKENS.list },
  { path: "/alerts", title: "Alerts", icon: "bell", key: "a", group: "Organisation", scopes: [...CHANNELS.list, "alerts.*"] },
  { path: "/audit", title: "Audit", icon: "audit", key: "h", group: "Organisation", scopes: ["audit_logs.list"] },
  { path: "/settings", title: "Settings", icon: "gear", key: "s", group: "Organisation", scopes: [] },
];

/** The page that a path leads to. */
export const pageAt = (path: string): PageRow | undefined => PAGES.find((page) => page.path && `${path}/`.startsWith(`${to(page.path)}/`));

export const maySee = (page: PageRow): boolean => page.scopes.length === 0 || may(...page.scopes);

/** The pages that the person may see. */
export const pagesOf = (): PageRow[] => PAGES.filter(maySee);
