"""Bundles: what leaves one machine is what arrives on another, or is refused by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import (
    CancelledByUser,
    ChecksumMismatch,
    CorruptBundle,
    LicenseNotAccepted,
    NotEnoughDisk,
    NotFound,
    OpenshelfError,
    PolicyBlocked,
    UnsafeName,
    UsageError,
)
from openshelf.library import exporting
from openshelf.library.bundles import MANIFEST, SUMS, read_bundle
from openshelf.library.bundling import Bundles
from openshelf.library.exporting import ExportReport
from openshelf.library.installed import InstalledModel
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.network import NetworkOptions
from openshelf.policy.organization import Policy, Rules
from openshelf.tasks import CancelToken, Progress, no_report
from tests.fakes.hub.loopback import LoopbackHub
from tests.library.conftest import Home, open_home
from tests.library.foreign import gguf, put

REPO = "ada/Small-GGUF"
TERMS = "Llama 3.1 Community License Agreement\nLlama Materials …\n"


SHARDS = tuple(f"sub/Small-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    homes: list[Home] = []

    def build(name: str, **options: Any) -> Home:
        home = open_home(tmp_path / name, NetworkOptions(**options))
        homes.append(home)
        return home

    yield build
    for home in homes:
        home.close()


def bundles(home: Home) -> Bundles:
    return Bundles(home.parts, home.installer, lambda: {"context_length": 8192, "kv_type": "f16"})


def export(home: Home, *models: InstalledModel, to: Path) -> ExportReport:
    return bundles(home).export(models, to, CancelToken(), no_report)


def read(folder: Path) -> Any:
    return read_bundle(folder, CancelToken(), no_report)


def bring(home: Home, folder: Path) -> list[InstalledModel]:
    _, offers = bundles(home).read(folder, CancelToken(), no_report)
    return [
        home.installer.install(
            found.offer, home.installer.accept(found.offer, AcceptanceForm("Eve")),
            CancelToken(), no_report,
        )
        for found in offers
    ]  # fmt: skip


@pytest.fixture
def hub_source(machine: Callable[..., Home]) -> Iterator[tuple[Home, InstalledModel]]:
    """A machine with one model of two shards from the Hub, under a license with a text."""
    with LoopbackHub() as hub:
        files = {name: shard(number) for number, name in enumerate(SHARDS, start=1)}
        hub.add_repo(REPO, {**files, "LICENSE": TERMS.encode()}, card={"license": "llama3.1"})
        home = machine("source", endpoint=hub.endpoint)
        yield home, home.install(f"{REPO}:Q4_K_M")


@pytest.fixture
def source(machine: Callable[..., Home], tmp_path: Path) -> tuple[Home, InstalledModel]:
    """The same, imported from the cache of another program, for which nothing is fetched."""
    snapshot = tmp_path / "hub" / "models--ada--Small-GGUF" / "snapshots" / ("a" * 40)
    for number, name in enumerate(SHARDS, start=1):
        put(snapshot / name, shard(number))
    put(snapshot / "LICENSE", TERMS)
    home = machine("source", offline=True)
    return home, home.install(str(snapshot / SHARDS[0]))


def shard(number: int) -> bytes:
    from tests.gguf.builder import U16, Build, Tensor, model_keys

    split = {"split.no": (U16, number - 1), "split.count": (U16, 2)}
    tensors = [Tensor(f"blk.{number}.weight")]
    return Build({**model_keys(), **split}, tensors).bytes()


def test_what_leaves_is_what_arrives(
    hub_source: tuple[Home, InstalledModel], machine: Callable[..., Home], tmp_path: Path
) -> None:
    home, model = hub_source
    seen: list[Progress] = []
    report = bundles(home).export([model], tmp_path / "usb", CancelToken(), seen.append)
    assert (report.folder, report.model_ids) == (tmp_path / "usb", (model.id,))
    assert report.licenses_missing == ("llama3.1:use_policy",), "nobody has read that one"
    assert (seen[-1].done, seen[-1].total) == (model.size_bytes, model.size_bytes)
    written = json.loads((tmp_path / "usb" / MANIFEST).read_bytes())
    (entry,) = written["models"]
    assert entry["acceptance"]["record_id"] == model.record_id
    assert written["settings"] == {"context_length": 8192, "kv_type": "f16"}
    assert (tmp_path / "usb" / "models" / "1" / "LICENSE").read_text(encoding="utf-8") == TERMS
    assert "ada/Small-GGUF" in (tmp_path / "usb" / "models" / "1" / "NOTICE").read_text("utf-8")

    other = machine("other", offline=True)
    bundle, (found,) = bundles(other).read(tmp_path / "usb", CancelToken(), no_report)
    assert bundle.settings["context_length"] == 8192
    assert found.model.acceptance is not None
    assert found.offer.decision.license.effective == ("llama3.1",)
    assert found.offer.decision.license.texts[0].text == TERMS, "it can be read before accepting"
    with pytest.raises(LicenseNotAccepted):
        other.installer.clear(found.offer)
    (arrived,) = bring(other, tmp_path / "usb")
    shutil.rmtree(tmp_path / "usb")
    assert (arrived.id, arrived.repo, arrived.commit) == (model.id, model.repo, model.commit)
    assert (arrived.source, arrived.origin) == ("import", "bundle")
    assert [f.sha256 for f in arrived.files] == [f.sha256 for f in model.files]
    assert other.installer.clear_installed(arrived).record_id == arrived.record_id
    assert arrived.record_id != model.record_id, "each machine has a record of its own"
    text = other.parts.acceptances.texts.read(found.offer.decision.license.texts[0].sha256)
    assert text == TERMS
    again = export(other, arrived, to=tmp_path / "next")
    assert read(again.folder).models[0].license.effective == ("llama3.1",)


@pytest.mark.skipif(sys.platform != "linux", reason="sha256sum of coreutils")
def test_the_sums_are_those_of_sha256sum(
    source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    export(home, model, to=tmp_path / "usb")
    checked = subprocess.run(
        ["sha256sum", "-c", SUMS], cwd=tmp_path / "usb", capture_output=True, text=True, check=True
    )
    names = {line.partition(": ")[0] for line in checked.stdout.splitlines()}
    there = {p.relative_to(tmp_path / "usb").as_posix() for p in (tmp_path / "usb").rglob("*.*")}
    assert {n for n in there if n.endswith((".gguf", ".json"))} <= names


def flip(path: Path, at: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("at", [0, 500, -1])
@pytest.mark.parametrize(
    "name",
    [
        "models/1/files/sub/Small-Q4_K_M-00001-of-00002.gguf",
        "models/1/files/sub/Small-Q4_K_M-00002-of-00002.gguf",
        "models/1/LICENSE", "models/1/NOTICE", MANIFEST,
    ],
)  # fmt: skip
def test_a_changed_byte_is_refused_by_name(
    name: str, at: int, source: tuple[Home, InstalledModel], machine: Callable[..., Home],
    tmp_path: Path,
) -> None:  # fmt: skip
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    size = (folder / name).stat().st_size
    flip(folder / name, min(at, size // 2))
    other = machine("other", offline=True)
    with pytest.raises(ChecksumMismatch) as refused:
        bring(other, folder)
    assert (refused.value.path, refused.value.why) == (name, "bundle")
    assert other.library.installed() == ()
    assert not other.models.exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("models/1/LICENSE", "missing_license"),
        ("models/1/files/sub/Small-Q4_K_M-00002-of-00002.gguf", "missing"),
        (SUMS, "missing"),
    ],
)
def test_what_is_missing_is_named(
    name: str, why: str, source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    (folder / name).unlink()
    with pytest.raises(CorruptBundle) as refused:
        read(folder)
    assert (refused.value.path, refused.value.why) == (name, why)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as somebody would who also mends the sums."""
    table = json.loads((folder / MANIFEST).read_bytes())
    change(table)
    raw = json.dumps(table).encode()
    (folder / MANIFEST).write_bytes(raw)
    (folder / SUMS).write_text(f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST}\n")


