"""May it run now: rates, budgets and requests in flight."""
