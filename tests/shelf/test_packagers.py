"""Packagers of one model from the loopback Hub: its quantized tree, and what each row tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.loader import load_catalog
from openshelf.errors import NotFound
from openshelf.fit.memory import FitRequest
from openshelf.gguf.names import parse_name
from openshelf.hub.client import HubClient
from openshelf.hub.entries import Repo, RepoFile
from openshelf.hub.variants import list_variants
from openshelf.library.headers import Headers
from openshelf.library.store import Library
from openshelf.licenses.clearance import Verdict
from openshelf.network import NetworkOptions
from openshelf.policy.verdict import Decision
from openshelf.shelf.builds import Build, ModelListing, PackagerKind, fit_builds
from openshelf.shelf.listing import Models
from openshelf.shelf.recipes import Recipe, recipe_of
from openshelf.shelf.tree import is_model_of
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import FakeEngine
from tests.fakes.example_data import example_decision
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo
from tests.fit.machines import machine, nvidia

BASE = "Qwen/Qwen3-14B"
WEIGHTS = 14_768_307_200
LAPTOP = machine(32, 24, nvidia(8, 7.5))
List = Callable[[str], ModelListing]


class Sized(FakeFile):
    """A file that is only as large as it says."""

    @property
    def size(self) -> int:
        return int(self.stated_sha256, 16)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def make_list(hub: LoopbackHub, tmp_path: Path) -> Iterator[Callable[..., List]]:
    closing: list[Callable[[], object]] = []

    def make(**options: Any) -> List:
        wanted = {"endpoint": hub.endpoint, "read_timeout_seconds": 5.0, **options}
        client = HubClient(NetworkOptions(**wanted), tmp_path / "cache")
        library = Library(tmp_path / "library.sqlite3", tmp_path / "models")
        closing.extend((client.close, library.close))
        headers = Headers(library, lambda: client, tmp_path / "cache")
        models = Models(headers, load_catalog, _decide, FakeEngine())  # type: ignore[arg-type]
        return lambda text: models.listing(text, CancelToken(), no_report)

    yield make
    for close in closing:
        close()


def _decide(model: CatalogModel, repo: str) -> Decision:
    return example_decision(Verdict.ALLOWED, "apache-2.0")


def add(hub: LoopbackHub, repo_id: str, files: dict[str, float], **facts: Any) -> FakeRepo:
    """Files with their sizes in GB; `base` is what they say to be quantized from."""
    card = {"base_model": facts.pop("base", BASE), **facts.pop("card", {})}
    repo = FakeRepo(repo_id, card=card, **facts)
    repo.commit(Sized(path, b"", f"{int(size * 1e9):064x}") for path, size in files.items())
    return hub.add(repo)


def by_repo(listing: ModelListing) -> dict[str, list[Build]]:
    found: dict[str, list[Build]] = {}
    for build in listing.builds:
        found.setdefault(build.repo, []).append(build)
    return found


def codes(listing: ModelListing) -> list[str]:
    return [note.code for note in listing.notes]


def known_repos() -> tuple[str, ...]:
    found = load_catalog().find_model(BASE)
    assert found is not None
    return found[1].gguf_repos


@pytest.fixture
def market(hub: LoopbackHub) -> LoopbackHub:
    """Qwen3 14B as the catalog knows it, and others that only the tree has."""
    for number, repo in enumerate(known_repos()):
        files = {"m-Q4_K_M.gguf": 9.0, "m-Q8_0.gguf": 15.7}
        add(hub, repo, files, downloads=900 - number, gguf={"total": WEIGHTS})
    add(
        hub, "mradermacher/Qwen3-14B-i1-GGUF", {"Qwen3-14B.i1-Q4_K_M.gguf": 9.0},
        downloads=50, last_modified="2026-05-02T00:00:00.000Z",
    )  # fmt: skip
    add(hub, "ada/Qwen3-14B-Q4_K_M-GGUF", {"qwen3-14b-q4_k_m.gguf": 9.0}, downloads=40)
    add(hub, "eve/Qwen3-14B-abliterated-GGUF", {"a-Q4_K_M.gguf": 9.0}, downloads=99_000)
    add(hub, "eve/Qwen3-14B-GGUF", {"a-Q4_K_M.gguf": 1.0}, gguf={"total": 1_700_000_000})
    add(hub, "bob/Qwen3-8B-GGUF", {"a-Q4_K_M.gguf": 5.0}, base="Qwen/Qwen3-8B")
    return hub


def test_all_packagers_of_a_model(market: LoopbackHub, make_list: Callable[..., List]) -> None:
    listing = make_list()("Qwen3 14B")
    repos = by_repo(listing)
    strangers = {"mradermacher/Qwen3-14B-i1-GGUF", "ada/Qwen3-14B-Q4_K_M-GGUF"}
    assert set(repos) == {*known_repos(), *strangers}
    assert codes(listing) == ["models_other_names"]
    assert listing.notes[0].data == {"count": 2}, "another name, and another count of weights"
    assert len(market.requests) == 1 + len(known_repos()), "the strangers are not opened"
    quants = [build.quant for build in listing.builds]
    assert quants == sorted(quants, key=lambda quant: quant != "Q8_0"), "grouped, largest first"

    official = repos["Qwen/Qwen3-14B-GGUF"][0]
    assert (official.packager_kind, official.downloads) == (PackagerKind.PUBLISHER, 900)
    assert official.commit
    assert not official.size_is_expected
    (stranger,) = repos["mradermacher/Qwen3-14B-i1-GGUF"]
    assert stranger.size_is_expected
    assert stranger.size_bytes == 9_000_000_000, "as much as the others' of that label"
    assert (stranger.last_modified or "").startswith("2026-05-02")
    assert stranger.recipe == Recipe(True, False, "name")
    assert {build.packager_kind for build in repos["unsloth/Qwen3-14B-GGUF"]} == {
        PackagerKind.KNOWN
    }
    assert repos["ada/Qwen3-14B-Q4_K_M-GGUF"][0].packager_kind is PackagerKind.OTHER


def test_what_is_cached_by_commit_is_not_asked_for_again(
    market: LoopbackHub, make_list: Callable[..., List]
) -> None:
    make_list()(BASE)
    asked = len(market.requests)
    again = make_list()(BASE)
    assert len(market.requests) == asked + 1, "only the tree, which tells the commits"
    assert len(by_repo(again)) == len(known_repos()) + 2


def test_a_strangers_repository_shows_the_others(
    market: LoopbackHub, make_list: Callable[..., List]
) -> None:
    listing = make_list()("ada/Qwen3-14B-Q4_K_M-GGUF")
    assert listing.model is not None
    assert listing.model.hub_repo == BASE
    repos = by_repo(listing)
    assert not repos["ada/Qwen3-14B-Q4_K_M-GGUF"][0].size_is_expected
    assert set(known_repos()) <= set(repos)


def test_a_model_that_no_catalog_knows(hub: LoopbackHub, make_list: Callable[..., List]) -> None:
    base, own = "newlab/Zeta-9B", "eve/Zeta-9B-GGUF"
    weights = {"gguf": {"total": 9_000_000_000, "architecture": "zeta"}}
    add(hub, own, {"z-Q4_K_M.gguf": 5.5}, base=base, gated=True, **weights)
    add(hub, "newlab/Zeta-9B-GGUF", {"z-Q8_0.gguf": 9.6, "z-Q4_K_M.gguf": 5.6}, base=base)
    listing = make_list()(own)
    assert len(hub.requests) <= 3, "itself, its tree, and one try for a header"
    repos = by_repo(listing)
    (official,) = [b for b in repos["newlab/Zeta-9B-GGUF"] if b.quant == "Q8_0"]
    assert official.is_publisher
    assert official.size_is_expected
    assert official.size_bytes == pytest.approx(9.56e9, rel=0.02), "weights times bits"
    assert [b.size_bytes for b in listing.builds if b.quant == "Q4_K_M"] == [5_500_000_000] * 2


def test_a_base_repository_without_gguf(hub: LoopbackHub, make_list: Callable[..., List]) -> None:
    hub.add_repo("newlab/Zeta-9B", {"model.safetensors": b"x"})
    with pytest.raises(NotFound):
        make_list()("newlab/Zeta-9B")
    add(hub, "bartowski/newlab_Zeta-9B-GGUF", {"z-Q4_K_M.gguf": 5.5}, base="newlab/Zeta-9B",
        gated=True)  # fmt: skip
    (build,) = make_list()("newlab/Zeta-9B").builds
    assert build.repo == "bartowski/newlab_Zeta-9B-GGUF"
    assert not build.size_is_expected


@pytest.mark.parametrize("kind", ["status", "html", "json"])
def test_a_hub_that_answers_nonsense_leaves_what_is_expected(
    market: LoopbackHub, make_list: Callable[..., List], kind: str
) -> None:
    if kind == "status":
        headers = {"Retry-After": "7"}
        market.faults.add("status", stage="api", count=99, status=429, headers=headers)
    elif kind == "html":
        market.faults.add("html", stage="api", count=99)
    else:
        market.faults.add("status", stage="api", count=99, status=200)
    listing = make_list()("Qwen3 14B")
    expected = "models_hub_rate_limited" if kind == "status" else "models_hub_network"
    assert codes(listing) == [expected]
    assert len(market.requests) <= 2, "not asked again and again"
    assert listing.builds
    assert all(build.size_is_expected for build in listing.builds)
    assert fit_builds(listing, LAPTOP, FitRequest()).recommended is not None


def test_a_popular_model_has_more_packagers_than_are_shown(
    market: LoopbackHub, make_list: Callable[..., List]
) -> None:
    for number in range(30):
        add(market, f"user{number}/Qwen3-14B-GGUF", {"q-Q6_K.gguf": 12.0}, downloads=number)
    listing = make_list()("Qwen3 14B")
    (more,) = [note for note in listing.notes if note.code == "models_more_packagers"]
    shown = [build for build in listing.builds if build.packager_kind is PackagerKind.OTHER]
    assert len({build.repo for build in shown}) == 8
    assert more.data == {"count": 32 - 8}
    assert "user29/Qwen3-14B-GGUF" in by_repo(listing), "those that most people take"


def test_a_strangers_build_is_recommended_only_where_there_is_no_other(
    market: LoopbackHub, make_list: Callable[..., List]
) -> None:
    add(market, "zoe/Qwen3-14B-GGUF", {"q-Q5_K_M.gguf": 10.5}, downloads=9_000_000)
    listing = make_list()("Qwen3 14B")
    table = fit_builds(listing, LAPTOP, FitRequest(), "quality")
    best = table.row(table.recommended or "")
    assert best is not None
    assert best.build.packager_kind is not PackagerKind.OTHER
    alone = tuple(b for b in listing.builds if b.packager_kind is PackagerKind.OTHER)
    table = fit_builds(replace(listing, builds=alone), LAPTOP, FitRequest(), "quality")
    assert table.recommended is not None


def test_rows_tell_packager_date_and_recipe(
    market: LoopbackHub, make_list: Callable[..., List]
) -> None:
    table = fit_builds(make_list()("Qwen3 14B"), LAPTOP, FitRequest())
    row = table.row("mradermacher/Qwen3-14B-i1-GGUF:Q4_K_M")
    assert row is not None
    told = row.as_json()
    assert told["packager_kind"] == "other"
    assert told["recipe"] == {"imatrix": True, "dynamic": False, "basis": "name"}
    assert told["last_modified"].startswith("2026-05-02")
    assert told["shards"] == 1
    assert told["size_is_expected"] is True


@pytest.mark.parametrize(
    ("repo", "base", "expected"),
    [
        ("bartowski/Qwen_Qwen3-8B-GGUF", "Qwen/Qwen3-8B", True),
        ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "meta-llama/Llama-3.1-8B-Instruct", True),
        ("bartowski/google_gemma-3-12b-it-GGUF", "google/gemma-3-12b-it", True),
        ("mradermacher/gemma-3-12b-it-i1-GGUF", "google/gemma-3-12b-it", True),
        ("ada/gemma-3-12b-it-Q4_K_M-GGUF", "google/gemma-3-12b-it", True),
        ("ada/Gemma_3_12B_it-F16-GGUF", "google/gemma-3-12b-it", True),
        ("bartowski/deepseek-ai_DeepSeek-R1-GGUF", "deepseek-ai/DeepSeek-R1", True),
        ("ada/gemma-3-12b-it-abliterated-GGUF", "google/gemma-3-12b-it", False),
        ("ada/gemma-3-12b-GGUF", "google/gemma-3-12b-it", False),
        ("ada/Qwen3-8B-128K-GGUF", "Qwen/Qwen3-8B", False),
        ("ada/GGUF", "google/gemma-3-12b-it", False),
    ],
)  # fmt: skip
def test_names_of_one_model(repo: str, base: str, expected: bool) -> None:
    assert is_model_of(repo, base) is expected


def _repo(repo_id: str, *paths: str, **facts: Any) -> Repo:
    return Repo(repo_id, "", tuple(RepoFile(path, 1, None) for path in paths), **facts)


@pytest.mark.parametrize(
    ("repo", "file", "recipe"),
    [
        (_repo("ada/X-GGUF"), "X-Q4_K_M", Recipe()),
        (_repo("ada/X-i1-GGUF"), "X-Q4_K_M", Recipe(True, False, "name")),
        (_repo("ada/X-GGUF"), "X.i1-IQ3_M", Recipe(True, False, "name")),
        (_repo("ada/X-GGUF", tags=("gguf", "imatrix")), "X-Q4_K_M", Recipe(True, False, "tags")),
        (_repo("ada/X-GGUF", card={"tags": ["imatrix"]}), "X-Q2_K", Recipe(True, False, "card")),
        (_repo("ada/X-GGUF", card={"tags": "imatrix"}), "X-Q2_K", Recipe()),
        (_repo("ada/X-GGUF", "X-imatrix.gguf"), "X-Q2_K", Recipe(True, False, "files")),
        (_repo("ada/X-GGUF", "imatrix.dat"), "X-Q8_0", Recipe()),
        (_repo("ada/X-GGUF", "imatrix.dat"), "X-BF16", Recipe()),
        (_repo("ada/X-GGUF"), "X-UD-Q4_K_XL", Recipe(None, True, "name")),
        (_repo("ada/X-GGUF", tags=("imatrix",)), "X-AD-IQ3_S", Recipe(True, True, "tags")),
        (_repo("unsloth/X-GGUF"), "X-Q4_K_M", Recipe()),
    ],
    ids=lambda value: value.id if isinstance(value, Repo) else str(value),
)  # fmt: skip
def test_recipes_are_told_and_never_guessed(repo: Repo, file: str, recipe: Recipe) -> None:
    assert recipe_of(repo, parse_name(f"{file}.gguf").quant, file) == recipe


def test_a_small_draft_beside_whole_models_is_no_variant() -> None:
    sizes = {
        "laguna-Q4_K_M.gguf": 66_000, "laguna-BF16.gguf": 234_000, "laguna-DFlash-BF16.gguf": 2000,
        "laguna-MTP-Q8_0.gguf": 125_000,
    }  # fmt: skip
    found = list_variants([RepoFile(path, size, None) for path, size in sizes.items()])
    assert {variant.stem for variant in found} == {
        "laguna-Q4_K_M", "laguna-BF16", "laguna-MTP-Q8_0"
    }  # fmt: skip
    alone = list_variants([RepoFile("laguna-DFlash-BF16.gguf", 2000, None)])
    assert len(alone) == 1, "nothing beside it tells how large the model is"
