"""Steps from one schema to the next, applied in order by `migrate`."""
