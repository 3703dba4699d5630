"""What did it cost: from what is known of the usage to the charge.

A reply that states its usage is charged for it. One that was cut short, by the caller or by the provider, is charged for what was seen:
the input by its bytes, the output by the text that went by; such a record is marked estimated.
"""
from libc.stdint cimport int64_t

from fastgw._core.price cimport charge
from fastgw._core.ring cimport CANCELLED
from fastgw._core.usage cimport UsageTap
from fastgw.exchange cimport X_REPLYING, X_SENT
from fastgw.snapshot.types cimport Caller

cdef enum:
    BYTES_PER_TOKEN = 4


# what puts out tokens and has no limit of them; an embedding and a rank are as many bytes of numbers, and none
cdef frozenset MAKING = frozenset(("images", "audio", "speech", "transcriptions", "translations"))


cdef int bill(Ledger ledger, Exchange x) except -1:
    cdef UsageTap tap = x.tap
    if x.metered:
        return 0
    x.metered = True
    if tap is not None and not x.usage_known and tap.usage.seen:
        x.usage = tap.usage
        x.usage_known = True
    # between two attempts nothing is on its way: the one before failed, and the next has not been sent
    if x.dispatched and x.state >= X_SENT and x.operation.metered and x.upstream_status < 400:
        if (not x.usage_known or (tap is not None and not x.usage.final and not tap.saw_done)
                or (x.stream is not None and not x.usage_final)):
            estimate(ledger, x)
    if x.dispatched and 200 <= x.upstream_status < 400 and x.costs_unseen():
        x.cost_nano_usd = -1
    elif x.target is None or not x.target.price.price.known:
        # of what used nothing, the cost is known: an error of the provider is free
        x.cost_nano_usd = -1 if x.usage_known or x.usage_estimated else 0
    elif x.usage_known or x.usage_estimated:
        x.cost_nano_usd = charge(&x.target.price.price, &x.usage)
    if x.slot >= 0:
        ledger.settle(x.slot, x.steps.poller.wall_now_ns(), max(x.cost_nano_usd, 0), x.usage.input_tokens + x.usage.output_tokens,
                      x.usage.output_tokens)
        x.slot = -1
    return 0


cdef int estimate(Ledger ledger, Exchange x) except -1:
    """Fill in what the reply did not get to say."""
    cdef UsageTap tap = x.tap
    cdef int64_t seen = 0
    cdef Caller caller = x.caller
    if x.stream is not None:
        seen = x.stream.text_bytes // BYTES_PER_TOKEN + (1 if x.stream.text_bytes else 0)
    elif tap is not None:
        seen = tap.text_bytes // BYTES_PER_TOKEN + (1 if tap.text_bytes else 0)
    elif x.state == X_REPLYING and x.operation.generates and x.entry.reply_bytes:
        # a whole reply that says nothing of usage: its bytes bound what it put out
        seen = x.entry.reply_bytes // BYTES_PER_TOKEN + 1
    elif x.outcome == CANCELLED and x.operation.generates and caller is not None and caller.depth:
        # nothing came yet, but the provider goes on generating: what this caller's replies are like
        seen = ledger.mean_output(caller.chain[caller.depth - 1])
    elif x.state == X_REPLYING and x.held.size and (x.operation.generates or x.operation.name in MAKING):
        seen = x.held.size // BYTES_PER_TOKEN + 1      # a reply that was held until it broke
    elif x.state != X_REPLYING and x.outcome != CANCELLED:
        return 0                # it failed before a reply began: nothing is known to have been used
    if x.usage.input_tokens == 0:
        x.usage.input_tokens = x.body_bytes // BYTES_PER_TOKEN + 1
    if x.usage.output_tokens < seen:
        x.usage.output_tokens = seen
    x.usage_estimated = True
    return 0
