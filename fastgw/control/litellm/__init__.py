"""LiteLLM's management routes, answered by the resources of the admin API: another spelling, and no second way into the store."""
