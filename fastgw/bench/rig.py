"""The lanes of a bench and what all measurements share: requests, what replies should be, driving a load to its end."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastgw.bench import verdict
from fastgw.bench.figures import CannotMeasure, Moment
from fastgw.bench.generator import Load
from fastgw.bench.plan import Plan
from fastgw.bench.progress import Progress
from fastgw.bench.request import MODELS, Asked, Template, fixed, template
from fastgw.bench.target import Target
from fastgw.bench.tree import ControlGroup, ProcessTree, Spending, idle_share, settle

SLICE_S = 0.1
IDLE_S = 2.0
WARM_UP_S = 1.0


class Lane:
    """One way to the provider: a name, whom to ask, and the processes that it costs."""

    def __init__(self, name: str, target: Target, spending: Spending | None) -> None:
        self.name, self.target, self.spending = name, target, spending
        self.idle = 0.0
        self.idle_mib = 0.0
        self.server = ""

    def __repr__(self) -> str:
        return f"<Lane {self.name} to {self.target.url}>"


class Rig:
    """What a plan names, checked and warm.

    direct   the provider (or mock) itself; None where the plan names none
    lanes    the ways through a gateway: "gateway", or "bare" and "governed"
    all      direct, where there is one, and the lanes
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self._expected: dict[tuple[str, Asked], bytes | None] = {}
        self._templates: dict[Asked, Template] = {}
        is_governed = plan.governed is not None or plan.governed_key is not None or bool(plan.governed_fields)
        spending = self._spending(plan.pids)
        self.lanes = [Lane("bare" if is_governed else "gateway", self._target(plan.url, plan.key, plan.fields), spending)]
        if is_governed:
            key = plan.key if plan.governed_key is None else plan.governed_key
            target = self._target(plan.governed or plan.url, key, {**plan.fields, **plan.governed_fields})
            self.lanes.append(Lane("governed", target, self._spending(plan.governed_pids) or spending))
        self.direct = None if plan.direct is None else Lane("direct", self._target(plan.direct, plan.direct_key, {}), None)
        self.all = ([self.direct] if self.direct else []) + self.lanes

    def __repr__(self) -> str:
        return f"<Rig of {', '.join(lane.name for lane in self.all)}>"

    def _target(self, url: str, key: str, fields: dict[str, str]) -> Target:
        return Target(url, self.plan.kind, key, fields, ca=self.plan.ca, timeout_s=self.plan.timeout_s)

    def _spending(self, pids: tuple[int, ...]) -> Spending | None:
        if self.plan.cgroup is not None and not pids:
            return ControlGroup(self.plan.cgroup)
        return ProcessTree(pids) if pids else None

    def prepare(self) -> None:
        """Make sure that everything that was named can be measured, then read what is spent at rest, then warm up."""
        for lane in self.all:
            if lane.spending:
                lane.spending.check()
        self.progress.step("asking each lane once")
        for lane in self.all:
            for is_stream in {False, self.plan.is_stream}:
                asked = self.asked(is_stream=is_stream)
                lane.server = lane.target.ask(asked, self.template(asked)).server
        self.progress.step("reading what the gateway spends at rest")
        for lane in self.lanes:
            if lane.spending:
                settle(lane.spending, 0.0, looks=3)      # one that has just been started is busy with that, which is not rest
                lane.idle = idle_share(lane.spending, min(IDLE_S, 2 * self.plan.seconds))
                lane.idle_mib = lane.spending.memory_mib()
        self.progress.step("warming up")
        for lane in self.all:
            load = self.load(lane, self.asked(), connections=min(8, self.plan.connections))
            self.drive(load, seconds=min(WARM_UP_S, self.plan.seconds))
            load.close()
            if lane.spending:
                settle(lane.spending, lane.idle)
            if wrong := verdict.failed(load):
                raise CannotMeasure(f"{lane.name} ({lane.target.url}): {wrong[0]}")

    def asked(self, *, is_stream: bool = False, tokens: int | None = None, body_bytes: int | None = None) -> Asked:
        plan = self.plan
        return Asked(
            plan.kind, plan.model or MODELS[plan.kind], is_stream=is_stream, tokens=plan.tokens if tokens is None else tokens,
            body_bytes=plan.body_bytes if body_bytes is None else body_bytes)

    def template(self, asked: Asked) -> Template:
        """The same for all lanes, so that their replies can be compared."""
        if asked not in self._templates:
            self._templates[asked] = template(asked) if self.plan.is_unique else fixed(template(asked))
        return self._templates[asked]

    def expected(self, lane: Lane, asked: Asked) -> bytes | None:
        """What the provider answers, asked directly (the lane itself where there is no direct one); None where it varies."""
        source = self.direct or lane
        if (source.name, asked) not in self._expected:
            once, again = (source.target.ask(asked, self.template(asked)).body for _ in range(2))
            self._expected[source.name, asked] = once if once == again and not self.plan.is_unique else None
        return self._expected[source.name, asked]

    def load(self, lane: Lane, asked: Asked, *, connections: int) -> Load:
        return lane.target.load(
            asked, self.template(asked), connections=connections, expected=self.expected(lane, asked), is_unique=self.plan.is_unique)

    def drive(self, load: Load, *, seconds: float = 0.0, requests: int = 0, rate: float = 0.0, seed: int = 1, says: str = "") -> None:
        """Run a load to its end."""
        try:
            load.start(seconds=seconds, requests=requests, rate=rate, poisson=self.plan.is_poisson and rate > 0, seed=seed)
        except OSError as error:
            raise CannotMeasure(f"cannot connect: {error.strerror or error}") from None
        while load.advance(SLICE_S):
            self.progress.at(f"{says} {load.replies:,} replies")

    def moments(self, lane: Lane, load: Load) -> list[Moment]:
        """The seconds of the run, for whoever looks for what else happened at that time."""
        return [Moment(lane.name, round(at_s, 3), replies, errors, p50 / 1e3, p99 / 1e3, most / 1e3)
                for at_s, replies, errors, p50, p99, most in load.seconds]

    def turns(self, lanes: Sequence[Lane], rounds: int) -> Iterator[Lane]:
        """A B, B A, A B, ...: what drifts in one direction meanwhile falls on all alike."""
        for number in range(rounds):
            yield from lanes if number % 2 == 0 else reversed(lanes)
