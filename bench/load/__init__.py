"""The gateway under load, always beside a reference in the same run."""
