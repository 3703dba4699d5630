"""How long tests wait on a slow day.

A wait ends as soon as its condition holds, so a generous limit costs nothing; how fast something is, bench/ measures.
"""

PATIENCE_S = 30.0        # for what comes within milliseconds where nothing is in its way
SLOW_DAY_S = 5.0         # what a machine that others load may add to a time that is measured; it has added more than a second
