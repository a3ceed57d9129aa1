"""All builds of one model by several packagers, with figures as they occur, and a fake look-up."""

from __future__ import annotations

from dataclasses import replace

from openshelf.catalog.entries import (
    CatalogModel,
    CatalogShape,
    Family,
    Languages,
    Openness,
    Tradeoffs,
)
from openshelf.catalog.packagers import Packager
from openshelf.errors import OpenshelfError
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit, fit_on
from openshelf.hardware.facts import Machine
from openshelf.licenses.clearance import Verdict
from openshelf.reasons import Reason
from openshelf.shelf.builds import Build, ModelListing, in_order
from openshelf.shelf.recipes import Recipe
from openshelf.shelf.rows import QualityKept
from openshelf.tasks import CancelToken, Progress, Report
from tests.fakes.example_data import COMMIT, example_decision

PARAMETERS = 14_770_000_000
SHAPE = CatalogShape(
    "qwen3", 40, 5120, 40, 8, 128, 151_936, context_length=40_960, n_ff=17_408,
    tied_embeddings=False, is_complete=True,
)  # fmt: skip
TRADEOFFS = Tradeoffs(
    "Weights; training data not disclosed", "Apache-2.0",
    "Breadth of sizes, thinking can be switched", "40k tokens of context without YaRN", "119",
    "trade-off matrix of 2026-11-23", ("strength", "weakness"), ("openness", "license"),
)  # fmt: skip
_QWEN = Packager("Qwen", "Qwen", 90, False, ())
_BARTOWSKI = Packager("bartowski", "bartowski", 80, True, ())
_UNSLOTH = Packager("unsloth", "unsloth", 70, True, ())
_STRANGER = Packager("nobody", "nobody", 0, False, (), is_known=False)

_SAMPLES = (
    (_QWEN, "Q8_0", 15.70, 0.9999, 1_900_000), (_QWEN, "Q6_K", 12.12, 0.9995, 1_900_000),
    (_QWEN, "Q5_K_M", 10.51, 0.998, 1_900_000), (_QWEN, "Q4_K_M", 9.00, 0.991, 1_900_000),
    (_BARTOWSKI, "Q4_K_M", 9.01, 0.991, 212_000), (_BARTOWSKI, "IQ4_XS", 8.11, 0.988, 212_000),
    (_UNSLOTH, "Q3_K_M", 7.32, 0.971, 97_000), (_UNSLOTH, "UD-Q4_K_XL", 9.20, None, 97_000),
    (_BARTOWSKI, "IQ2_M", 5.10, 0.906, 212_000), (_UNSLOTH, "Q2_K", 4.40, 0.86, 97_000),
    (_STRANGER, "Q4_K_S", 8.57, 0.988, None), (_UNSLOTH, "BF16", 29.54, 1.0, 97_000),
)  # fmt: skip


def example_model() -> CatalogModel:
    return CatalogModel(
        id="qwen3-14b", name="Qwen3-14B", hub_repo="Qwen/Qwen3-14B",
        gguf_repos=("Qwen/Qwen3-14B-GGUF", "unsloth/Qwen3-14B-GGUF"), shape=SHAPE,
        parameters=14_800_000_000, active_parameters=None, weights_count=PARAMETERS,
        license="apache-2.0", languages=Languages(119, ("en", "de")), modalities=("text",),
        capabilities=("reasoning", "tools"), release_date="2025-05-01", label="14B",
        openness=Openness(True, "not disclosed", "inference/config only"),
        unverified=("openness", "capabilities", "origin"),
    )  # fmt: skip


def example_build(
    packager: Packager, quant: str, size_gb: float, kept: float | None, downloads: int | None
) -> Build:
    repo = f"{packager.account}/Qwen3-14B-GGUF"
    size = int(size_gb * 1e9)
    shape = replace(shape_from_catalog(SHAPE, size, PARAMETERS, quant), source="sibling")
    file = f"Qwen3-14B-{quant}.gguf"
    return Build(
        target=f"{repo}:{quant}", repo=repo, commit=COMMIT, name=file, quant=quant, files=(file,),
        size_bytes=size, packager=packager, shape=shape, quality=QualityKept(kept, "measured"),
        bits_per_weight=size * 8 / PARAMETERS, is_publisher=packager is _QWEN,
        downloads=downloads, last_modified="2026-05-02T10:00:00+00:00" if downloads else None,
        recipe=Recipe(
            True if packager is _BARTOWSKI else None, quant.startswith("UD-"),
            "tags" if packager is _BARTOWSKI else "name" if quant.startswith("UD-") else None,
        ),
    )  # fmt: skip


