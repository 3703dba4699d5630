"""Tell people when budgets come to an end: which budgets, when they cross a threshold, and how the news gets out."""