def first_file(table: dict[str, Any]) -> dict[str, Any]:
    file = table["models"][0]["files"][0]
    assert isinstance(file, dict)
    return file


HOSTILE = [
    lambda t: first_file(t).update(path="../../../escaped.gguf"),
    lambda t: first_file(t).update(path="/etc/passwd"),
    lambda t: first_file(t).update(path="C:\\x.gguf"),
    lambda t: first_file(t).update(path="con.gguf"),
    lambda t: first_file(t).update(path="a" * 300 + ".gguf"),
    lambda t: first_file(t).update(path="sub/\u202egnp.gguf"),
    lambda t: first_file(t).update(path="SUB/SMALL-Q4_K_M-00002-OF-00002.gguf"),
    lambda t: first_file(t).update(sha256="../" + "0" * 61),
    lambda t: t["models"][0].update(folder="../models/1"),
    lambda t: t["models"][0].update(folder="/"),
    lambda t: t["models"][0].update(repo="../../x"),
    lambda t: t["models"][0].update(repo="ada/Small--GGUF"),
    lambda t: t["models"][0].update(commit="../../main"),
    lambda t: t["models"][0]["notices"][0].update(path="../../LICENSE"),
]


@pytest.mark.parametrize("change", HOSTILE, ids=range(len(HOSTILE)))
def test_paths_that_leave_the_folder_are_refused(
    change: Callable[[dict[str, Any]], None], source: tuple[Home, InstalledModel],
    machine: Callable[..., Home], tmp_path: Path,
) -> None:  # fmt: skip
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    rewrite(folder, change)
    other = machine("other", offline=True)
    with pytest.raises(UnsafeName):
        bring(other, folder)
    assert not other.models.exists()


