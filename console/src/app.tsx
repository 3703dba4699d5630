// The console: signed in or not, the frame around the pages, and which page stands where.

import { LocationProvider, Route, Router, useLocation } from "preact-iso/router";
import { type Signal, signal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError, epoch, get, isAway, me } from "./lib/api.ts";
import { useHotkeys } from "./lib/hotkeys.ts";
import { to } from "./lib/place.ts";
import { maySee, pageAt, type PageRow, pagesOf } from "./lib/places.ts";
import type { Me } from "./lib/types.ts";
import { Button, Empty, Toasts } from "./ui/basics.tsx";
import { Confirmation } from "./ui/dialog.tsx";
import { Icon } from "./ui/icons.tsx";
import { Navigation, Palette, Shortcuts } from "./ui/navigation.tsx";
import { Page } from "./ui/page.tsx";
import { Overview } from "./pages/overview.tsx";
import { SignIn } from "./pages/sign-in.tsx";

type Rest = typeof import("./pages/rest.ts");
const rest: Signal<Rest | null> = signal(null);

const RELOADED = "fastgw.reloaded";
const RELOAD_APART_MS = 60_000;

/** Fetch the other pages; after an upgrade they have other names, so the page is loaded anew, but not over and over. */
async function loadRest(): Promise<void> {
  try {
    rest.value ??= await import("./pages/rest.ts");
  } catch {
    const isUp = await fetch(to("/"), { cache: "no-store" }).then((response) => response.ok, () => false);
    if (!isUp || Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_APART_MS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
  }
}

/** A page of the rest: nothing until it is there, which is mostly before anybody asks for it. */
const later = (name: keyof Rest): FunctionComponent<{ params: { id?: string } }> => function Later(props) {
  const Page = rest.value?.[name] as FunctionComponent<{ params: { id?: string } }> | undefined;
  useEffect(() => void (rest.value ?? loadRest()), []);
  return Page ? <Page {...props} /> : null;
};
const [Alerts, Audit, Configs, Integrations] = [later("Alerts"), later("Audit"), later("Configs"), later("Integrations")];
const [Keys, Logs, Models, Playground] = [later("Keys"), later("Logs"), later("Models"), later("Playground")];
const [Settings, Tokens, Users, Workspaces] = [later("Settings"), later("Tokens"), later("Users"), later("Workspaces")];

async function learnWhoIsThere(): Promise<void> {
  try {
    me.value = await get<Me>("/me");
  } catch (error) {
    // whoever is not signed in is known by now; a control process that is away is asked again
    if (error instanceof ApiError && !error.isAway) me.value = null;
  }
}

export function App() {
  const ticks = epoch.value;
  useEffect(() => void learnWhoIsThere(), [ticks]);
  return (
    <LocationProvider scope={/^\/console(\/|\?|$)/}>
      {isAway.value && (
        <div class="banner" role="alert">
          <Icon name="warning" />
          The control process does not answer. Requests through the gateway go on; this page comes back by itself.
          <span class="spinner" aria-hidden="true" />
        </div>
      )}
      {me.value === undefined ? <div class="starting" role="status" aria-label="Loading" /> : me.value === null ? <SignIn /> : <Console />}
      <Confirmation />
      <Toasts />
    </LocationProvider>
  );
}

function Console() {
  const { path, route } = useLocation();
  const page = pageAt(path);
  const places = useMemo(() => Object.fromEntries(pagesOf().map((page) => [page.key, to(page.path)])), [me.value]);
  useHotkeys(places, route);
  useEffect(() => {
    const timer = setTimeout(loadRest, 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="shell">
      <a class="skip" href="#main">Skip to content</a>
      <Navigation />
      <main id="main" tabIndex={-1}>
        {page && !maySee(page) ? <Forbidden page={page} /> : <Router>
          <Route path="/console" component={Overview} />
          <Route path="/console/logs/:id?" component={Logs} />
          <Route path="/console/playground" component={Playground} />
          <Route path="/console/keys/:id?" component={Keys} />
          <Route path="/console/workspaces/:id?" component={Workspaces} />
          <Route path="/console/integrations/:id?" component={Integrations} />
          <Route path="/console/models/:id?" component={Models} />
          <Route path="/console/configs/:id?" component={Configs} />
          <Route path="/console/users/:id?" component={Users} />
          <Route path="/console/tokens/:id?" component={Tokens} />
          <Route path="/console/alerts/:id?" component={Alerts} />
          <Route path="/console/audit/:id?" component={Audit} />
          <Route path="/console/settings" component={Settings} />
          <Route default component={Nowhere} />
        </Router>}
      </main>
      <Palette />
      <Shortcuts />
    </div>
  );
}

function Forbidden({ page }: { page: PageRow }) {
  return (
    <Page title={page.title}>
      <Empty icon="audit" title="This page is not yours to see" action={<Button href={to("")}>Go to the overview</Button>}>
        It takes {page.scopes.length > 1 ? "one of the scopes" : "the scope"} {page.scopes.slice(0, 3).join(", ")}. Whoever looks after the organisation can give it.
      </Empty>
    </Page>
  );
}

function Nowhere() {
  return (
    <Page title="Not found">
      <Empty icon="search" title="There is no such page" action={<Button href={to("")}>Go to the overview</Button>}>
        The address may be mistyped, or what it showed was deleted.
      </Empty>
    </Page>
  );
}
