"""A chat with a server passes the gate: offline_only, allow_remote_hosts, rules about licenses."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import openshelf
from openshelf import wording
from openshelf.chat import holding
from openshelf.chat.interface import ServerTicket
from openshelf.engine.engines import Engines
from openshelf.engine.interface import ServerOrder
from openshelf.engine.protocol import Sampling
from openshelf.engine.remote import RemoteEngine
from openshelf.engine.servers import ServerModelName, checked_server
from openshelf.errors import (
    ClearanceRefused,
    NeedsReview,
    NotFound,
    Offline,
    OpenshelfError,
    PolicyBlocked,
)
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.paths import find_paths
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Policy, Rules, closed_policy, tighten
from openshelf.policy.waiver import Scope, Waiver
from openshelf.services import Services
from openshelf.tasks import CancelToken, no_report
from openshelf.wiring import build_services
from tests.fakes.model_server import MODEL, FakeModelServer

LAN, HERE = "http://gpu.example:8000/v1", "http://127.0.0.1:8000/v1"
TEAM = Policy(name="team", sha256="1" * 64, source="/team.toml")
RULES = Rules(allow_only=("mit",))


def gate_of(tmp_path: Path, policy: Policy) -> Gate:
    log = AcceptanceLog(tmp_path / "acceptances.jsonl", tmp_path / "head.json")
    return Gate(load_licenses(), policy, log)


@pytest.mark.parametrize(
    ("policy", "address", "error"),
    [
        (Policy(), LAN, None),
        (TEAM, LAN, None),
        (replace(TEAM, offline_only=True), LAN, PolicyBlocked),
        (replace(TEAM, offline_only=True), HERE, None),
        (replace(TEAM, offline_only=True), "http://[::1]:1/v1", None),
        (replace(TEAM, offline_only=True), "http://localhost:1/v1", None),
        (replace(TEAM, offline_only=True), "http://127.0.0.1.example/v1", PolicyBlocked),
        (replace(TEAM, offline_only=True, allow_remote_hosts=("gpu.example",)), LAN, PolicyBlocked),
        (replace(TEAM, allow_remote_hosts=()), LAN, PolicyBlocked),
        (replace(TEAM, allow_remote_hosts=()), HERE, None),
        (replace(TEAM, allow_remote_hosts=("other.example",)), LAN, PolicyBlocked),
        (replace(TEAM, allow_remote_hosts=(" GPU.example ",)), LAN, None),
        (replace(TEAM, allow_remote_hosts=("gpu.example:8000",)), LAN, None),
        (replace(TEAM, allow_remote_hosts=("http://gpu.example:8000",)), LAN, None),
        (replace(TEAM, allow_remote_hosts=("gpu.example:9",)), LAN, PolicyBlocked),
        (replace(TEAM, allow_remote_hosts=("example", "gpu", "[", "gpu.example:x")), LAN,
         PolicyBlocked),
        (replace(TEAM, allow_remote_hosts=("gpu.example",)), "https://gpu.example.evil/v1",
         PolicyBlocked),
        # What a server has, nobody here knows the license of: a team's rules stop it unless the
        # team names the host.
        (replace(TEAM, rules=RULES), LAN, NeedsReview),
        (replace(TEAM, rules=RULES), HERE, NeedsReview),
        (replace(TEAM, rules=Rules(require_osi=True)), HERE, NeedsReview),
        (replace(TEAM, rules=RULES, allow_remote_hosts=("gpu.example",)), LAN, None),
        (replace(TEAM, rules=RULES, allow_remote_hosts=("gpu.example",)), HERE, NeedsReview),
        (replace(TEAM, rules=RULES, allow_remote_hosts=("127.0.0.1",)), HERE, None),
        (closed_policy("/broken.toml"), LAN, PolicyBlocked),
        (closed_policy("/broken.toml"), HERE, NeedsReview),
    ],
)  # fmt: skip
def test_what_the_gate_says(
    policy: Policy, address: str, error: type[OpenshelfError] | None, tmp_path: Path
) -> None:
    gate = gate_of(tmp_path, policy)
    if error is not None:
        with pytest.raises(error) as caught:
            gate.clear_server(address, MODEL)
        assert wording.error_sentence(caught.value)
        return
    slip = gate.clear_server(address, MODEL)
    server = checked_server("Box", address)
    slip.require_server(origin=server.origin, model=MODEL, policy_sha256=policy.sha256)
    assert slip.verdict in (Verdict.ALLOWED, Verdict.NEEDS_REVIEW)
    assert (slip.files, slip.commit) == ((), "")
    with pytest.raises(ClearanceRefused):
        slip.require(
            repo=MODEL, commit="", path="x", size_bytes=1, sha256="", policy_sha256=policy.sha256
        )


def test_the_rule_is_named(tmp_path: Path) -> None:
    for change, code in (
        ({"offline_only": True}, "policy.offline_only"),
        ({"allow_remote_hosts": ()}, "policy.allow_remote_hosts"),
    ):
        gate = gate_of(tmp_path, replace(TEAM, **change))  # type: ignore[arg-type]
        with pytest.raises(PolicyBlocked) as caught:
            gate.clear_server(LAN, MODEL)
        assert [reason["code"] for reason in caught.value.reasons] == [code]
        assert code in wording.TEMPLATES


def test_a_waiver_for_a_repository_is_none_for_a_name_that_a_server_tells(tmp_path: Path) -> None:
    """Anybody can call a model so, with a server on this machine of all things."""
    waiver = Waiver(MODEL, date.max, (Scope(),), name="Ada")
    rules = replace(RULES, waivers=(waiver,))
    with pytest.raises(NeedsReview):
        gate_of(tmp_path, replace(TEAM, rules=rules)).clear_server(HERE, MODEL)


def test_another_file_only_narrows() -> None:
    managed = replace(TEAM, allow_remote_hosts=("a.example", "b.example"))
    own = replace(TEAM, sha256="2" * 64, allow_remote_hosts=("b.example", "c.example"))
    assert tighten(managed, own).allow_remote_hosts == ("b.example",)


# --- the services -------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@pytest.fixture
def services() -> Iterator[Services]:
    built = build_services(find_paths())
    yield built
    built.close()


def send(services: Services, name: str = "Box") -> str:
    model_id = ServerModelName(name, MODEL).id
    conversation = services.chats.new_conversation(model_id)
    return services.chats.send(
        conversation.id, "Hi", model_id, Sampling(), CancelToken(), no_report
    ).content


def give_policy(text: str) -> None:
    path = find_paths().policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_chat_with_a_server(services: Services, server: FakeModelServer) -> None:
    services.servers.keep(checked_server("Box", server.address))
    assert send(services) == "Hello there, friend."
    with pytest.raises(NotFound):
        send(services, "Other")


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        ('[rules]\nallow_only = ["mit"]\n', NeedsReview),
        ("allow_remote_hosts = []\noffline_only = true\n", None),
    ],
)
def test_the_policy_of_this_moment_counts(
    policy: str, error: type[OpenshelfError] | None, services: Services, server: FakeModelServer,
    tmp_path: Path,
) -> None:  # fmt: skip
    services.servers.keep(checked_server("Box", server.address))
    assert send(services) == "Hello there, friend."
    asked = len(server.chats())
    path = tmp_path / "other.toml"
    path.write_text(policy, encoding="utf-8")
    chosen = services.with_policy(path, False)
    if error is None:
        assert send(chosen) == "Hello there, friend."
        return
    with pytest.raises(error):
        send(chosen)
    assert len(server.chats()) == asked


@pytest.mark.parametrize(
    ("policy", "error"),
    [("offline_only = true\n", PolicyBlocked), ("allow_remote_hosts = []\n", PolicyBlocked)],
)
def test_a_server_elsewhere_is_not_even_listed(
    policy: str, error: type[OpenshelfError], tmp_path: Path
) -> None:
    """Without any attempt: the tests' own guard fails on a packet to another machine."""
    give_policy(policy)
    services = build_services(find_paths())
    services.servers.keep(checked_server("Box", "http://10.0.0.7:8000"))
    with pytest.raises(error):
        services.servers.test("Box", CancelToken())
    with pytest.raises(error):
        send(services)
    services.close()


