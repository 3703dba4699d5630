"""What Portkey's headers and config JSON mean, as routes, integrations and answers of ours; pure functions over text and decoded JSON."""
