"""Who may do what in the control plane, and how they prove who they are."""
