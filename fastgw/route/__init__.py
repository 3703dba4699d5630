"""Where to: from the model a caller names to the targets that serve it."""
