"""Bundles that somebody rewrote with care: any value in any place of the list, sums mended. It is
refused in our words or it is whole; nothing else is raised, and nothing lies outside.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf import wording
from openshelf.errors import ChecksumMismatch, CorruptBundle, OpenshelfError
from openshelf.library.bundles import MANIFEST, SUMS, read_bundle
from openshelf.library.bundling import Bundles
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.network import NetworkOptions
from openshelf.tasks import CancelToken, no_report
from tests.library.conftest import Home, open_home
from tests.library.foreign import put
from tests.library.test_bundles import SHARDS, TERMS, shard

SEED = 20261126
CHANGES = int(os.environ.get("BUNDLE_CHANGES", "1000"))
NUMBERS = ("1e400", "-1e400", "NaN", "9" * 400, "-5", "1.5", "true")
DEEP = "[" * 900 + "]" * 900
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 2**200, 1.5, float("inf"), float("nan"), "", "x", "\0", "\ud800",
    "../../x", "/etc/passwd", "CON", "a\n\x1b[31mb", "x" * 5000, [], [None], {}, {"a": 1}, ["x"],
    [[[]]], "f" * 64, "0" * 40, json.loads(DEEP),
)  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good one, of two shards under a license with a text."""
    snapshot = tmp_path / "hub" / "models--ada--Small-GGUF" / "snapshots" / ("a" * 40)
    for number, name in enumerate(SHARDS, start=1):
        put(snapshot / name, shard(number))
    put(snapshot / "LICENSE", TERMS)
    home = open_home(tmp_path / "source", NetworkOptions(offline=True))
    model = home.install(str(snapshot / SHARDS[0]))
    parts = Bundles(home.parts, home.installer, lambda: {"context_length": 8192})
    report = parts.export([model], tmp_path / "usb", CancelToken(), no_report)
    home.close()
    return report.folder


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "other", NetworkOptions(offline=True))
    yield home
    home.close()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a tree of JSON."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(table: dict[str, Any], dice: random.Random) -> Any:
    """One value somewhere is another one, or gone."""
    table = copy.deepcopy(table)
    spots = list(places(table))
    spot = dice.choice(spots)
    parent: Any = table
    for key in spot[:-1]:
        parent = parent[key]
    if dice.random() < 0.15:
        del parent[spot[-1]]
    else:
        parent[spot[-1]] = dice.choice(VALUES)
    return table


def write(folder: Path, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    (folder / MANIFEST).write_bytes(raw)
    (folder / SUMS).write_text(f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST}\n")


def bring(home: Home, folder: Path) -> str:
    """What became of it: `whole`, or the sentence of the refusal."""
    parts = Bundles(home.parts, home.installer, dict)
    try:
        bundle, offers = parts.read(folder, CancelToken(), no_report)
        for found in offers:
            clearance = home.installer.accept(found.offer, AcceptanceForm("Eve"))
            home.installer.install(found.offer, clearance, CancelToken(), no_report)
    except OpenshelfError as error:
        return wording.error_sentence(error)
    json.dumps([bundle.created_at, bundle.settings], default=str)
    return "whole"


def attack(home: Home, folder: Path, count: int) -> dict[str, int]:
    good = json.loads((folder / MANIFEST).read_bytes())
    dice, outcomes = random.Random(SEED), {"whole": 0, "refused": 0}
    outside = set(folder.parent.iterdir())
    for _ in range(count):
        write(folder, json.dumps(changed(good, dice)))
        outcome = bring(home, folder)
        outcomes["whole" if outcome == "whole" else "refused"] += 1
    assert set(folder.parent.iterdir()) == outside
    lying = [p for p in home.models.rglob("*") if p.is_file() and not p.is_symlink()]
    hashes = {hashlib.sha256(shard(number)).hexdigest() for number in (1, 2)}
    assert {p.name for p in lying if p.suffix != ".lock" and p.parent.name == "blobs"} <= hashes
    return outcomes


def test_any_value_in_any_place(bundle: Path, other: Home) -> None:
    outcomes = attack(other, bundle, 60)
    assert min(outcomes.values()) > 5, outcomes


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_any_value_in_any_place_often(bundle: Path, other: Home) -> None:
    print(f"\n{CHANGES} changed bundles: {attack(other, bundle, CHANGES)}")  # noqa: T201


@pytest.mark.parametrize("number", NUMBERS)
def test_sizes_that_are_none(bundle: Path, other: Home, number: str) -> None:
    table = json.loads((bundle / MANIFEST).read_bytes())
    table["models"][0]["files"][0]["size_bytes"] = "HERE"
    write(bundle, json.dumps(table).replace('"HERE"', number))
    assert bring(other, bundle) != "whole"


@pytest.mark.parametrize("name", [MANIFEST, SUMS])
def test_too_large_a_list_is_not_read(bundle: Path, name: str) -> None:
    with (bundle / name).open("ab") as file:
        file.truncate(100 << 20)
    with pytest.raises(OpenshelfError) as error:
        read_bundle(bundle, CancelToken(), no_report)
    assert isinstance(error.value, CorruptBundle | ChecksumMismatch)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize(
    "name", [MANIFEST, SUMS, "models/1/LICENSE", f"models/1/files/{SHARDS[0]}"]
)
def test_a_pipe_is_not_waited_for(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(CorruptBundle):
        read_bundle(bundle, CancelToken(), no_report)
