"""The gateway as one process, for where there is little room: a worker that drains its own records, without a supervisor."""
from functools import partial

from fastgw.serve import Supervisor
from fastgw.worker import WorkerOptions, run_worker


class Edge(Supervisor):
    """A gateway without children: what dies is started again by whoever started this, such as systemd."""

    def __repr__(self) -> str:
        return f"<Edge on port {self.port}>"

    def serve(self) -> int:
        self.workers = 1
        _, lost = self.take_up()
        status = run_worker(WorkerOptions(
            document=self.document, host=self.host, port=self.port, state=self.state, watch=bool(self.document.path), lost=lost,
            vault=self.vault, is_small=True, drain=self.drain_options(parent_pid=0),
            ready=partial(self.started, self) if self.started else int))
        if status == 0:
            self.remove_old_rings()
        return status
