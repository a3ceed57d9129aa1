"""All builds of one model: from the loopback Hub, from this machine, and what is to be expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.loader import load_catalog
from openshelf.engine.process import Engine
from openshelf.errors import CorruptModel, GatedModel, NetworkFailure, NotFound, UsageError
from openshelf.fit.expected import shape_of_sibling
from openshelf.fit.memory import FitRequest
from openshelf.fit.shapes import shape_from_header
from openshelf.fit.verdict import FitVerdict
from openshelf.gguf.header import read_header
from openshelf.hub.client import HubClient
from openshelf.library.fitting import Fitting, TargetQuestion
from openshelf.library.headers import Headers, headers_of_file
from openshelf.library.store import Library
from openshelf.licenses.clearance import Verdict
from openshelf.network import NetworkOptions
from openshelf.policy.verdict import Decision
from openshelf.shelf.builds import Build, ModelListing, fit_builds
from openshelf.shelf.listing import Models
from openshelf.tasks import CancelToken, no_report
from tests.fakes.example_data import example_decision
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo
from tests.fit.machines import INDEX, machine, nvidia
from tests.fit.projector_recipes import RECIPES
from tests.gguf.builder import Build as GgufFile
from tests.gguf.vocabulary import write_model

HEADERS = Path(__file__).parents[1] / "data" / "headers"
REPO = "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF"
OTHER = "ada/Strange-GGUF"
LAPTOP = machine(32, 24, nvidia(8, 7.5))


def decide(model: CatalogModel, repo: str) -> Decision:
    return example_decision(Verdict.ALLOWED, "apache-2.0")


@dataclass
class Bench:
    hub: LoopbackHub
    folder: Path
    models: Models
    fitting: Fitting

    def listing(self, text: str) -> ModelListing:
        return self.models.listing(text, CancelToken(), no_report)

    def fit(self, text: str, context: int = 8192):  # type: ignore[no-untyped-def]
        question = TargetQuestion(text, FitRequest(context_length=context))
        return self.fitting.fit_target(question, LAPTOP, CancelToken())


MakeBench = Callable[..., Bench]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Llama 3.1 8B in Q4_K_M: the real header, a hole for the weights."""
    path = tmp_path_factory.mktemp("llama") / "llama.gguf"
    path.write_bytes((HEADERS / "llama3.1-8b.gguf.header").read_bytes())
    with path.open("r+b") as file:
        file.truncate(INDEX["llama3.1-8b"]["file_bytes"])
    return path


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gemma") / "gemma.gguf"
    path.write_bytes((HEADERS / "gemma3-4b.gguf.header").read_bytes())
    with path.open("r+b") as file:
        file.truncate(INDEX["gemma3-4b"]["file_bytes"])
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("small") / "s.gguf", 2000, n_layers=2, n_embd=512)


@pytest.fixture
def engine() -> Iterator[Engine]:
    running = Engine()
    yield running
    running.close()


@pytest.fixture
def make_bench(tmp_path: Path, engine: Engine) -> Iterator[MakeBench]:
    closing: list[Callable[[], object]] = []

    def make(hub: LoopbackHub, **options: object) -> Bench:
        wanted = {"endpoint": hub.endpoint, "read_timeout_seconds": 5.0, **options}
        client = HubClient(NetworkOptions(**wanted), tmp_path / "cache")  # type: ignore[arg-type]
        library = Library(tmp_path / "library.sqlite3", tmp_path / "models")
        closing.extend((client.close, library.close))
        headers = Headers(library, lambda: client, tmp_path / "cache")
        models = Models(headers, load_catalog, decide, engine)
        return Bench(hub, tmp_path, models, Fitting(headers, load_catalog, engine))

    yield make
    for close in closing:
        close()


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


def add(hub: LoopbackHub, repo_id: str, files: dict[str, bytes | Path], **facts: object) -> None:
    repo = FakeRepo(repo_id, **facts)  # type: ignore[arg-type]
    repo.commit(
        FakeFile(path, content, f"{number:064x}")
        for number, (path, content) in enumerate(files.items(), start=1)
    )
    hub.add(repo)


