// Bars: how full budgets are, and who stands where in a ranking.

import type { ComponentChildren } from "preact";
import { fillOf, hasLimits, tightest } from "../lib/budget.ts";
import { amount, count, money, moment, plural, relative, windowName } from "../lib/format.ts";
import type { BudgetSpend, Limited } from "../lib/types.ts";

export function BudgetBar({ budget, compact }: { budget: BudgetSpend; compact?: boolean }) {
  const { spent, reserved, level } = fillOf(budget);
  const words = `${amount(budget.spent, budget.unit)} of ${amount(budget.limit, budget.unit)} ${windowName(budget.window)}`;
  const resets = budget.resets_at ? `renews ${relative(budget.resets_at)}` : "never renews";
  return (
    <div class={`budget ${level}`} title={`${words}, ${resets}`}>
      <div class="budget-words">
        <span>{amount(budget.spent, budget.unit)} <span class="faint">of {amount(budget.limit, budget.unit)}</span></span>
        <span class="faint">{compact ? budget.window : windowName(budget.window)}</span>
      </div>
      <div class="bar" role="meter" aria-label={`budget ${windowName(budget.window)}`} aria-valuemin={0} aria-valuemax={budget.limit}
        aria-valuenow={Math.min(budget.spent, budget.limit)} aria-valuetext={words}>
        <i style={{ width: `${spent * 100}%` }} />
        <i class="reserved" style={{ width: `${reserved * 100}%` }} />
      </div>
      {!compact && (
        <div class="budget-words faint small">
          <span>{budget.is_exhausted ? "used up" : `${amount(Math.max(0, budget.remaining), budget.unit)} left`}
            {budget.reserved > 0 && `, ${amount(budget.reserved, budget.unit)} reserved`}</span>
          <span title={moment(budget.resets_at)}>{resets}</span>
        </div>
      )}
    </div>
  );
}

/** In a table: what was spent, against the budget that is fullest. */
export function SpendCell({ of }: { of: Limited }) {
  // what others spend is not told to everyone
  if (!of.spend) return <span class="faint">–</span>;
  const budget = tightest(of.spend);
  if (budget) return <BudgetBar budget={budget} compact />;
  return <span>{money(of.spend.usd)} <span class="faint">no budget</span></span>;
}

/** All of what was spent, in a panel. */
export function SpendBlock({ of }: { of: Limited }) {
  const spend = of.spend;
  if (!spend) return null;
  return (
    <div class="spend">
      <div class="tiles">
        <Tile name="Spent" value={money(spend.usd)} />
        {spend.today_usd !== undefined && <Tile name="Today" value={money(spend.today_usd)} />}
        <Tile name="Requests" value={count(spend.requests)} />
        <Tile name="Tokens" value={count(spend.tokens)} />
      </div>
      {spend.budgets.map((budget) => <BudgetBar key={budget.window + budget.unit} budget={budget} />)}
      {hasLimits(of) && (of.rate || of.max_parallel) && (
        <p class="faint small">
          {[
            of.rate?.requests_per_minute && `${plural(of.rate.requests_per_minute, "request")} a minute`,
            of.rate?.tokens_per_minute && `${count(of.rate.tokens_per_minute)} tokens a minute`,
            of.max_parallel && `${plural(of.max_parallel, "request")} at once`,
          ].filter(Boolean).join(" · ")}
        </p>
      )}
    </div>
  );
}

export function Tile({ name, value, note }: { name: string; value: ComponentChildren; note?: ComponentChildren }) {
  return <div class="tile"><span class="name">{name}</span><span class="value">{value}</span>{note && <span class="note">{note}</span>}</div>;
}

export type Rank = { name: string; value: number; text: string; note?: string; href?: string };

/** Who has the most, each with a bar; a name leads to what is behind it. */
export function Ranking({ rows, label }: { rows: readonly Rank[]; label: string }) {
  const most = Math.max(...rows.map((row) => row.value), 0) || 1;
  return (
    <ol class="ranking" aria-label={label}>
      {rows.map((row) => (
        <li key={row.name}>
          <i class="fill" style={{ width: `${(row.value / most) * 100}%` }} />
          {row.href ? <a href={row.href}>{row.name || "none"}</a> : <span>{row.name || "none"}</span>}
          <span class="note faint">{row.note}</span>
          <span class="value">{row.text}</span>
        </li>
      ))}
    </ol>
  );
}
