"""Every architecture that the installed llama.cpp knows: its rules hold, or it is unknown."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import pytest

from openshelf.fit.architectures import VERIFIED
from openshelf.fit.memory import FitRequest, ModelShape, Placement, estimate, shape_from_header
from openshelf.gguf.header import read_header
from tests.fit.answers import Job, ask
from tests.fit.generated import KINDS, LAYERS, Keys, write_generated
from tests.fit.recipes import LAYERED

REQUESTS = [
    FitRequest(4096, flash_attention="on"),
    FitRequest(32768, ubatch=2048, flash_attention="on"),
    FitRequest(8192, "q8_0", "q8_0", ubatch=128, flash_attention="on"),
    FitRequest(4096, flash_attention="off"),
]
WITHOUT_KEYS = {
    "clip": "a projector",
    "gptj": "not built any more",
    "eagle3": "a drafter of another model",
    "dflash": "a drafter of another model",
    "gemma4-assistant": "a drafter of another model",
    "graniteswitch": "adapters that no public file has",
    "glm5-next": "pooled indexer keys that no public file has",
    "wavtokenizer-dec": "speech",
    "rwkv6qwen2": "its graph ends in a crash without real weights",
    "plm": "its graph asks for sizes of one model",
}
"""Architectures whose keys are not written here; they have no verified graph."""
MOST_OVER, MOST_UNDER = 0.06, 0.004
"""Of all buffers together, in models of eight layers, whose compute buffer is a large part."""
MOST_OVER_UNKNOWN = 3.0
VARIANTS: Mapping[str, tuple[str, Keys]] = {
    "one-layer": ("llama", {"block_count": 1}),
    "three-hundred-layers": (
        "llama",
        {"block_count": 300, "embedding_length": 256, "attention.head_count": 4},
    ),
    "one-head-of-keys": ("qwen3", {"attention.head_count_kv": 1}),
    "tiny-vocabulary": ("llama", {"vocab_size": 100}),
    "huge-vocabulary": ("qwen2", {"vocab_size": 400_000}),
    "heads-wider-than-embedding": (
        "qwen3",
        {"attention.key_length": 256, "attention.value_length": 256, "rope.dimension_count": 256},
    ),
    "deep-stack": ("qwen3vl", {"n_deepstack_layers": 3}),
    "window-by-array": ("gemma3", {"attention.sliding_window_pattern": (True, False) * 4}),
    "window-by-period": ("gemma3", {"attention.sliding_window_pattern": 3}),
    "window-by-default": (
        "exaone4",
        {"block_count": 64, "embedding_length": 512, "attention.head_count": 8},
    ),
    "no-chunks": ("llama4", {"attention.sliding_window": 0}),
    "heads-of-windows": (
        "mimo2",
        {
            "attention.key_length": 192,
            "attention.value_length": 128,
            "attention.key_length_swa": 192,
            "attention.value_length_swa": 128,
            "attention.head_count_kv": (8, 8, 8, 4) * 2,
        },
    ),
    "windows-of-a-hybrid": ("lfm2", {"attention.sliding_window": 1024}),
    "leading-dense-layers": (
        "deepseek2",
        {"leading_dense_block_count": 3, "feed_forward_length": 12288},
    ),
    "layers-without-heads": ("deci", {"attention.head_count_kv": (4, 4, 0, 4) * 2}),
    "heads-per-layer": (
        "laguna",
        {
            "attention.head_count": (12, 16, 16, 16) * 2,
            "attention.key_length": 128,
            "attention.value_length": 128,
        },
    ),
    "narrow-and-wide-layers": (
        "gemma4",
        {"feed_forward_length": (3072,) * 4 + (12288,) * 4, "attention.shared_kv_layers": 4},
    ),
    "layers-in-loops": ("nanbeige", {"num_loops": 3}),
    "rwkv7-without-heads": ("rwkv7", {"attention.head_count": 0, "attention.head_count_kv": 0}),
}


def _engine_names() -> Iterator[str]:
    """Architecture names as the engine lists them: numbers from 0 on, until one is unknown."""
    function = getattr(lib._lib, "_Z13llm_arch_name8llm_arch", None)
    if function is None:  # not told by this build: the names that the keys are written for
        yield from KINDS
        return
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_int]
    for number in range(1000):
        name = (function(number) or b"").decode()
        if name in ("", "unknown", "(unknown)"):
            return
        yield name


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[ModelShape, Any]]:
    """Shape and figures of every architecture and variant."""
    folder = tmp_path_factory.mktemp("architectures")
    models = {name: (name, {}) for name in KINDS if name not in WITHOUT_KEYS} | dict(VARIANTS)
    paths = {folder / name: model for name, model in models.items()}
    refused = write_generated(paths)  # type: ignore[arg-type]
    assert not refused, refused
    told = ask([Job(path, REQUESTS) for path in paths])
    return {
        path.name: (shape_from_header(read_header(path)), answer["figures"])
        for path, answer in zip(paths, told, strict=True)
    }


def test_every_architecture_of_the_engine_is_looked_at() -> None:
    names = set(_engine_names())
    assert len(names) > 100
    assert names - {"(unknown)"} <= set(KINDS)


def test_what_no_test_compares_is_not_called_verified() -> None:
    assert not set(WITHOUT_KEYS) & VERIFIED
    assert set(KINDS) >= VERIFIED


@pytest.mark.parametrize("name", [*(n for n in KINDS if n not in WITHOUT_KEYS), *VARIANTS])
def test_figures_are_exact_or_a_bound(
    name: str, answers: dict[str, tuple[ModelShape, Any]]
) -> None:
    shape, figures = answers[name]
    assert any(figures)
    for request, figure in zip(REQUESTS, figures, strict=True):
        if figure is None:
            continue  # this architecture has no such cache type
        (cpu,) = estimate(shape, request, Placement())
        weights, caches, compute = figure["CPU"]
        assert cpu.weights_bytes == weights
        difference = cpu.compute_buffer_bytes - compute
        if shape.known:
            assert cpu.kv_cache_bytes == caches, request
            relative = difference / (weights + caches + compute)
            assert -MOST_UNDER <= relative <= MOST_OVER, (request, relative, difference, compute)
        else:
            assert cpu.kv_cache_bytes >= caches, request
            assert 1 <= cpu.compute_buffer_bytes / compute <= MOST_OVER_UNKNOWN, request


def test_unknown_architectures_are_marked(answers: dict[str, tuple[ModelShape, Any]]) -> None:
    for name in set(KINDS) - set(WITHOUT_KEYS) - VERIFIED:
        assert not answers[name][0].known, name
    assert sum(answers[name][0].known for name in KINDS if name in answers) >= 90


def test_an_architecture_of_a_later_engine_is_unknown(
    answers: dict[str, tuple[ModelShape, Any]], tmp_path: Path
) -> None:
    assert len(answers["llama"][0].layer_bytes) == LAYERS
    header = read_header(_named(tmp_path / "model", "qwen9"))
    assert not shape_from_header(header).known


def _named(path: Path, architecture: str) -> Path:
    return dataclasses.replace(LAYERED["gemma2"], architecture=architecture).write(path)
