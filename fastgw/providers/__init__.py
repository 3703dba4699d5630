"""What is known of each provider: one row each, no code."""
