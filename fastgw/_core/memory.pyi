"""Tell the C library's allocator how this process uses memory, and give back what a burst has left."""

def tune() -> None:
    """Keep freed memory for the next request; call once, early."""

def trim() -> bool:
    """Return free memory to the system; takes milliseconds, so call it when nothing waits. True where some was returned."""
