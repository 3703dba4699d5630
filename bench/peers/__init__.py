"""Rivals and floors side by side with fastgw: a recipe for each, one command that runs and measures all that are there."""
