"""Let the drain take only the processor time that nothing else wants, unless it falls behind.

A batch of records takes milliseconds, and a request that becomes ready meanwhile on the same core would wait for it. As SCHED_IDLE the
drain is put aside the moment a worker wakes. Where rings fill, or would soon at the rate of now, it is scheduled like everybody; so it is
for a while where others keep the machine so busy that it would not come to anything, /metrics included. The supervisor does this, for a
drain that gets no time cannot notice that it should have more.
"""
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from fastgw._core.ring import RingError, filling

LOOK_SECONDS = 0.05
BEHIND_SHARE = 1 / 3           # of a ring; what lingers for a commit at ordinary rates is less
CAUGHT_UP_SHARE = 1 / 6
FAST_SHARE = 1 / 16            # of a ring, pushed between two looks: it would be full in less than a second

STARVED_LOOKS = 10             # between two looks at how long it has waited for a core
STARVED_SHARE = 1 / 2          # of that time spent waiting
FED_LOOKS = 40                 # how long it has its share then

log = logging.getLogger("fastgw.record")


class Pace:
    """The scheduling policy of all threads of the drain; where there is no say in it, nothing is done."""

    def __init__(self, rings: Sequence[Path]) -> None:
        self.rings = rings
        self.is_able = hasattr(os, "SCHED_IDLE")
        self.pid = 0
        self.is_idle = False
        self.pushed: dict[Path, float] = {}
        self.looks = 0
        self.fed_until = 0             # look at which it takes the rest again
        self.waited_ns = 0

    def __repr__(self) -> str:
        return f"<Pace of {self.pid}: {'idle' if self.is_idle else 'normal'}>"

    def look(self, pid: int) -> None:
        """Choose the policy by how full the rings are; 0 where no drain runs."""
        if pid != self.pid:
            self.pid, self.is_idle = pid, False
        if not pid or not self.is_able:
            return
        used = fast = 0.0
        for ring in self.rings:
            try:
                share, pushed = filling(ring)
            except (FileNotFoundError, RingError):
                continue
            used = max(used, share)
            fast = max(fast, pushed - self.pushed.get(ring, pushed))
            self.pushed[ring] = pushed
        self.looks += 1
        if self.looks % STARVED_LOOKS == 0 and self.is_starved():
            self.fed_until = self.looks + FED_LOOKS
        if self.looks < self.fed_until:
            self.set(is_idle=False)
        elif self.is_idle and (used > BEHIND_SHARE or fast > FAST_SHARE):
            self.set(is_idle=False)
        elif not self.is_idle and used < CAUGHT_UP_SHARE and fast < FAST_SHARE / 2:
            self.set(is_idle=True)

    def is_starved(self) -> bool:
        """Whether its threads waited for a core most of the time since the last look."""
        before, self.waited_ns = self.waited_ns, waited_ns(self.pid)
        return self.is_idle and self.waited_ns - before > STARVED_LOOKS * LOOK_SECONDS * STARVED_SHARE * 1e9 and before > 0

    def set(self, is_idle: bool) -> None:
        """Take the rest, or a full share."""
        if not self.pid or not self.is_able or is_idle == self.is_idle:
            return
        policy = os.SCHED_IDLE if is_idle else os.SCHED_OTHER
        try:
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                os.sched_setscheduler(int(thread), policy, os.sched_param(0))
        except (FileNotFoundError, ProcessLookupError):
            return                                # it, or a thread of it, has just ended: look again
        except OSError as error:
            self.is_able = False
            log.info("the drain keeps its share of the processor: %s", error)
            return
        self.is_idle = is_idle


def waited_ns(pid: int) -> int:
    """How long the threads of a process have waited for a core altogether (proc(5), schedstat); 0 where the kernel does not say."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        return sum(int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[1]) for thread in threads)
    except (OSError, ValueError, IndexError):
        return 0
