"""Launch recipes: what each program is told, what it needs, and names that no command may hold."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from openshelf import wording
from openshelf.catalog.loader import load_catalog
from openshelf.engine.launch import LaunchEngine, LaunchRecipe
from openshelf.fit.memory import FitRequest
from openshelf.shelf.builds import Build, ModelListing
from openshelf.shelf.launching import LaunchQuestion, recipes
from tests.fakes.example_models import example_listing

COMMIT = "a1" * 20
REQUEST = FitRequest(context_length=16384, kv_type_k="q8_0", kv_type_v="q8_0")
GGUF = (LaunchEngine.OLLAMA, LaunchEngine.LLAMA_SERVER, LaunchEngine.LLAMA_RPC)


def listing_of(**changes: object) -> tuple[ModelListing, Build]:
    listing = example_listing()
    build = next(build for build in listing.builds if build.shape is not None)
    changed = {"commit": COMMIT, "files": ("Small-Q4_K_M.gguf",), "quant": "Q4_K_M", **changes}
    build = replace(build, **changed)  # type: ignore[arg-type]
    return listing, build


def made(engine: LaunchEngine, **changes: object) -> LaunchRecipe:
    listing, build = listing_of(**changes)
    (recipe,) = recipes(listing, build, LaunchQuestion(REQUEST), (engine,))
    return recipe


def option(recipe: LaunchRecipe, name: str) -> str:
    words = recipe.commands[-1]
    return words[words.index(name) + 1]


def test_every_program_has_a_recipe_or_says_why_not() -> None:
    listing, build = listing_of()
    found = recipes(listing, build, LaunchQuestion(REQUEST))
    assert [recipe.engine for recipe in found] == list(LaunchEngine)
    for recipe in found:
        assert recipe.commands or recipe.notes
        assert all(wording.sentence(note) != note.code for note in recipe.notes)
        assert wording.template(f"launch_name_{recipe.engine}") != f"launch_name_{recipe.engine}"
        assert all(shlex.split(line) for line in recipe.lines)


def test_vllm_and_sglang_serve_the_original() -> None:
    listing, _ = listing_of()
    assert listing.model is not None
    vllm, sglang = made(LaunchEngine.VLLM), made(LaunchEngine.SGLANG)
    assert vllm.commands[-1][:3] == ("vllm", "serve", listing.model.hub_repo)
    assert option(vllm, "--max-model-len") == "16384"
    assert option(vllm, "--kv-cache-dtype") == "fp8"
    assert option(sglang, "--model-path") == listing.model.hub_repo
    assert option(sglang, "--kv-cache-dtype") == "fp8_e5m2"
    assert vllm.needs is not None
    weights = listing.model.weights_count or listing.model.parameters or 0
    assert vllm.needs.gpu_bytes > 2 * weights, "BF16, and the context memory"
    assert option(vllm, "--tensor-parallel-size") == str(vllm.needs.gpus)


def test_llama_server_takes_exactly_this_build() -> None:
    recipe = made(
        LaunchEngine.LLAMA_SERVER, files=("a/X-00001-of-00002.gguf", "a/X-00002-of-00002.gguf")
    )
    download, serve = recipe.commands
    assert download[:2] == ("hf", "download")
    assert download[3:5] == ("a/X-00001-of-00002.gguf", "a/X-00002-of-00002.gguf")
    assert download[download.index("--revision") + 1] == COMMIT
    assert option(recipe, "--model").endswith("/a/X-00001-of-00002.gguf")
    assert option(recipe, "--cache-type-k") == option(recipe, "--cache-type-v") == "q8_0"
    assert option(recipe, "--flash-attn") == "on", "a quantized cache wants it"
    assert "launch_newest_commit" not in {note.code for note in recipe.notes}
    assert serve[0] == "llama-server"


def test_several_machines() -> None:
    recipe = made(LaunchEngine.LLAMA_RPC)
    assert recipe.commands[0][0] == "ggml-rpc-server"
    assert option(recipe, "--rpc") == "HOST_2:50052,HOST_3:50052"
    assert "launch_rpc_open" in {note.code for note in recipe.notes}


def test_without_the_hub_a_name_must_do() -> None:
    recipe = made(LaunchEngine.LLAMA_SERVER, files=(), commit="")
    assert option(recipe, "--hf-repo").endswith(":Q4_K_M")
    assert "launch_newest_commit" in {note.code for note in recipe.notes}


def test_ollama_takes_no_shards() -> None:
    whole = made(LaunchEngine.OLLAMA)
    assert whole.commands[-1][-1].startswith("hf.co/")
    assert "OLLAMA_KV_CACHE_TYPE=q8_0" in whole.commands[0]
    assert made(LaunchEngine.OLLAMA, files=("a.gguf", "b.gguf")).commands == ()


def test_ktransformers_is_for_what_it_lists() -> None:
    _, build = listing_of()
    assert build.shape is not None
    assert made(LaunchEngine.KTRANSFORMERS).commands == ()
    moe = replace(build.shape, architecture="qwen3moe")
    recipe = made(LaunchEngine.KTRANSFORMERS, shape=moe)
    assert option(recipe, "--kt-method") == "BF16"


def test_more_gpus_where_one_does_not_hold_it() -> None:
    listing, build = listing_of()
    needs = []
    for gpu_bytes in (10**12, 12 * 10**9, 6 * 10**9):
        question = LaunchQuestion(REQUEST, gpu_bytes=gpu_bytes)
        (recipe,) = recipes(listing, build, question, (LaunchEngine.VLLM,))
        assert recipe.needs is not None
        needs.append(recipe.needs)
    assert needs[0].gpus == 1
    assert needs[0].gpus < needs[1].gpus <= needs[2].gpus
    assert needs[1].each_gpu_bytes < needs[0].each_gpu_bytes
    (fixed,) = recipes(listing, build, LaunchQuestion(REQUEST, gpus=4), (LaunchEngine.VLLM,))
    assert fixed.needs is not None
    assert fixed.needs.gpus == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"repo": "-x/--help"},
        {"repo": "a/b; rm -rf ~"},
        {"repo": "a/b\nreboot"},
        {"repo": "$(id)/x"},
        {"repo": "../../x"},
        {"files": ("-rf",)},
        {"files": ("../../etc/passwd",)},
        {"files": ("a\nb.gguf",)},
        {"files": ("a\u202eb.gguf",)},
        {"files": ("/etc/passwd",)},
        {"commit": "--help" + "a" * 34},
    ],
    ids=str,
)
def test_names_that_no_command_may_hold(changes: dict[str, object]) -> None:
    listing, build = listing_of(**changes)
    for recipe in recipes(listing, build, LaunchQuestion(REQUEST)):
        assert recipe.commands == ()
        assert [note.code for note in recipe.notes] == ["launch_unknown_names"]


@pytest.mark.parametrize("name", ["it's a $(model) `x` & more.gguf", "a b.gguf", '"; id; ".gguf'])
def test_odd_names_are_quoted(name: str) -> None:
    recipe = made(LaunchEngine.LLAMA_SERVER, files=(name,))
    if not recipe.commands:
        assert [note.code for note in recipe.notes] == ["launch_unknown_names"]
        return
    assert [tuple(shlex.split(line)) for line in recipe.lines] == list(recipe.commands)
    assert name in recipe.commands[0]


def test_an_odd_quant_is_left_out() -> None:
    recipe = made(LaunchEngine.OLLAMA, quant="Q4 --help")
    assert "--help" not in recipe.lines[-1]


def test_all_of_the_shipped_catalog() -> None:
    """Whatever the catalog holds, every program answers."""
    catalog = load_catalog()
    _, build = listing_of()
    for family in catalog.families:
        for model in family.models:
            listing = ModelListing(model.name, family, model, (), None)
            found = recipes(listing, build, LaunchQuestion(REQUEST))
            assert len(found) == len(LaunchEngine)
            assert all(recipe.commands or recipe.notes for recipe in found)