@pytest.mark.parametrize("what", ["file", "folder", "license", "manifest"])
def test_links_are_refused(what: str, source: tuple[Home, InstalledModel], tmp_path: Path) -> None:
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    name = {
        "file": "models/1/files/sub/Small-Q4_K_M-00001-of-00002.gguf",
        "folder": "models/1/files",
        "license": "models/1/LICENSE",
        "manifest": MANIFEST,
    }[what]
    moved = tmp_path / "outside"
    (folder / name).rename(moved)
    (folder / name).symlink_to(moved)
    with pytest.raises(UnsafeName):
        read(folder)


NONSENSE = [
    lambda t: t.clear(),
    lambda t: t.update(version=2),
    lambda t: t.update(models=None),
    lambda t: t.update(models=[7]),
    lambda t: t["models"][0].update(files=[]),
    lambda t: t["models"][0].pop("license"),
    lambda t: t["models"][0].update(license={"effective": 7}),
    lambda t: first_file(t).update(size_bytes="many"),
]


@pytest.mark.parametrize("change", NONSENSE, ids=range(len(NONSENSE)))
def test_manifests_that_make_no_sense(
    change: Callable[[dict[str, Any]], None], source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    rewrite(folder, change)
    with pytest.raises(CorruptBundle):
        read(folder)


def test_a_license_taken_off_the_list_is_missed(
    source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    rewrite(folder, lambda t: t["models"][0].update(notices=[]))
    with pytest.raises(CorruptBundle) as refused:
        read(folder)
    assert (refused.value.path, refused.value.why) == ("models/1/llama3.1", "missing_license")


def test_the_policy_of_the_machine_that_it_comes_to_decides(
    source: tuple[Home, InstalledModel], machine: Callable[..., Home], tmp_path: Path
) -> None:
    home, model = source
    folder = export(home, model, to=tmp_path / "usb").folder
    other = machine("other", offline=True)
    strict = other.under(Policy(rules=Rules(allow_only=("mit",)), sha256="1" * 64))
    _, (found,) = bundles(other).read(folder, CancelToken(), no_report)
    with pytest.raises(PolicyBlocked):
        strict.accept(found.offer, AcceptanceForm("Eve"))
    assert other.library.installed() == ()


def test_a_bundle_cannot_talk_a_files_own_license_away(
    machine: Callable[..., Home], tmp_path: Path
) -> None:
    home = machine("source", offline=True)
    model = home.install(str(put(tmp_path / "mine-Q4_0.gguf", gguf("mine", "gemma"))))
    folder = export(home, model, to=tmp_path / "usb").folder

    def lie(table: dict[str, Any]) -> None:
        table["models"][0]["license"].update(effective=["mit"], expression="MIT", texts=[])

    rewrite(folder, lie)
    other = machine("other", offline=True)
    _, (found,) = bundles(other).read(folder, CancelToken(), no_report)
    assert set(found.offer.decision.license.effective) == {"mit", "gemma"}

    rewrite(folder, lambda t: t["models"][0]["license"].update(effective=["brand-new-1.0"]))
    _, (found,) = bundles(other).read(folder, CancelToken(), no_report)
    assert found.offer.decision.license.effective == ("unknown", "gemma")


def test_a_file_of_ones_own_keeps_its_id(machine: Callable[..., Home], tmp_path: Path) -> None:
    home = machine("source", offline=True)
    path = put(tmp_path / "mine-Q4_0.gguf", gguf("mine", "apache-2.0"))
    model = home.install(str(path))
    folder = export(home, model, to=tmp_path / "usb").folder
    (arrived,) = bring(machine("other", offline=True), folder)
    assert arrived.id == model.id
    assert Path(arrived.first_file.location).read_bytes() == path.read_bytes()


def test_what_may_not_be_loaded_does_not_leave(
    source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    home.parts.acceptances.revoke(str(model.record_id), AcceptanceForm())
    with pytest.raises(LicenseNotAccepted):
        export(home, model, to=tmp_path / "usb")
    assert not (tmp_path / "usb").exists()


def test_damage_is_found_on_the_way_and_leaves_no_bundle(
    source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    flip(Path(model.files[1].location).resolve())
    (tmp_path / "usb").mkdir()
    keep = put(tmp_path / "usb" / "photos" / "cat.jpg", "cat")
    with pytest.raises(ChecksumMismatch) as refused:
        export(home, model, to=tmp_path / "usb")
    assert refused.value.path == model.files[1].location
    assert [p for p in (tmp_path / "usb").rglob("*") if p.is_file()] == [keep]


@pytest.mark.parametrize("how", ["cancelled", "full", "no text"])
def test_an_export_that_ends_early_leaves_nothing(
    how: str, source: tuple[Home, InstalledModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, model = source
    cancel = CancelToken()
    expected: type[OpenshelfError] = CancelledByUser
    if how == "full":
        monkeypatch.setattr(exporting, "free_bytes", lambda folder: model.size_bytes - 1)
        expected = NotEnoughDisk
    elif how == "no text":
        shutil.rmtree(home.parts.acceptances.texts.folder)
        expected = NotFound

    def stop(progress: Progress) -> None:
        cancel.cancel()

    with pytest.raises(expected):
        bundles(home).export([model], tmp_path / "usb", cancel, stop)
    assert not (tmp_path / "usb").exists()


def test_a_drive_that_holds_something_gets_a_folder(
    source: tuple[Home, InstalledModel], tmp_path: Path
) -> None:
    home, model = source
    put(tmp_path / "usb" / "cat.jpg", "cat")
    first = export(home, model, to=tmp_path / "usb").folder
    assert first == tmp_path / "usb" / "openshelf-bundle"
    assert export(home, model, to=tmp_path / "usb").folder.name == "openshelf-bundle-2"
    with pytest.raises(UsageError):
        export(home, model, to=first)


@pytest.fixture
def bundle(hub_source: tuple[Home, InstalledModel], tmp_path: Path) -> Path:
    home, model = hub_source
    return export(home, model, to=tmp_path / "usb").folder


def test_a_file_of_a_bundle_comes_with_what_the_bundle_says(
    machine: Callable[..., Home], bundle: Path
) -> None:
    """As the window imports: each model by the path of its first file, through the sheet."""
    other = machine("by-path")
    (listed,) = read(bundle).models
    offer = other.prepare(str(listed.paths[0]))
    assert (offer.repo, offer.origin, offer.source) == (REPO, "bundle", "file")
    assert [text.text for text in offer.decision.license.texts if text.sha256] != []
    with pytest.raises(LicenseNotAccepted):
        other.installer.clear(offer)
    clearance = other.installer.accept(offer, AcceptanceForm("Eve"))
    model = other.installer.install(offer, clearance, CancelToken(), no_report)
    assert other.models in Path(model.first_file.location).parents


@pytest.mark.parametrize("damage", ["byte", "license", "unlisted"])
def test_a_file_of_a_damaged_bundle_is_refused_by_name(
    machine: Callable[..., Home], bundle: Path, damage: str
) -> None:
    other = machine("by-path")
    (listed,) = read(bundle).models
    path = listed.paths[0]
    if damage == "byte":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        name = path.name
    elif damage == "license":
        gone = next(p for p in bundle.rglob("LICENSE*") if p.is_file())
        gone.unlink()
        name = gone.name
    else:
        path = path.with_name("Other-Q4_K_M.gguf")
        shutil.copy(listed.paths[0], path)
        name = path.name
    with pytest.raises((ChecksumMismatch, CorruptBundle)) as error:
        other.prepare(str(path))
    assert name in str(error.value.data())
