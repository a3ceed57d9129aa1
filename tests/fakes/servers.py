"""A remote engine beside a fake server, with patience that is short enough for tests."""

from __future__ import annotations

from openshelf.engine.interface import ServerOrder
from openshelf.engine.remote import RemoteEngine
from openshelf.engine.remote_http import Limits
from openshelf.engine.servers import Server
from openshelf.licenses.clearance import Clearance, Verdict
from openshelf.network import EgressLog, NetworkOptions
from tests.fakes.model_server import MODEL

SHORT = Limits(connect=2.0, first=1.0, silent=0.5, short=1.0)
KEY = "sk-canary-4711-abcdef"


def server_order(address: str, model: str = MODEL) -> ServerOrder:
    return ServerOrder(Server("Box", address), model, 2048, "")


def clearance_for_server(order: ServerOrder) -> Clearance:
    """What the gate would hand out; tests of the engine need no gate."""
    return Clearance(
        order.model, "", (), Verdict.NEEDS_REVIEW, None, order.policy_sha256,
        origin=order.server.origin,
    )  # fmt: skip


def remote_engine(
    key: str | None = None, egress: EgressLog | None = None, limits: Limits = SHORT
) -> RemoteEngine:
    return RemoteEngine(lambda address: NetworkOptions(), lambda address: key, egress, limits)
