"""What people write and what the data plane reads of it."""