def test_the_offline_switch_closes_servers_elsewhere(services: Services) -> None:
    services.settings.save(replace(services.settings.current, offline=True))
    services.servers.keep(checked_server("Box", "http://10.0.0.7:8000"))
    with pytest.raises(Offline):
        services.servers.test("Box", CancelToken())
    with pytest.raises(Offline):
        send(services)


# --- the code itself ----------------------------------------------------------------------------

PACKAGE = Path(openshelf.__file__).parent
DOORS = {
    "Exchange": {"engine/remote.py"},
    "ServerOrder": {"chat/servers.py"},
    "ServerTicket": {"chat/servers.py"},
    "RemoteEngine": {"wiring/under_policy.py"},
}
"""Whatever talks to a server → the only files that may make one."""


@pytest.mark.parametrize("name", DOORS)
def test_only_what_asks_for_a_clearance_talks_to_a_server(name: str) -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called: Any = getattr(node, "func", None) if isinstance(node, ast.Call) else None
            if getattr(called, "id", getattr(called, "attr", "")) == name:
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == DOORS[name]


@pytest.mark.parametrize("load", [RemoteEngine.load, Engines.load])
def test_each_takes_a_clearance_that_cannot_be_left_out(load: Any) -> None:
    parameter = inspect.signature(load).parameters["clearance"]
    assert parameter.annotation == "Clearance"
    assert parameter.default is inspect.Parameter.empty
    assert ServerTicket.__dataclass_fields__["clearance"].type == "Clearance"
    assert "policy_sha256" in ServerOrder.__dataclass_fields__
    assert "ticket.clearance" in inspect.getsource(holding)
