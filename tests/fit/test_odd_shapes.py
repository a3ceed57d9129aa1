"""Models of odd sizes, drawn with a fixed seed, against the installed llama.cpp.

A tenth of them runs always, all with `-m endurance`.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from openshelf.fit.memory import FitRequest, Placement, estimate, shape_from_header
from openshelf.gguf.header import read_header
from tests.fit.answers import Job, ask
from tests.fit.generated import Keys, write_generated

SEED = 20261125
ALL, SAMPLE = 200, 20
PLAIN = ("llama", "qwen2", "qwen3", "qwen3vl", "mistral3", "internlm2", "seed_oss", "ernie4_5")
MIXTURES = ("qwen3moe", "qwen2moe", "glm4moe", "granitemoe")
WINDOWS = ("gemma2", "gemma3", "cohere2", "mellum")
HEADS_AS_WIDE_AS_EMBEDDING = ("qwen2", "qwen2moe", "internlm2", "cohere2")
"""Their graphs take no others."""
MOST_UNDER, MOST_OVER = 0.002, 0.26
"""Of all buffers: these models are small, and a step's activations are most of them."""


def _drawn(number: int) -> tuple[str, Keys, FitRequest]:
    draw = random.Random(SEED + number)
    architecture = draw.choice((*PLAIN, *MIXTURES, *WINDOWS))
    length = draw.choice((64, 80, 96, 128, 256))
    count_kv = draw.choice((1, 2, 4, 8))
    heads = count_kv * draw.choice((1, 2, 3, 4, 7))
    embd = 256 * draw.randint(2, 20)
    if architecture in HEADS_AS_WIDE_AS_EMBEDDING:
        length, heads = draw.choice((64, 128)), count_kv * 4
        embd = heads * length
    n_layers = draw.choice((1, 2, 5, 11))
    keys: dict[str, object] = {
        "block_count": n_layers,
        "embedding_length": embd,
        "feed_forward_length": 256 * draw.randint(max(4, embd // 128), 60),
        "vocab_size": draw.choice((100, 32_000, 151_936, 262_144)),
        "attention.head_count": heads,
        "attention.head_count_kv": count_kv,
        "attention.key_length": length,
        "attention.value_length": length,
        "rope.dimension_count": length,
    }
    if architecture in MIXTURES:
        keys["expert_count"] = draw.choice((8, 60, 128))
        keys["expert_used_count"] = draw.choice((1, 2, 8))
        keys["expert_feed_forward_length"] = 256 * draw.randint(1, 12)
    if architecture in WINDOWS:
        keys["attention.sliding_window"] = draw.choice((128, 512, 4096))
    if architecture == "mellum":
        keys["attention.sliding_window_pattern"] = tuple(
            layer % 2 == 0 for layer in range(max(n_layers, 1))
        )
    kv = draw.choice(("f16", "q8_0", "q4_0")) if length % 32 == 0 else "f16"
    request = FitRequest(
        draw.choice((1, 200, 1000, 5000, 32_768, 100_001)),
        kv,
        kv,
        ubatch=draw.choice((32, 512, 1024, 2048)),
        flash_attention="on",
    )
    return architecture, keys, request


def _compare(numbers: range, folder: Path) -> None:
    drawn = {folder / str(number): _drawn(number) for number in numbers}
    refused = write_generated({path: (name, keys) for path, (name, keys, _) in drawn.items()})
    assert not refused, refused
    answers = ask([Job(path, [request]) for path, (_, _, request) in drawn.items()])
    for (path, (name, keys, request)), answer in zip(drawn.items(), answers, strict=True):
        shape = shape_from_header(read_header(path))
        assert shape.known, name
        (cpu,) = estimate(shape, request, Placement())
        weights, caches, compute = answer["figures"][0]["CPU"]
        assert (cpu.weights_bytes, cpu.kv_cache_bytes) == (weights, caches), (name, keys, request)
        relative = (cpu.compute_buffer_bytes - compute) / (weights + caches + compute)
        assert -MOST_UNDER <= relative <= MOST_OVER, (relative, name, keys, request, compute)


def test_a_tenth_of_the_odd_shapes(tmp_path: Path) -> None:
    _compare(range(SAMPLE), tmp_path)


@pytest.mark.endurance
def test_all_odd_shapes(tmp_path: Path) -> None:
    _compare(range(SAMPLE, ALL), tmp_path)
