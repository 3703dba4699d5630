"""What an integration's use by one workspace is held to: accounts that a request joins once it is known where it goes."""


cdef class Share:
    def __init__(self, *, chain=(), account_names=(), bint has_budget=False, bint counts_tokens=False, models=None):
        cdef int i
        if len(chain) > MAX_CHAIN:
            raise ValueError(f"expected at most {MAX_CHAIN} accounts, got {len(chain)}")
        for i in range(len(chain)):
            self.chain[i] = chain[i]
        self.depth = len(chain)
        self.account_names = account_names
        self.has_budget = has_budget
        self.counts_tokens = counts_tokens
        self.models = models

    def __repr__(self):
        return f"<Share of {self.depth} accounts>"

    cdef bint allows(self, bytes model):
        """Whether that model, by the integration's own name for it, may be used."""
        return self.models is None or model in self.models
