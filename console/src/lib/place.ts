// Where the page is: paths below /console, and filters that stand in the URL.

import { useLocation } from "preact-iso/router";
import { withQuery } from "./pages.ts";

export const HOME = "/console";
export const to = (path: string, query: Record<string, string | number | null | undefined> = {}): string =>
  withQuery(HOME + (path || "/"), query);

export type Place = {
  path: string; url: string; query: Record<string, string>;
  go: (url: string, replace?: boolean) => void;
  /** Change some filters of the URL; "" and null take one away. */
  filter: (change: Record<string, string | number | null | undefined>, replace?: boolean) => void;
};

export function usePlace(): Place {
  const { path, url, query, route } = useLocation();
  return {
    path, url, query: query as Record<string, string>, go: route,
    filter: (change, replace = true) => route(withQuery(path === HOME ? to("") : path, { ...query, ...change }), replace),
  };
}
