"""Measure any OpenAI- or Anthropic-compatible URL: load, latency, cost, and whether the figures may be believed."""
