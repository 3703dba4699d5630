"""Records of exchanges: what is in them, how they leave the workers' rings, where they are kept, how they are read."""
