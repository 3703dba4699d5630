"""The control plane: the store, the admin API, sign-in, publishing to the data plane, alerts, the console."""
