"""Sample traffic, where the gateway serves a demo."""

from typing import Annotated

from msgspec import Meta

from fastgw.control.api.call import Answer, Call
from fastgw.control.api.endpoint import Endpoint
from fastgw.control.api.problem import ApiError
from fastgw.control.api.written import read_written
from fastgw.snapshot.section import Section


class TrafficWanted(Section, frozen=True):
    """How much is to be sent."""

    requests: Annotated[int, Meta(ge=1, le=500, description="varied requests, a few of them wrong")] = 50


class DemoTraffic:
    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST", path="/demo/traffic", run=self.begin, summary="Have a demo send sample traffic through itself", status=202,
                scope="workspaces.update", uses="none", body=TrafficWanted, tag="demo", codes=("in_use", "not_found"),
            )
        ]  # fmt: skip

    async def begin(self, call: Call) -> Answer:
        wanted = read_written(TrafficWanted, {} if call.body is None else call.document, call.plane.sealer)
        call.need("workspaces.update")
        if call.plane.traffic is None:
            raise ApiError("not_found", "there is no demo here: fastgw serve --demo is one")
        call.plane.traffic.begin(wanted.requests)
        return Answer({"requests": wanted.requests})
