"""What builds the package and checks it; nothing of this is installed."""
