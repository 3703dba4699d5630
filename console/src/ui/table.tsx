// Tables: rows are links, numbers line up, and on a phone each row is a card.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ApiError } from "../lib/api.ts";
import { whole } from "../lib/format.ts";
import { idOf, type Rows } from "../lib/pages.ts";
import type { Query } from "../lib/query.ts";
import { Button, Failure, Skeleton, toast } from "./basics.tsx";

/**
 * `fold`: on a phone the column joins the head of the card, or is left out; `narrow`: where there is little room beside a panel it is
 * left out, `tight` ones only where there is very little.
 */
export type Column<T> = {
  /** what the column is called; `quiet` ones say it to screen readers alone */
  head: string; quiet?: boolean; cell: (row: T) => ComponentChildren; numeric?: boolean; fold?: "head" | "away"; wide?: boolean; class?: string; narrow?: "away" | "tight";
};

export function Table<T>({ rows, columns, label, href, selected, dense, stale, fresh }: {
  rows: readonly T[]; columns: readonly Column<T>[]; label: string; href?: ((row: T) => string) | undefined; selected?: string | undefined;
  dense?: boolean; stale?: boolean | undefined; fresh?: ((row: T) => boolean) | undefined;
}) {
  const names = (column: Column<T>) =>
    [column.numeric ? "numeric" : "", column.fold ? `fold-${column.fold}` : "", column.narrow ? `narrow-${column.narrow}` : "", column.class ?? ""]
      .filter(Boolean).join(" ") || undefined;
  return (
    <div class={`table ${dense ? "dense" : ""} ${stale ? "stale" : ""}`}>
      <table aria-label={label}>
        <thead>
          <tr>{columns.map((column) => (
              <th key={column.head} scope="col" class={names(column)}>{column.quiet ? <span class="sr-only">{column.head}</span> : column.head}</th>
            ))}</tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const id = idOf(row);
            return (
              <tr key={id} class={`${selected === id ? "selected" : ""} ${fresh?.(row) ? "fresh" : ""}`}>
                {columns.map((column, at) => (
                  <td key={column.head} class={names(column)} data-head={column.quiet ? "" : column.head}>
                    {at === 0 && href
                      ? <a href={href(row)} data-row aria-current={selected === id ? "true" : undefined}>{column.cell(row)}</a>
                      : column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** A list of the API as a table: loading, failed, empty, and the button for what follows. */
export function Listing<T>({ query, what, one = what.replace(/s$/, ""), empty, ...table }: {
  query: Query<Rows<T>> & { more: () => Promise<void> }; what: string; one?: string; empty: ComponentChildren;
  columns: readonly Column<T>[]; href?: (row: T) => string; selected?: string | undefined; dense?: boolean; fresh?: (row: T) => boolean;
}) {
  const [busy, setBusy] = useState(false);
  const { data, error, reload } = query;
  if (!data) return error ? <Failure error={error} what={what} retry={reload} /> : <Skeleton rows={10} />;
  const more = async () => {
    setBusy(true);
    try {
      await query.more();
    } catch (failure) {
      toast((failure as ApiError).message, "bad");
    }
    setBusy(false);
  };
  if (data.rows.length === 0) return <>{empty}</>;
  return (
    <>
      {error && <Failure error={error} what={`the latest ${what}`} retry={reload} />}
      <Table rows={data.rows} label={what} stale={query.isStale} {...table} />
      <div class="below">
        <span class="faint" role="status">
          {data.total !== undefined && data.total > data.rows.length ? `${whole(data.rows.length)} of ${whole(data.total)}` : whole(data.rows.length)} {data.rows.length === 1 ? one : what}
        </span>
        {data.next && <Button small onClick={more} busy={busy}>Show more</Button>}
      </div>
    </>
  );
}
