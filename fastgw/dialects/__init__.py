"""The JSON shapes on the wire, and what the gateway puts into them."""