def by_target(listing: ModelListing) -> dict[str, Build]:
    return {build.target: build for build in listing.builds}


def test_the_catalogs_model_from_all_its_packagers(
    hub: LoopbackHub, llama: Path, small: Path, make_bench: MakeBench
) -> None:
    found = load_catalog().find_model(REPO)
    assert found is not None
    model = found[1]
    for number, repo in enumerate(model.gguf_repos):
        add(hub, repo, {"a-Q4_K_M.gguf": llama, "a-Q2_K.gguf": small}, downloads=number)
    bench = make_bench(hub)
    listing = bench.listing(model.name)
    assert (listing.name, listing.model, listing.notes) == (model.name, model, ())
    assert {build.repo for build in listing.builds} == set(model.gguf_repos)
    assert len(listing.builds) == 2 * len(model.gguf_repos)
    quants = [build.quant for build in listing.builds]
    assert quants == ["Q4_K_M"] * len(model.gguf_repos) + ["Q2_K"] * len(model.gguf_repos)
    first = listing.builds[0]
    assert first.shape is not None
    assert (first.shape.source, first.downloads is not None) == ("catalog", True)
    assert len(hub.requests) == 1 + len(model.gguf_repos), "the tree, one for each, no header yet"

    read = bench.models.read(first, CancelToken())
    listing = listing.with_build(read)
    assert by_target(listing)[first.target].has_header
    others = [b.shape.source for b in listing.builds if b.shape and b.target != first.target]
    assert set(others) == {"sibling"}
    again = by_target(bench.listing(model.hub_repo))
    assert again[first.target].has_header, "kept, and asked of nobody"
    assert sum(request.method == "HEAD" for request in hub.requests) == 1


def test_a_repository_that_nobody_knows_is_read(
    hub: LoopbackHub, llama: Path, small: Path, make_bench: MakeBench
) -> None:
    add(
        hub,
        OTHER,
        {
            "x-Q4_K_M.gguf": llama,
            "x-Q8_0.gguf": llama,
            "UD/x-Q4_K_M.gguf": small,
            "mmproj.gguf": small,
        },
    )
    listing = make_bench(hub).listing(f"llama-server -hf {OTHER}:Q8_0")
    assert (listing.family, listing.decision, listing.name) == (None, None, "Strange")
    builds = by_target(listing)
    assert set(builds) == {f"{OTHER}:Q4_K_M", f"{OTHER}:Q8_0", f"{OTHER}/UD/x-Q4_K_M.gguf"}
    sources = {target: build.shape.source for target, build in builds.items() if build.shape}
    assert sources[f"{OTHER}:Q4_K_M"] == "header"
    assert sources[f"{OTHER}:Q8_0"] == "sibling"
    assert listing.context_length == 131072
    assert listing.n_layers == 33
    exact = builds[f"{OTHER}:Q4_K_M"]
    assert exact.bits_per_weight == pytest.approx(4.9, abs=0.1)


def test_a_sibling_differs_in_weights_only(llama: Path) -> None:
    shape = shape_from_header(read_header(llama))
    other = shape_of_sibling(shape, llama.stat().st_size * 2, "Q8_0")
    assert other.weights_bytes == llama.stat().st_size * 2
    assert other.layer_caches == shape.layer_caches
    same = shape_of_sibling(shape, shape.weights_bytes, "Q4_K_M")
    grown = {"layer_grown": (), "output_grown": 0, "table_grown": 0, "table_type": ""}
    exact = replace(shape, source="sibling", output_bytes=same.output_bytes, **grown)
    assert replace(same, **grown) == exact


