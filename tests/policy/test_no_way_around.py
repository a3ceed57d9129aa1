"""Nothing reaches the disk or the engine without a Clearance: every command, every service that the
window calls, and every place in the code that could.

A new command or service must be entered here, or these tests fail.
"""

from __future__ import annotations

import ast
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import openshelf
from openshelf.chat import benching, holding
from openshelf.cli.main import COMMANDS, run_command
from openshelf.engine import process
from openshelf.engine.interface import LoadOrder
from openshelf.engine.process import Engine
from openshelf.engine.protocol import Sampling
from openshelf.errors import ClearanceRefused, LicenseNotAccepted, PolicyBlocked
from openshelf.hub import fetching
from openshelf.library import installer as installer_module
from openshelf.library.bundling import Bundles
from openshelf.library.download_queue import Downloads
from openshelf.library.downloads import DownloadState
from openshelf.library.installer import Installer
from openshelf.library.store import Library
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Clearance
from openshelf.network import NetworkOptions
from openshelf.paths import find_paths
from openshelf.policy.gate import Gate
from openshelf.services import Services
from openshelf.tasks import CancelToken, no_report
from openshelf.wiring import build_services
from tests.conftest import ExpectedLogs
from tests.fakes.hub.loopback import LoopbackHub
from tests.gguf.builder import Build
from tests.library.conftest import open_home
from tests.policy.routes import HUB, PUTS_OR_LOADS, ROUTES, STARTER, WITH_BYTES, WITHOUT_BYTES

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("starter_model")]

NOTHING_ALLOWED = "[rules]\nallow_only = []\n"


class Reached(Exception):
    """Something got through to where bytes are fetched, copied, registered or loaded."""


