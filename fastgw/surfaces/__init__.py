"""What the gateway offers: the paths, the answers of its own, and how it words its errors."""
