"""Moments as HTTP writes them."""

from time import gmtime, strftime


def http_date(now_s: float | None = None) -> str:
    """A date field's value (RFC 9110, 5.6.7), of now where no moment is given.

    What `email.utils` has for this brings a megabyte of modules; the names of days are English, since the process sets no LC_TIME.
    """
    return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(now_s))
