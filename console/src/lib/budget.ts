// How full a budget is, as a bar shows it.

import type { BudgetSpend, Limits, Spend } from "./types.ts";

export type Fill = { spent: number; reserved: number; level: "fine" | "near" | "full" };

/** Shares of the bar from 0 to 1; what is reserved stands behind what is spent, and both together never leave the bar. */
export function fillOf(budget: Pick<BudgetSpend, "limit" | "spent" | "reserved" | "is_exhausted">): Fill {
  const of = (value: number) => (budget.limit > 0 ? Math.min(1, Math.max(0, value / budget.limit)) : 1);
  const spent = of(budget.spent);
  const reserved = Math.min(1 - spent, of(budget.reserved));
  const level = budget.is_exhausted || spent >= 1 ? "full" : spent >= 0.8 ? "near" : "fine";
  return { spent, reserved, level };
}

/** The budget that is fullest, which is the one that will refuse first. */
export function tightest(spend: Spend | undefined): BudgetSpend | undefined {
  return [...(spend?.budgets ?? [])].sort((a, b) => b.spent / (b.limit || 1) - a.spent / (a.limit || 1))[0];
}

export function hasLimits(limits: Limits): boolean {
  return Boolean(limits.budgets?.length || limits.max_parallel || limits.rate?.requests_per_minute || limits.rate?.tokens_per_minute);
}
