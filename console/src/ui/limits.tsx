// Limits, wherever they stand: budgets, rates, requests at once.

import { WINDOWS } from "../lib/format.ts";
import type { Budget, Json } from "../lib/types.ts";
import { Button } from "./basics.tsx";
import { Field, NumberField, useMember } from "./form.tsx";

const UNITS = [["usd", "dollars"], ["tokens", "tokens"], ["requests", "requests"]] as const;
type Unit = (typeof UNITS)[number][0];
const unitOf = (budget: Budget): Unit => UNITS.find(([unit]) => budget[unit] !== undefined)?.[0] ?? "usd";

function BudgetRow({ index, budget, put, remove }: { index: number; budget: Budget; put: (budget: Budget) => void; remove: () => void }) {
  const unit = unitOf(budget);
  const { id, error } = useMember(`budgets.${index}.${unit}`);
  const window = useMember(`budgets.${index}.window`);
  const alert = useMember(`budgets.${index}.alert_at`);
  const isKnown = WINDOWS.some(([name]) => name === budget.window);
  const problem = error ?? window.error ?? alert.error;
  return (
    <div class="budget-row">
      <div>
        <input id={id} type="number" min={0} step="any" inputMode="decimal" aria-label={`Budget ${index + 1}: amount`} aria-invalid={error ? true : undefined}
          aria-describedby={problem ? `${id}-error` : undefined} value={budget[unit] ?? ""} placeholder="100"
          onInput={(event) => put({ ...budget, [unit]: Number(event.currentTarget.value) })} />
        <span class="select"><select aria-label={`Budget ${index + 1}: unit`} value={unit}
          onChange={(event) => {
            const { usd, tokens, requests, ...rest } = budget;
            put({ ...rest, [event.currentTarget.value]: usd ?? tokens ?? requests ?? 0 });
          }}>
          {UNITS.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
        </select></span>
        <span class="select"><select aria-label={`Budget ${index + 1}: window`} value={budget.window} aria-invalid={window.error ? true : undefined}
          onChange={(event) => put({ ...budget, window: event.currentTarget.value })}>
          {!isKnown && <option value={budget.window}>{budget.window}</option>}
          {WINDOWS.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
        </select></span>
        <Button icon="close" kind="quiet" small label={`Take away budget ${index + 1}`} onClick={remove} />
      </div>
      <label class="alert-at">
        <span>Alert at</span>
        <input type="text" inputMode="numeric" aria-label={`Budget ${index + 1}: alert at percent`} placeholder="80, 100"
          value={(budget.alert_at ?? []).map((part) => Math.round(part * 100)).join(", ")}
          onChange={(event) => {
            const parts = event.currentTarget.value.split(/[\s,%]+/).map(Number).filter((part) => part > 0).map((part) => part / 100);
            const { alert_at: _, ...rest } = budget;
            put(parts.length ? { ...rest, alert_at: parts } : rest);
          }} />
        <span>% of it</span>
      </label>
      {problem && <p class="error" id={`${id}-error`} role="alert">{problem}</p>}
    </div>
  );
}

/** Fields for budgets, rates and requests at once of the object that the form is about. */
export function LimitFields() {
  const { value, set, error, id } = useMember("budgets");
  const budgets = Array.isArray(value) ? (value as unknown as Budget[]) : [];
  const put = (next: Budget[]) => set(next.length ? (next as unknown as Json) : undefined);
  return (
    <>
      <Field id={id} label="Budgets" group error={error} hint={budgets.length ? undefined : "Without a budget, only the limits above it hold."}>
        <div class="budgets">
          {budgets.map((budget, index) => (
            <BudgetRow key={index} index={index} budget={budget} put={(next) => put(budgets.with(index, next))}
              remove={() => put(budgets.filter((_, at) => at !== index))} />
          ))}
          <Button small icon="plus" kind="quiet" onClick={() => put([...budgets, { usd: 100, window: "month" }])}>Add a budget</Button>
        </div>
      </Field>
      <div class="columns three">
        <NumberField at="rate.requests_per_minute" label="Requests a minute" placeholder="unlimited" min={1} />
        <NumberField at="rate.tokens_per_minute" label="Tokens a minute" placeholder="unlimited" min={1} />
        <NumberField at="max_parallel" label="Requests at once" placeholder="unlimited" min={1} />
      </div>
    </>
  );
}
