"""The admin API: one file a resource, one table of what is served."""