@pytest.mark.parametrize(
    ("options", "note"),
    [({"endpoint": "http://127.0.0.1:9"}, "models_hub_network")],
)
def test_a_silent_hub_leaves_what_is_expected(
    hub: LoopbackHub, make_bench: MakeBench, options: dict[str, object], note: str
) -> None:
    bench = make_bench(hub, **options)
    listing = bench.listing(REPO)
    assert [reason.code for reason in listing.notes] == [note]
    assert listing.builds
    assert all(build.size_is_expected and not build.commit for build in listing.builds)
    table = fit_builds(listing, LAPTOP, FitRequest())
    assert table.recommended is not None
    with pytest.raises(NetworkFailure):
        bench.listing(OTHER)
    with pytest.raises(NetworkFailure):
        bench.models.read(listing.builds[0], CancelToken())
    found = bench.fit(f"{REPO}:Q4_K_M")
    assert found.fit.shape_source == "catalog"
    assert found.bytes_fetched == 0


def test_an_expected_build_is_read_once_the_hub_answers(
    hub: LoopbackHub, llama: Path, make_bench: MakeBench
) -> None:
    silent = make_bench(hub, endpoint="http://127.0.0.1:9").listing(REPO)
    expected = next(build for build in silent.builds if build.target == f"{REPO}:Q4_K_M")
    add(hub, REPO, {"a-Q4_K_M.gguf": llama})
    build = make_bench(hub).models.read(expected, CancelToken())
    assert build.has_header
    assert (build.size_is_expected, build.size_bytes) == (False, llama.stat().st_size)


def test_closed_and_vanished_repositories_are_noted(
    hub: LoopbackHub, llama: Path, make_bench: MakeBench
) -> None:
    add(hub, REPO, {"a-Q4_K_M.gguf": llama})
    listing = make_bench(hub).listing(REPO)
    assert {build.repo for build in listing.builds} == {REPO}
    assert {note.code for note in listing.notes} <= {"models_repo_not_found"}
    with pytest.raises(NotFound):
        make_bench(hub).listing("ada/Gone-GGUF")
    add(hub, OTHER, {"readme.txt": b"x"})
    with pytest.raises(NotFound):
        make_bench(hub).listing(OTHER)
    with pytest.raises(UsageError):
        make_bench(hub).listing("./file.gguf")


@pytest.mark.parametrize("text", ["Qwen 3 14B", "qwen3-14", "qwen3 14"])
def test_a_misspelled_model_is_told_those_that_come_near(
    hub: LoopbackHub, make_bench: MakeBench, text: str
) -> None:
    with pytest.raises(NotFound) as failure:
        make_bench(hub).listing(text)
    assert (failure.value.what, failure.value.candidates[0]) == ("model", "Qwen3 14B")
    assert hub.requests == []
    with pytest.raises(UsageError):
        make_bench(hub).listing("nothing of the kind")