def example_listing() -> ModelListing:
    model = example_model()
    family = Family(
        "qwen3", "Qwen3", "Alibaba", "CN", (model,), reviewed="2026-11-23", tradeoffs=TRADEOFFS
    )
    builds = in_order([example_build(*sample) for sample in _SAMPLES])
    return ModelListing(
        "Qwen3-14B", family, model, builds, example_decision(Verdict.ALLOWED, "apache-2.0")
    )


def many_builds(count: int) -> ModelListing:
    """As many builds as a popular model has."""
    listing = example_listing()
    builds = []
    for number in range(count):
        build = listing.builds[number % len(listing.builds)]
        size = build.size_bytes + number * 1_000_000
        target = f"{build.repo}:{build.quant}-{number}"
        shape = replace(
            shape_from_catalog(SHAPE, size, PARAMETERS, build.quant or ""), source="sibling"
        )
        builds.append(replace(build, target=target, size_bytes=size, shape=shape))
    return replace(listing, builds=in_order(builds))


def expected_listing() -> ModelListing:
    """What is known without the Hub."""
    listing = example_listing()
    builds = tuple(
        replace(
            build,
            commit="",
            files=(),
            size_is_expected=True,
            downloads=None,
            shape=None if build.shape is None else replace(build.shape, source="catalog"),
        )
        for build in listing.builds[3:9]
    )
    return replace(listing, builds=builds, notes=(Reason("models_hub_network"),))


def hostile_listing() -> ModelListing:
    """A repository that nobody knows, named to do harm."""
    builds = tuple(
        replace(
            build,
            quant=None,
            name="<b>bold</b>\u202egnp.exe <img src=x> " + "long " * 30,
            packager=replace(build.packager, name="<h1>Qwen</h1>\u2066" * 3),
            shape=None,
            quality=QualityKept(None, "unknown"),
            bits_per_weight=None,
        )
        for build in example_listing().builds[:3]
    )
    return ModelListing("<b>Model</b>\u202e <i>name</i>", None, None, builds, None)


class FakeModels:
    """Hands out `found` for whatever is asked; each `…_error` is raised in place of an answer."""

    def __init__(self, found: ModelListing | None = None) -> None:
        self.found = found or example_listing()
        self.listing_error: OpenshelfError | None = None
        self.read_error: OpenshelfError | None = None
        self.verify_error: OpenshelfError | None = None
        self.asked: list[str] = []
        self.was_read: list[str] = []
        self.was_verified: list[tuple[str, FitRequest]] = []

    def listing(self, text: str, cancel: CancelToken, report: Report) -> ModelListing:
        self.asked.append(text)
        report(Progress(0, 1, "resolving"))
        if self.listing_error is not None:
            raise self.listing_error
        return self.found

    def read(self, build: Build, cancel: CancelToken) -> Build:
        self.was_read.append(build.target)
        if self.read_error is not None:
            raise self.read_error
        shape = build.shape or shape_from_catalog(SHAPE, build.size_bytes, PARAMETERS, "")
        return replace(build, commit=COMMIT, shape=replace(shape, source="header"))

    def verify(
        self, build: Build, machine: Machine, request: FitRequest, cancel: CancelToken
    ) -> Fit:
        self.was_verified.append((build.target, request))
        if self.verify_error is not None:
            raise self.verify_error
        assert build.shape is not None
        assert build.has_header
        fit = fit_on(build.shape, machine, request)
        reasons = (*fit.reasons, Reason("fit_confirmed"))
        return replace(fit, method="dry-run", known_architecture=True, reasons=reasons)
