"""Turn the configuration of another gateway into a file of ours, and say of each of its keys what became of it."""