@dataclass
class Watched:
    """The last doors before disk and engine, each replaced by an alarm; and who was cleared."""

    reached: list[str] = field(default_factory=list)
    cleared: list[Clearance] = field(default_factory=list)
    is_open: bool = False
    """Whether what comes to a door may go through, for setting up."""

    def alarm(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def door(*arguments: Any, **options: Any) -> Any:
            if self.is_open:
                return original(*arguments, **options)
            self.reached.append(name)
            raise Reached(name)

        return door


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched()
    for owner, name in (
        (fetching, "_Child"),
        (installer_module, "place_copy"),
        (installer_module, "check_source"),
        (installer_module, "copy_into"),
        (installer_module, "link_into"),
        (Library, "register"),
        (Library, "note_placed"),
        (process, "Load"),
    ):
        monkeypatch.setattr(owner, name, found.alarm(name, getattr(owner, name)))
    clear = Gate.clear

    def noted(self: Gate, *arguments: Any, **options: Any) -> Clearance:
        slip = clear(self, *arguments, **options)
        found.cleared.append(slip)
        return slip

    monkeypatch.setattr(Gate, "clear", noted)
    return found


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        files = {"Small-Q4_K_M.gguf": b"GGUF" * 1000, "LICENSE": b"Gemma Terms of Use"}
        running.add_repo("ada/Small-GGUF", files, card={"license": "gemma"})
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def local(tmp_path: Path) -> str:
    """A model file that is in the folder already."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return str(Build().write(folder / "mine.gguf"))


def make_bundle(local: str, watched: Watched) -> None:
    """What another machine exported, where `{bundle}` is."""
    watched.is_open = True
    elsewhere = open_home(Path(local).parents[1] / "elsewhere", NetworkOptions(offline=True))
    model = elsewhere.install(local)
    bundles = Bundles(elsewhere.parts, elsewhere.installer, dict)
    bundles.export([model], Path(local).parents[1] / "bundle", CancelToken(), no_report)
    elsewhere.close()
    watched.is_open, watched.cleared = False, []


def model_files() -> list[Path]:
    """Everything that lies in the model folder."""
    models = find_paths().models
    return [path for path in models.rglob("*") if path.is_file()] if models.exists() else []


def words_of(words: tuple[str, ...], local: str) -> list[str]:
    here = {"{local}": local, "{folder}": str(Path(local).parent),
            "{bundle}": str(Path(local).parents[1] / "bundle")}  # fmt: skip
    return [here.get(word, word) for word in words]


def ask(capsys: pytest.CaptureFixture[str], words: list[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = run_command([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_every_command_is_entered() -> None:
    assert set(ROUTES) == set(COMMANDS)


@pytest.mark.parametrize("words", [w for routes in ROUTES.values() for w in routes], ids=" ".join)
@pytest.mark.parametrize("policy", ["", NOTHING_ALLOWED], ids=["no policy", "nothing allowed"])
@pytest.mark.usefixtures("hub")
def test_a_command_before_anything_was_accepted(
    words: tuple[str, ...], policy: str, local: str, watched: Watched,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if "{bundle}" in words:
        make_bundle(local, watched)
    give_policy(policy)
    monkeypatch.setattr("sys.stdin.readline", lambda: "", raising=False)
    status, answer = ask(capsys, words_of(words, local))
    assert watched.reached == []
    assert watched.cleared == []
    assert model_files() == []
    if words[0] == "install":
        # Of the file on this disk nobody knows the license, so that one goes to a person.
        stopped = ("policy_blocked", "needs_review") if policy else ("license_not_accepted",)
        assert status == 3
        assert answer["error"]["code"] in stopped
    if words in (("import", "{folder}"), ("import", "{bundle}")):
        (told,) = answer["models"]
        assert (status, told["id"]) == (3, None)
        assert told["error"]["code"] in (
            ("policy_blocked", "needs_review") if policy else ("license_not_accepted",)
        )
    elif words[0] == "import":
        assert status == 3
        assert answer["error"]["code"] != "cancelled"
    if words[0] == "chat":
        assert (status, answer["error"]["code"]) == (4, "not_found"), "it is not installed"


def give_policy(text: str) -> None:
    path = find_paths().policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if text:
        path.write_text(text, encoding="utf-8")


def revoke_all() -> None:
    services = build_services(find_paths())
    for record in services.acceptances.records():
        services.acceptances.revoke(record["record_id"], AcceptanceForm())
    services.close()


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (words, how)
        for name in PUTS_OR_LOADS
        for words in ROUTES[name]
        if not {"{local}", "{folder}", "{bundle}"} & set(words)
        for how in ("revoked", "forbidden")
    ],
    ids=str,
)
@pytest.mark.usefixtures("hub")
def test_a_command_after_an_acceptance_that_no_longer_holds(
    words: tuple[str, ...], how: str, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    target = STARTER if STARTER in words else HUB
    watched.is_open = True
    assert run_command(["install", target, "--accept"]) == 0
    watched.is_open, watched.cleared = False, []
    if how == "revoked":
        revoke_all()
    else:
        give_policy(NOTHING_ALLOWED)
    wanted = [word.replace("Small", "ada/Small-GGUF@") if word == "Small" else word
              for word in words]  # fmt: skip
    status, answer = ask(capsys, wanted)
    expected = "license_not_accepted" if how == "revoked" else "policy_blocked"
    assert (status, answer["error"]["code"]) == (3, expected)
    assert watched.reached == []
    assert watched.cleared == []


@pytest.mark.usefixtures("hub")
def test_a_file_in_the_folder_is_imported_only_when_accepted(
    local: str, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    status, answer = ask(capsys, ["install", local])
    assert (status, answer["error"]["code"]) == (3, "license_not_accepted")
    assert watched.reached == []
    with pytest.raises(Reached):
        run_command(["install", local, "--accept"])
    assert watched.reached == ["check_source"], "the alarm rings where something gets through"
    assert len(watched.cleared) == 1


@pytest.mark.parametrize("how", ["revoked", "forbidden"])
@pytest.mark.parametrize("placing", [(), ("--link",), ("--copy",)], ids=str)
@pytest.mark.usefixtures("hub")
def test_a_file_in_the_folder_after_an_acceptance_that_no_longer_holds(
    placing: tuple[str, ...], how: str, local: str, watched: Watched,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    watched.is_open = True
    assert run_command(["import", local, *placing, "--accept"]) == 0
    watched.is_open, watched.cleared = False, []
    if how == "revoked":
        revoke_all()
    else:
        give_policy(NOTHING_ALLOWED)
    status, answer = ask(capsys, ["import", local, *placing])
    stopped = ("license_not_accepted",) if how == "revoked" else ("policy_blocked", "needs_review")
    assert status == 3
    assert answer["error"]["code"] in stopped
    assert watched.reached == []
    assert watched.cleared == []


@pytest.mark.parametrize("target", [STARTER, HUB])
@pytest.mark.usefixtures("hub")
def test_the_doors_are_watched(
    target: str, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Reached):
        run_command(["install", target, "--accept"])
    assert watched.reached == ["place_copy" if target == STARTER else "_Child"]


@pytest.mark.usefixtures("hub")
def test_the_engines_door_is_watched(watched: Watched, expected_logs: ExpectedLogs) -> None:
    expected_logs("unexpected failure in a task")
    watched.is_open = True
    assert run_command(["install", STARTER, "--accept"]) == 0
    watched.is_open = False
    with pytest.raises(Reached):
        run_command(["chat", "SmolLM2", "--prompt", "hi"])
    assert watched.reached == ["Load"]


# --- the services that the window calls ---------------------------------------------------------


def test_every_service_is_entered() -> None:
    assert {f.name for f in fields(Services)} == WITHOUT_BYTES | WITH_BYTES


@pytest.fixture
def services(hub: LoopbackHub) -> Iterator[Services]:
    built = build_services(find_paths())
    yield built
    built.close()


def other(clearance: Clearance, **changes: Any) -> Clearance:
    return replace(clearance, **changes)


@pytest.mark.parametrize("target", [STARTER, HUB, "{local}"])
@pytest.mark.parametrize(
    "change",
    [{"commit": "0" * 40}, {"files": ()}, {"policy_sha256": "1" * 64}, {"repo": "x/y"}],
    ids=lambda change: next(iter(change)),
)
def test_a_clearance_for_something_else_installs_nothing(
    target: str, change: dict[str, Any], local: str, services: Services, watched: Watched
) -> None:
    offer = services.installer.prepare(target.replace("{local}", local), CancelToken(), no_report)
    slip = other(services.installer.accept(offer, AcceptanceForm("Ada")), **change)
    with pytest.raises(ClearanceRefused):
        services.installer.install(offer, slip, CancelToken(), no_report)
    assert watched.reached == []
    ended = threading.Event()
    services.downloads.announcer.subscribe(
        lambda download: None if download.state.is_active else ended.set()
    )
    download = services.downloads.start(offer, slip)
    assert ended.wait(20)
    (found,) = [d for d in services.downloads.snapshots() if d.id == download.id]
    assert found.state is DownloadState.FAILED
    assert watched.reached == []
    assert model_files() == []


@pytest.mark.parametrize("how", ["revoked", "forbidden"])
def test_neither_install_nor_download_nor_chat_under_a_policy_that_forbids(
    how: str, services: Services, watched: Watched, tmp_path: Path
) -> None:
    watched.is_open = True
    offer = services.installer.prepare(STARTER, CancelToken(), no_report)
    slip = services.installer.accept(offer, AcceptanceForm("Ada"))
    model = services.installer.install(offer, slip, CancelToken(), no_report)
    watched.is_open, watched.cleared = False, []
    chosen, expected = services, (LicenseNotAccepted,)
    if how == "revoked":
        services.acceptances.revoke(str(slip.record_id), AcceptanceForm())
    else:
        path = tmp_path / "strict.toml"
        path.write_text(NOTHING_ALLOWED, encoding="utf-8")
        chosen, expected = services.with_policy(path, False), (PolicyBlocked, ClearanceRefused)
        with pytest.raises(PolicyBlocked):
            chosen.installer.accept(offer, AcceptanceForm("Ada"))
    with pytest.raises(expected):
        chosen.installer.clear(offer)
    conversation = chosen.chats.new_conversation(model.id)
    with pytest.raises(expected):
        chosen.chats.send(
            conversation.id, "hi", model.id, Sampling(), CancelToken(), no_report
        )  # fmt: skip
    assert watched.reached == []
    assert watched.cleared == []
    assert chosen.chats.loaded() is None


def test_what_a_person_may_write_by_hand_is_no_clearance(
    services: Services, watched: Watched
) -> None:
    """A line in the log that the chain does not hold, a row in the manifest without a record."""
    offer = services.installer.prepare(STARTER, CancelToken(), no_report)
    forged = {
        "record_id": "forged", "method": "typed", "accepted_by": {},
        "model": {"repo": offer.repo, "commit": offer.commit, "files": [
            {"path": f.path, "sha256": f.sha256, "size": f.size_bytes} for f in offer.files
        ]},
    }  # fmt: skip
    log = services.acceptances.path
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps(forged) + "\n", encoding="utf-8")
    with pytest.raises(LicenseNotAccepted):
        services.installer.clear(offer)
    assert watched.reached == []


# --- the code itself ----------------------------------------------------------------------------

PACKAGE = Path(openshelf.__file__).parent
DOORS = {
    "place_copy": {"library/installer.py"},
    "copy_into": {"library/installer.py", "library/placing.py"},
    "link_into": {"library/installer.py"},
    "fetch": {"library/file_fetching.py"},
    "fetch_files": {"library/installer.py"},
    "download_file": {"hub/download_worker.py"},
    "link_snapshot": {"hub/download.py", "library/placing.py"},
    "register": {"library/installer.py"},
    "_Child": {"hub/fetching.py"},
    "LoadOrder": {"chat/opening.py"},
    "Load": {"engine/process.py", "engine/protocol.py"},
}
"""Function that fetches, copies, registers or loads → the only files that may call it."""
_OTHER_MEANINGS = {
    "fetch": {
        "hub/claims.py", "licenses/ancestry.py", "library/offers.py", "catalog/refresh.py",
    }
}  # fmt: skip
"""Calls of the same name that only look up what a repository says."""


@cache
def calls() -> dict[str, set[str]]:
    """Name of a function → the files that call something of that name."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            text = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            found.setdefault(text, set()).add(path.relative_to(PACKAGE).as_posix())
    return found


@pytest.mark.parametrize("name", DOORS)
def test_only_what_asks_for_a_clearance_goes_through_a_door(name: str) -> None:
    assert calls()[name] - _OTHER_MEANINGS.get(name, set()) <= DOORS[name]


@pytest.mark.parametrize(
    "function",
    [fetching.fetch, Installer.install, Installer.run, Downloads.start, Engine.load],
    ids=lambda function: function.__qualname__,
)
def test_each_takes_a_clearance_that_cannot_be_left_out(function: Callable[..., Any]) -> None:
    parameter = inspect.signature(function).parameters["clearance"]
    assert parameter.annotation == "Clearance"
    assert parameter.default is inspect.Parameter.empty


def test_a_ticket_for_the_engine_holds_one() -> None:
    from openshelf.chat.interface import LoadTicket

    kinds = {f.name: f.type for f in fields(LoadTicket)}
    assert kinds["clearance"] == "Clearance"
    assert {f.name for f in fields(LoadOrder)} >= {"files", "policy_sha256"}
    assert "ticket.clearance" in inspect.getsource(holding)
    assert "ticket.clearance" in inspect.getsource(benching)
