"""What usage costs: the catalog of prices and limits."""
