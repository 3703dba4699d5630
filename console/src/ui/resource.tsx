// What the pages of resources share: a list with a search, a panel for what is opened or created, deletion.

import type { ComponentChildren } from "preact";
import { type ApiError } from "../lib/api.ts";
import { may } from "../lib/may.ts";
import { withQuery } from "../lib/pages.ts";
import { type Place, to, usePlace } from "../lib/place.ts";
import { change, type Query, useQuery, usePages } from "../lib/query.ts";
import type { Stored } from "../lib/types.ts";
import { Button, Failure, Skeleton, toast } from "./basics.tsx";
import { confirm } from "./dialog.tsx";
import { Page, Panel, Search } from "./page.tsx";
import { type Column, Listing } from "./table.tsx";

export type Resource<T> = {
  /** the last part of both the page's and the API's path, and what one of them is called */
  path: string; title: string; one: string; many?: string; lead?: ComponentChildren; columns: Column<T>[]; empty: (place: Place) => ComponentChildren;
  rights: { create: string[] }; create: string; nameOf: (row: T) => string; filters?: (place: Place) => ComponentChildren; asked?: readonly string[];
  panel: (open: { row: T | undefined; query: Query<T>; close: () => void; place: Place }) => ComponentChildren;
  /** where the page stands, if not where the API has it, and what of the URL stays when one is opened */
  home?: string; byId?: boolean; keep?: readonly string[]; mark?: (row: T) => ComponentChildren; every_ms?: number; fixed?: Record<string, string>;
  /** of what is listed, whether more of it may be asked for */
  isOpen?: (row: T) => boolean; above?: (place: Place) => ComponentChildren; wide?: boolean; actions?: ComponentChildren;
};

/** A list of one kind of thing, and one of them opened beside it. */
export function ResourcePage<T extends Stored>({ of, id }: { of: Resource<T>; id: string | undefined }) {
  const place = usePlace();
  const home = of.home ?? of.path;
  const many = of.many ?? of.title.toLowerCase();
  const kept = Object.fromEntries((of.keep ?? []).map((name) => [name, place.query[name]]));
  const asked = Object.fromEntries((of.asked ?? []).map((name) => [name, place.query[name]]));
  const list = usePages<T>(withQuery(of.path, { ...of.fixed, ...asked, search: place.query.search }), of.every_ms);
  const isCreating = id === "create";
  const listed = list.data?.rows.find((row) => row.id === id);
  const isAsked = id && !isCreating && (!of.home || of.byId) && (!listed || !of.isOpen || of.isOpen(listed));
  const one = useQuery<T>(isAsked ? `${of.path}/${encodeURIComponent(id)}` : null, of.every_ms);
  const row = one.data ?? listed;
  const close = () => place.go(to(home, { ...kept, ...asked, search: place.query.search }));
  const mayCreate = may(...of.rights.create);
  const title = isCreating ? of.create : row ? of.nameOf(row) : of.one;
  return (
    <Page title={of.title} lead={of.lead}
      actions={<>{of.actions}{mayCreate && <Button kind="primary" icon="plus" href={to(`${home}/create`, place.query)} data-create>{of.create}</Button>}</>}
      panel={id && (isCreating ? mayCreate : true) && (
        <Panel id={id} title={title} mark={row && !isCreating && of.mark?.(row)} close={close} wide={of.wide ?? false}>
          {isCreating || row ? of.panel({ row: isCreating ? undefined : row, query: one, close, place })
            : one.error ? <Failure error={one.error} what={`this ${of.one}`} retry={one.reload} /> : <Skeleton rows={8} />}
        </Panel>
      )}>
      {of.above?.(place)}
      <div class="filters">
        <Search value={place.query.search ?? ""} change={(search) => place.filter({ search })} label={`Search ${many}`} />
        {of.filters?.(place)}
      </div>
      <Listing query={list} what={many} one={of.one} columns={of.columns} selected={id}
        href={(row) => to(`${home}/${encodeURIComponent(row.id)}`, place.query)}
        empty={place.query.search || Object.values(asked).some(Boolean)
          ? (
            <div class="empty">
              <h2>Nothing fits</h2>
              <p>No {of.one} fits what is searched for.</p>
              <Button onClick={() => place.go(to(home, kept))}>Show all</Button>
            </div>
          )
          : of.empty(place)} />
    </Page>
  );
}

/** Ask, delete, close; `word` must be typed where what is deleted is in use by callers. */
export function remove({ path, at, row, what, name, text, action = "Delete", word, close }: {
  path: string; at?: string; row: Stored; what: string; name: string; text: ComponentChildren; action?: string; word?: string; close: () => void;
}): void {
  confirm({
    title: `${action} ${name}?`, text, action, danger: true, ...(word ? { word } : {}),
    go: async () => {
      await change("DELETE", `${path}/${at ?? row.id}`, undefined, { ifMatch: row.version });
      toast(`${action === "Revoke" ? "Revoked" : "Deleted"} the ${what} ${name}`);
      close();
    },
  });
}

/** Do something that an answer follows, and say when it failed. */
export async function attempt<T>(work: () => Promise<T>, done?: string): Promise<T | undefined> {
  try {
    const answer = await work();
    if (done) toast(done);
    return answer;
  } catch (error) {
    toast((error as ApiError).message, "bad");
    return undefined;
  }
}

/** A row that the configuration file made cannot be changed here. */
export function FromFile({ row }: { row: Stored }) {
  if (row.source !== "file") return null;
  return <p class="notice">This one stands in the configuration file and is changed there.</p>;
}

