"""Repositories whose names mean harm: refused by name, and nothing lies outside the library."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.errors import NotFound, OpenshelfError, UnsafeName
from tests.fakes.hub.loopback import LoopbackHub
from tests.hub.downloading import some_bytes
from tests.library.conftest import OpenHome

REPO = "eve/Evil-GGUF"
HOSTILE = {
    "up": "../../../evil-Q4_K_M.gguf",
    "up in the middle": "a/../../../evil-Q4_K_M.gguf",
    "absolute": "/tmp/evil-Q4_K_M.gguf",
    "drive": "C:/evil-Q4_K_M.gguf",
    "network share": "//server/share/evil-Q4_K_M.gguf",
    "backslashes": "..\\..\\evil-Q4_K_M.gguf",
    "device": "NUL.Q4_K_M.gguf",
    "device in a folder": "aux/evil-Q4_K_M.gguf",
    "stream": "evil-Q4_K_M.gguf:x.gguf",
    "300 characters": "x" * 300 + "-Q4_K_M.gguf",
    "300 folders": "x/" * 600 + "evil-Q4_K_M.gguf",
    "right to left": "evil\u202efugg-Q4_K_M.gguf",
    "zero width": "evil\u200b-Q4_K_M.gguf",
    "newline": "evil\n-Q4_K_M.gguf",
    "ends in a dot": "evil./x-Q4_K_M.gguf",
}


def files_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_is_written(hub: LoopbackHub, open_at: OpenHome, tmp_path: Path, name: str) -> None:
    hub.add_repo(REPO, {HOSTILE[name]: some_bytes(2000)}, card={"license": "mit"})
    home = open_at(endpoint=hub.endpoint)
    before = files_below(tmp_path)
    with pytest.raises((UnsafeName, NotFound)) as error:
        home.prepare(f"{REPO}:Q4_K_M")
    sentence = wording.error_sentence(error.value)
    assert "evil" in sentence.casefold() or "Q4_K_M" in sentence
    assert hub.bodies() == []
    written = {path for path in files_below(tmp_path) - before if "/cache/" not in path}
    assert written == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Model-Q4_K_M.gguf", "model-q4_k_m.gguf"),
        ("Q4/Model-Q4_K_M.gguf", "q4/Model-Q4_K_M.gguf"),
        ("Modèle-Q4_K_M.gguf", unicodedata.normalize("NFD", "Modèle-Q4_K_M.gguf")),
    ],
)
def test_names_that_are_one_file_elsewhere(
    hub: LoopbackHub, open_at: OpenHome, one: str, other: str
) -> None:
    files = {one: some_bytes(2000, 1), other: some_bytes(2000, 2), "B-Q8_0.gguf": some_bytes(2000)}
    hub.add_repo(REPO, files, card={"license": "mit"})
    home = open_at(endpoint=hub.endpoint)
    for path in (one, other):
        with pytest.raises(UnsafeName):
            home.prepare(f"{REPO}/{path}")
    assert home.install(f"{REPO}:Q8_0").quant == "Q8_0", "the others are not to blame"


@pytest.mark.parametrize(
    "id",
    [
        "../../etc",
        "eve/..",
        "eve/a--b",
        "eve/a/b",
        "/etc/x",
        "eve/NUL\0",
        "C:/x",
        "eve/" + "x" * 99,
    ],
)
def test_answers_for_another_repository(hub: LoopbackHub, open_at: OpenHome, id: str) -> None:
    """The Hub answers with an id that would be another folder."""
    repo = hub.add_repo(REPO, {"x-Q4_K_M.gguf": some_bytes(2000)}, card={"license": "mit"})
    repo.id = id
    home = open_at(endpoint=hub.endpoint)
    with pytest.raises(OpenshelfError):
        home.install(REPO)
    assert hub.bodies() == []
    assert home.library.installed() == ()
