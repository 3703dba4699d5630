"""Names for the indexes that a record carries; the order is part of the rings' layout."""

OUTCOMES = ("served", "refused", "failed", "cancelled", "lost")

OPERATIONS = (
    "chat", "completions", "embeddings", "responses", "moderations", "images", "audio", "files", "batches", "models",
    "messages", "count_tokens", "generate", "embed", "proxy", "unknown", "rerank",
    "cohere_chat", "cohere_embed", "cohere_rerank", "bedrock", "ollama",
)

CACHES = ("", "hit", "miss", "refresh", "bypass")

# by bit, lowest first
FLAGS = ("streamed", "estimated", "clamped", "price_unknown", "retried", "tls", "detail_dropped")

# One text for every set of flags, so that naming a set is a look-up.
FLAG_SETS = tuple(
    ",".join(name for bit, name in enumerate(FLAGS) if bits >> bit & 1) for bits in range(1 << len(FLAGS))
)

GAUGES = (
    "connections", "in_flight", "upstream_idle", "upstream_busy", "refused_connections", "snapshot_version",
    "snapshot_refused", "snapshot_faulty", "pid", "faults", "published_ns",
)
