"""What other programs keep beside a model: the projector by which it sees, half downloads, layers
that only begin like a model, and folders that a person chose."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from openshelf.library.foreign import Origin, describe, find_models, usual_places
from openshelf.library.installed import InstalledModel
from tests.fakes.tiny_eyes import write_eyes
from tests.fakes.tiny_model import write_sliding_window_model
from tests.gguf.builder import STRING, U32, Build, model_keys
from tests.library.conftest import OpenHome
from tests.library.foreign import gguf, put


@pytest.fixture
def seeing(tmp_path: Path) -> bytes:
    write_sliding_window_model(tmp_path / "model.bin")
    return (tmp_path / "model.bin").read_bytes()


@pytest.fixture
def eyes(tmp_path: Path) -> bytes:
    return write_eyes(tmp_path / "eyes.bin").read_bytes()


def layers(root: Path, name: str, *contents: tuple[str, bytes]) -> list[Path]:
    """An Ollama manifest with these kinds of layers; their blobs."""
    blobs, listed = [], []
    for kind, content in contents:
        digest = hashlib.sha256(content).hexdigest()
        blobs.append(put(root / "blobs" / f"sha256-{digest}", content))
        kind = f"application/vnd.ollama.image.{kind}"
        listed.append({"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)})
    put(root / "manifests" / name, json.dumps({"schemaVersion": 2, "layers": listed}))
    return blobs


def test_layers_that_begin_like_a_model_are_none(
    tmp_path: Path, seeing: bytes, eyes: bytes
) -> None:
    root = tmp_path / "models"
    library = "registry.ollama.ai/library"
    model, projector, *_ = layers(
        root, f"{library}/gemma3/4b", ("model", seeing), ("projector", eyes),
        ("template", b"{{ .Prompt }}"), ("params", b"{}"), ("license", b"Apache License"),
    )  # fmt: skip
    tuned, _ = layers(root, f"{library}/tuned/latest", ("model", gguf("t")), ("adapter", gguf("a")))
    put(root / "blobs" / f"sha256-{'a' * 64}-partial", b"GGUF")
    assert {found.paths for found in find_models(root)} == {(model,), (tuned,)}
    found = describe(model)
    assert (found.projector, found.projector_name) == (projector, "mmproj-gemma3-4b.gguf")


def test_what_is_a_part_here_and_a_model_there_is_a_model(tmp_path: Path) -> None:
    root = tmp_path / "models"
    layers(root, "registry.ollama.ai/library/a/1", ("model", gguf("m")), ("adapter", gguf("b")))
    layers(root, "registry.ollama.ai/library/b/1", ("model", gguf("b")))
    assert len(find_models(root)) == 2


@pytest.mark.parametrize("program", ["ollama", "lm_studio", "jan", "hf_cache", "folder"])
def test_a_model_that_sees_is_imported_with_its_projector(
    open_at: OpenHome, tmp_path: Path, seeing: bytes, eyes: bytes, program: str
) -> None:
    path, other = in_program(tmp_path, program, seeing, eyes)
    model = open_at(offline=True).install(str(path))
    assert [Path(file.location).resolve() for file in model.files] == [
        path.resolve(), other.resolve()
    ]  # fmt: skip
    assert model.projector is not None
    assert [file.is_ours for file in model.files] == [False, False]
    assert len(model.weight_files) == 1


def in_program(folder: Path, program: str, model: bytes, eyes: bytes) -> tuple[Path, Path]:
    match program:
        case "ollama":
            name = "registry.ollama.ai/library/gemma3/4b"
            path, other = layers(folder / "o", name, ("model", model), ("projector", eyes))
            return path, other
        case "lm_studio":
            place = folder / ".lmstudio" / "models" / "ada" / "Seeing-GGUF"
        case "jan":
            place = folder / "llamacpp" / "models" / "Seeing-Q4_K_M"
            put(place / "model.yml", "model_path: llamacpp/models/Seeing-Q4_K_M/model.gguf\n")
            return put(place / "model.gguf", model), put(place / "mmproj.gguf", eyes)
        case "hf_cache":
            place = folder / "models--ada--Seeing-GGUF" / "snapshots" / ("a" * 40)
        case _:
            place = folder / "own"
    return put(place / "Seeing-Q4_K_M.gguf", model), put(place / "mmproj-F16.gguf", eyes)


def test_a_projector_of_another_model_stays_behind(
    open_at: OpenHome, tmp_path: Path, eyes: bytes
) -> None:
    def imported(name: str) -> InstalledModel:
        return open_at(offline=True).install(str(put(tmp_path / name / "m.gguf", gguf(name))))

    put(tmp_path / "wide" / "mmproj-F16.gguf", eyes)
    put(tmp_path / "torn" / "mmproj-F16.gguf", eyes[:100])
    for name in ("wide", "torn"):
        assert len(imported(name).files) == 1


def test_llama_cpp_names_what_belongs_to_a_manifest(
    tmp_path: Path, seeing: bytes, eyes: bytes
) -> None:
    cache = tmp_path / "llama.cpp"
    repo = "ggml-org_gemma-3-4b-it-GGUF"
    model = put(cache / f"{repo}_gemma-3-4b-it-Q4_K_M.gguf", seeing)
    other = put(cache / f"{repo}_mmproj-model-f16.gguf", eyes)
    put(cache / "ada_Else-GGUF_mmproj-else-f16.gguf", eyes)
    files = {
        "ggufFile": {"rfilename": "gemma-3-4b-it-Q4_K_M.gguf"},
        "mmprojFile": {"rfilename": "mmproj-model-f16.gguf"},
    }
    put(cache / "manifest=ggml-org=gemma-3-4b-it-GGUF=latest.json", json.dumps(files))
    (found,) = find_models(cache)
    assert found.paths == (model,)
    assert (found.names, found.repo) == (
        ("gemma-3-4b-it-Q4_K_M.gguf",), "ggml-org/gemma-3-4b-it-GGUF"
    )  # fmt: skip
    assert (found.projector, found.projector_name) == (other, "mmproj-model-f16.gguf")
    files["mmprojFile"] = {"rfilename": "../../mmproj-model-f16.gguf"}
    put(cache / "manifest=ggml-org=gemma-3-4b-it-GGUF=latest.json", json.dumps(files))
    assert find_models(cache)[0].projector is None


def test_half_a_download_of_gpt4all_is_no_model(tmp_path: Path) -> None:
    folder = tmp_path / "nomic.ai" / "GPT4All"
    whole = put(folder / "Phi-3-mini.Q4_0.gguf", gguf("a"))
    put(folder / "incomplete-Llama-3.Q4_0.gguf", gguf("b")[:100])
    assert [found.paths for found in find_models(folder)] == [(whole,)]
    named = put(tmp_path / "own" / "incomplete-thoughts-7b.gguf", gguf("c"))
    assert [found.paths for found in find_models(named.parent)] == [(named,)]


@pytest.mark.parametrize("pointer", [False, True])
def test_the_folder_that_lm_studio_was_told_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pointer: bool
) -> None:
    home, chosen = tmp_path / "somebody", tmp_path / "disk" / "llms"
    own = tmp_path / "moved" if pointer else home / ".lmstudio"
    if pointer:
        put(home / ".lmstudio-home-pointer", f"{own}\n")
    path = put(chosen / "ada" / "Small-GGUF" / "small-Q4_0.gguf", gguf("a"))
    settings = put(own / "settings.json", json.dumps({"downloadsFolder": str(chosen)}))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(Path, "home", lambda: home)
    assert (Origin.LM_STUDIO, chosen) in usual_places({}, home)
    found = describe(path)
    assert (found.origin, found.repo) == (Origin.LM_STUDIO, "ada/Small-GGUF")
    for nonsense in ('{"downloadsFolder": 7}', "[", '{"downloadsFolder": "../x"}', '"\\u0000"'):
        settings.write_text(nonsense, encoding="utf-8")
        assert describe(path).origin is Origin.FOLDER


@pytest.mark.parametrize(
    ("name", "file_type", "quant"),
    [("x.gguf", 15, "Q4_K_M"), ("x-Q8_0.gguf", 15, "Q8_0"), ("x.gguf", 9999, None)],
)
def test_a_quantization_that_no_name_tells_is_read_in_the_header(
    open_at: OpenHome, tmp_path: Path, name: str, file_type: int, quant: str | None
) -> None:
    keys = model_keys(general__name=(STRING, "a"), general__file_type=(U32, file_type))
    path = put(tmp_path / "own" / name, Build(keys).bytes())
    assert open_at(offline=True).install(str(path)).quant == quant
