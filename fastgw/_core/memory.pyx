"""Tell the C library's allocator how this process uses memory, and give back what a burst has left.

Bodies of some hundred kilobytes come and go with every request: by default each would be mapped and unmapped, or the top of the heap
would shrink and grow, which costs a page fault for every 4 KiB. Here they are reused, and `trim` returns them when it is quiet.
Only glibc has these controls; elsewhere both functions do nothing.
"""

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    static void fastgw_tune(void) {
        mallopt(M_ARENA_MAX, 1);
        mallopt(M_MMAP_THRESHOLD, 32 << 20);
        mallopt(M_TRIM_THRESHOLD, 256 << 20);
        mallopt(M_TOP_PAD, 1 << 20);
    }
    static int fastgw_trim(void) { return malloc_trim(1 << 18); }
    #else
    static void fastgw_tune(void) {}
    static int fastgw_trim(void) { return 0; }
    #endif
    """
    void fastgw_tune() nogil
    int fastgw_trim() nogil


def tune() -> None:
    """Keep freed memory for the next request; call once, early."""
    fastgw_tune()


def trim() -> bool:
    """Return free memory to the system; takes milliseconds, so call it when nothing waits. True where some was returned."""
    return fastgw_trim() != 0