def test_a_gated_strangers_files_are_not_guessed(
    hub: LoopbackHub, llama: Path, make_bench: MakeBench
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": llama}, gated="auto")
    bench = make_bench(hub)
    listing = bench.listing(OTHER)
    assert [note.code for note in listing.notes] == ["models_header_gated"]
    assert listing.builds[0].shape is None
    assert fit_builds(listing, LAPTOP, FitRequest()).rows[0].fit is None
    with pytest.raises(GatedModel):
        bench.fit(f"{OTHER}:Q4_K_M")


def test_a_hostile_header_is_said_to_be_one(hub: LoopbackHub, make_bench: MakeBench) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": GgufFile(key_count=1 << 50).bytes()})
    bench = make_bench(hub)
    with pytest.raises(CorruptModel):
        bench.listing(OTHER)
    with pytest.raises(CorruptModel):
        bench.fit(f"{OTHER}:Q4_K_M")


def test_fit_of_a_stranger_is_exact_and_cheap(
    hub: LoopbackHub, llama: Path, make_bench: MakeBench
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": llama})
    bench = make_bench(hub)
    found = bench.fit(f"{OTHER}:Q4_K_M")
    assert found.fit.shape_source == "header"
    assert found.fit.verdict is FitVerdict.FITS_GPU
    assert 0 < found.bytes_fetched == hub.sent_bytes < llama.stat().st_size // 100
    again = bench.fit(OTHER)
    assert again.bytes_fetched == 0
    assert again.fit == replace(found.fit, request=again.fit.request)


def test_verified_by_the_engine_before_any_download(
    hub: LoopbackHub, llama: Path, make_bench: MakeBench
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": llama})
    bench = make_bench(hub)
    here = machine(32, 24)
    build = bench.listing(OTHER).builds[0]
    fit = bench.models.verify(build, here, FitRequest(context_length=4096), CancelToken())
    assert fit.method == "dry-run"
    (cpu,) = fit.devices
    shape = shape_from_header(read_header(llama))
    grown = sum(shape.layer_grown) + shape.output_grown  # where the engine uses AMX here
    assert cpu.weights_bytes in (4912898304, 4912898304 + grown)
    assert cpu.kv_cache_bytes == 536870912


def test_the_rows_say_all_of_it_in_json(
    hub: LoopbackHub, llama: Path, small: Path, make_bench: MakeBench
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": llama, "x-Q2_K.gguf": small})
    table = fit_builds(make_bench(hub).listing(OTHER), LAPTOP, FitRequest())
    assert table.recommended == f"{OTHER}:Q4_K_M"
    row = table.row(f"{OTHER}:Q4_K_M")
    assert row is not None
    told = json.loads(json.dumps(row.as_json()))
    assert told["packager_is_known"] is False
    assert told["fit"]["shape_source"] == "header"
    assert table.row("nothing") is None


@pytest.fixture(scope="module")
def projector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gemma 3 4B's, whose header says what it takes."""
    return RECIPES["gemma3-4b"].write(tmp_path_factory.mktemp("projector") / "mmproj-F16.gguf")


def test_a_projector_is_counted_along(
    hub: LoopbackHub, gemma: Path, projector: Path, make_bench: MakeBench
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": gemma, "mmproj-F16.gguf": projector})
    bench = make_bench(hub)
    seeing = bench.fit(f"{OTHER}:Q4_K_M")
    (listed,) = bench.listing(OTHER).builds
    shape = listed.shape
    assert shape is not None
    assert shape.projector is not None
    assert (shape.projector.type, shape.projector.basis) == ("gemma3", "table")
    assert seeing.fit.projector == shape.projector
    assert sum(device.projector_bytes for device in seeing.fit.devices) > 800_000_000
    here, request = machine(32, 24), FitRequest()
    fit = bench.models.verify(listed, here, request, CancelToken())
    assert fit.projector is not None
    assert (fit.method, fit.projector.basis) == ("dry-run", "engine")
    words = TargetQuestion(f"{OTHER}:Q4_K_M", FitRequest(text_only=True))
    plain = bench.fitting.dry_run_target(words, here, CancelToken()).fit
    assert fit.total_bytes - plain.total_bytes == fit.projector.total_bytes


@pytest.mark.parametrize("content", [b"<html>", GgufFile().bytes()])
def test_a_projector_that_tells_nothing_is_counted_by_its_size(
    hub: LoopbackHub, gemma: Path, make_bench: MakeBench, content: bytes
) -> None:
    add(hub, OTHER, {"x-Q4_K_M.gguf": gemma, "mmproj-F16.gguf": content})
    projector = make_bench(hub).fit(f"{OTHER}:Q4_K_M").fit.projector
    assert projector is not None
    assert (projector.basis, projector.total_bytes) == ("bound", 2 * len(content))


def test_on_disk_only_a_projector_that_is_as_wide_counts(
    gemma: Path, llama: Path, projector: Path, tmp_path: Path
) -> None:
    for path in (gemma, llama, projector):
        (tmp_path / path.name).symlink_to(path)
    assert headers_of_file(tmp_path / gemma.name).shape.projector is not None
    assert headers_of_file(tmp_path / llama.name).shape.projector is None
