"""Whole answers, kept for those who ask the same again; docs/cache.md says what is kept and who gets it."""
