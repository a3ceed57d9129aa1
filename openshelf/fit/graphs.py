"""What is peculiar to the graphs of single architectures, as far as it takes memory.

Read from llama.cpp's graphs, or seen of its allocator; tests/fit holds them against it.
"""

from __future__ import annotations

from collections.abc import Mapping

from openshelf.fit.architectures import CACHELESS_GRAPHS, DIFFUSION_ARCHITECTURES

PARALLEL_ARCHITECTURES = frozenset({"cohere2", "cohere2moe", "phi2", "falcon", "gptneox"})
ROTATED_APART = frozenset({"command-r", "gptneox", "gpt2"})
"""A quantized cache's rotation leaves one more activation alive."""
MIXED_APART = frozenset({"qwen35", "qwen35moe", "plamo3"})
"""One more activation is alive where one of the caches alone is rotated."""
KEPT_LATE = frozenset(
    [
        "smollm3",
        "bloom",
        "baichuan",
        "mpt",
        "refact",
        "starcoder",
        "spark2_5",
        "gemma-embedding",
        "dream",
        "llada",
        "llama-embed",
    ]
)
"""One more activation is alive on a GPU that has not the first layers."""
EMBEDDING_NORM_IS_LAST = frozenset({"lfm2", "lfm2moe"})
"""What they call the norm of the embeddings is the one before the output."""
NO_FIRST_NORM = frozenset({"olmo2", "exaone4"})
"""Their layers begin with the attention itself and norm what comes of it."""
LAST_NORM_APART = frozenset(
    [
        "stablelm",
        "orion",
        "olmo",
        "starcoder2",
        "codeshell",
        "nemotron",
        "jais2",
        "bitnet",
        "gemma4",
    ]
)
"""The last norm's result is not in the place of its input."""
NO_FLASH_ATTENTION = frozenset({"grok", "t5", "t5encoder"})
"""llama.cpp turns it off, or adds a bias to the scores that it does not know."""
NO_LOGITS = CACHELESS_GRAPHS - DIFFUSION_ARCHITECTURES
"""Their result is an embedding."""
SHARED_CACHES = frozenset({"gemma3n", "gemma4"})
"""Some of their layers use the cache of one before."""
LATE_OUTPUTS = frozenset(
    [
        "gemma4",
        "cohere2",
        "cohere2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "hy_v3",
        "nanbeige",
        "step35",
    ]
)
"""The rows that are asked for are picked behind the last layer, on the output's device."""
GATED_WINDOWS = frozenset({"afmoe", "step35"})
"""What each head attends to is multiplied by a gate, in layers of both kinds."""
ADDED_AT_LAST: Mapping[str, int] = {"command-r": 1, "gptneox": 1, "phi2": 1, "falcon": 2}
"""The output's device adds up so many parts of the last layer."""
POSITIONS_ADDED = frozenset({"gpt2", "mpt", "starcoder"})
"""Positions are embedded too, and added where the first layer is."""
CHUNKED_EXPERTS = frozenset({"grovemoe"})
"""What a second set of experts finds is added to the first's."""
LOGITS_TWICE = frozenset({"chameleon", "qwen3tts"})
SCORES_PER_INDEXER = frozenset({"qwen4exp", "minimax-m3"})
"""Each head of their indexer scores all cells, and the scores are alive at once."""
ALL_OUTPUTS = frozenset({"cogvlm"})
"""Their graphs make logits of every token, however few are asked for."""
