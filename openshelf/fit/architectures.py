"""Which memory rules a model follows, decided from its metadata, then from llama.cpp's graphs.

An architecture is known once its graph is held against the installed engine in tests/fit; rules of
caches alone are told for more of them, and make their bound a close one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.gguf.header import Header


class MemoryClass(enum.StrEnum):
    FULL = "full"
    """Multi-head or grouped-query attention with one full KV cache in every layer."""
    WINDOW = "window"
    """Some layers keep a window (or a chunk) of cells only."""
    LATENT = "latent"
    """Multi-head latent attention: one compressed row per cell, no values."""
    RECURRENT = "recurrent"
    """A state of fixed size in every layer, and no cache."""
    HYBRID = "hybrid"
    """Some layers keep a state, some a cache, some both."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class WindowRule:
    """What llama.cpp takes where the file's keys are silent; `period` counts up to a full layer."""

    period: int = 0
    default: int = 0
    fixed: int = 0
    """The window whatever the key says, except 0."""
    is_full_first: bool = False
    layers: tuple[int, ...] | None = None
    """Numbers of layers that have a window at all; None = any."""
    is_chunked: bool = False


PLAIN_ARCHITECTURES = frozenset(
    [
        "llama",
        "qwen2",
        "qwen3",
        "qwen3moe",
        "mistral3",
        "phi3",
        "smollm3",
        "granite",
        "baichuan",
        "refact",
        "internlm2",
        "gemma",
        "xverse",
        "chatglm",
        "glm4",
        "exaone",
        "ernie4_5",
        "hunyuan-dense",
        "seed_oss",
        "maincoder",
        "nanbeige",
        "minicpm",
        "pangu-embedded",
        "qwen2vl",
        "qwen3vl",
        "qwen3vlmoe",
        "hunyuan_vl",
        "paddleocr",
        "granitemoe",
        "phimoe",
        "dbrx",
        "olmoe",
        "arcee",
        "stablelm",
        "orion",
        "olmo",
        "bitnet",
        "deci",
    ]
)
"""Graphs that are the plain transformer block in llama.cpp; the tests hold them against it."""

NEARLY_PLAIN_ARCHITECTURES = frozenset(
    [
        "apertus",
        "nemotron",
        "starcoder2",
        "codeshell",
        "jais2",
        "gpt2",
        "starcoder",
        "mpt",
        "bloom",
        "gptneox",
        "phi2",
        "falcon",
        "command-r",
        "qwen2moe",
        "deepseek",
        "deepseek2-ocr",
        "bailingmoe",
        "bailingmoe2",
        "hunyuan-moe",
        "glm4moe",
        "ernie4_5-moe",
        "hy_v3",
        "dots1",
        "minimax-m2",
        "arctic",
        "grovemoe",
    ]
)
"""A shared expert, no gate in the feed-forward part, or both parts from one input."""

FULL_ARCHITECTURES = (
    PLAIN_ARCHITECTURES
    | NEARLY_PLAIN_ARCHITECTURES
    | frozenset(
        [
            "grok",
            "qwen",
            "plamo",
            "minicpm3",
            "openelm",
            "t5encoder",
            "jais",
            "chameleon",
            "plm",
            "cogvlm",
            "llama-embed",
            "talkie",
        ]
    )
)
"""llama.cpp gives these one full cache in every layer."""

NO_CACHE_ARCHITECTURES = frozenset(
    [
        "bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "eurobert",
        "modern-bert",
        "gemma-embedding",
        "wavtokenizer-dec",
        "dream",
        "llada",
        "llada-moe",
        "rnd1",
    ]
)
"""Encoders and diffusion models see a whole text at once."""

WINDOW_IGNORED = frozenset({"phi3"} | NO_CACHE_ARCHITECTURES)
"""llama.cpp reads their sliding window and keeps a full cache all the same."""

COMPRESSED_PROJECTIONS = frozenset({"minicpm3", "plm", "deepseek2-ocr"})
"""Keys and values pass a narrow layer and are kept in full."""

WINDOW_RULES: Mapping[str, WindowRule] = {
    "gemma2": WindowRule(2, default=4096),
    "gemma3": WindowRule(6),
    "gemma3n": WindowRule(5),
    "gemma4": WindowRule(),
    "gpt-oss": WindowRule(2),
    "cohere2": WindowRule(4),
    "cohere2moe": WindowRule(4, is_full_first=True),
    "llama4": WindowRule(4, fixed=8192, is_chunked=True),
    "exaone4": WindowRule(4, default=4096, layers=(64,)),
    "exaone-moe": WindowRule(4, default=128),
    "olmo2": WindowRule(4),
    "smallthinker": WindowRule(4, fixed=4096, is_full_first=True),
    "afmoe": WindowRule(4),
    "mellum": WindowRule(4),
    "plamo3": WindowRule(8),
    "laguna": WindowRule(4, is_full_first=True),
    "mimo2": WindowRule(),
    "step35": WindowRule(),
    "granite_swa": WindowRule(),
    "maple": WindowRule(),
    "spark2_5": WindowRule(),
    "muse-glimmer": WindowRule(4),
}
ALWAYS_RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
BOTH_IN_EVERY_LAYER = frozenset({"falcon-h1"})
INTERVAL_RECURRENT = frozenset({"qwen35", "qwen35moe", "qwen3next"})
ZERO_HEADS_RECURRENT = frozenset(
    {"granitehybrid", "jamba", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "plamo2"}
    | {"kimi-linear"}
)
"""A layer without heads of keys and values keeps a state."""
LOOPED = frozenset({"nanbeige"})
"""Their layers are run several times over."""
NO_FEED_FORWARD_LAYERS = frozenset({"nemotron_h", "nemotron_h_moe"})
"""A layer is attention, state or feed-forward, one of the three."""

CACHELESS_GRAPHS = NO_CACHE_ARCHITECTURES | {"t5encoder", "llama-embed"}
"""Whatever cache they were given, their graphs see the tokens of one step only."""
DIFFUSION_ARCHITECTURES = frozenset({"dream", "llada", "llada-moe", "rnd1"})
LATENT_ARCHITECTURES = frozenset({"deepseek2", "mistral4"})
EVERY_CACHE_WINDOWED = frozenset({"lfm2"})
"""Hybrids whose layers with a cache all keep a window, where the file gives one."""
VERIFIED_WINDOWS = frozenset(
    [
        "gemma2",
        "gemma3",
        "gpt-oss",
        "llama4",
        "cohere2",
        "cohere2moe",
        "olmo2",
        "exaone4",
        "exaone-moe",
        "afmoe",
        "laguna",
        "mellum",
        "mimo2",
        "maple",
        "step35",
        "granite_swa",
        "spark2_5",
        "muse-glimmer",
        "plamo3",
        "gemma4",
    ]
)
VERIFIED_RECURRENT = frozenset(
    [
        "granitehybrid",
        "mamba",
        "mamba2",
        "falcon-h1",
        "nemotron_h",
        "nemotron_h_moe",
        "lfm2",
        "lfm2moe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "kimi-linear",
        "jamba",
        "rwkv7",
        "arwkv7",
    ]
)
VERIFIED_ENCODERS = frozenset(["eurobert", "neo-bert", "gemma-embedding", "llama-embed"])
VERIFIED = (
    PLAIN_ARCHITECTURES
    | NEARLY_PLAIN_ARCHITECTURES
    | LATENT_ARCHITECTURES
    | VERIFIED_WINDOWS
    | VERIFIED_RECURRENT
    | DIFFUSION_ARCHITECTURES
    | VERIFIED_ENCODERS
)
"""The tests hold the compute buffers of these against llama.cpp's own."""

_WINDOW_KEYS = ("attention.sliding_window", "attention.sliding_window_pattern")
_LATENT_KEYS = (
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.kv_lora_rank",
)
_APPENDED = "nextn_predict_layers"
_NEVER_READ = ("attention.indexer.head_count", "attention.chunk_size")
_OTHER_ATTENTION = (
    *_WINDOW_KEYS,
    *_LATENT_KEYS,
    *_NEVER_READ,
    "full_attention_interval",
    "attention.recurrent_layers",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.shared_kv_layers",
    _APPENDED,
    "embedding_length_per_layer_input",
)
_WINDOW_ALLOWED = {
    *_WINDOW_KEYS,
    _APPENDED,
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.head_count_kv",
    "attention.head_count",
}
_OTHER_STATE = ("ssm.", "wkv.", "kda.", "shortconv.", "token_shift_count")
_PER_LAYER = ("attention.head_count", "attention.head_count_kv", "feed_forward_length")


def window_rule(architecture: str) -> WindowRule | None:
    return WINDOW_RULES.get(architecture)


def cache_class(header: Header) -> MemoryClass:
    """The rules of caches and states that the metadata call for; UNKNOWN where a key is not ours.

    More architectures have these than a verified graph (`memory_class`).
    """
    architecture = header.architecture
    kind = _cache_class_of(architecture)
    special = _special_keys(header)
    if kind is MemoryClass.FULL:
        allowed = {*_PER_LAYER, _APPENDED}
        if architecture in WINDOW_IGNORED:
            allowed |= set(_WINDOW_KEYS)
        if architecture in COMPRESSED_PROJECTIONS:
            allowed.add("attention.kv_lora_rank")
    elif kind is MemoryClass.LATENT:
        allowed = {*_LATENT_KEYS, _APPENDED}
    else:
        allowed = {name for name in special if name not in _NEVER_READ}
    return kind if special <= allowed else MemoryClass.UNKNOWN


def memory_class(header: Header) -> MemoryClass:
    """The class of a file whose every buffer is known; UNKNOWN for all others."""
    kind, special = cache_class(header), _special_keys(header)
    is_verified = header.architecture in VERIFIED
    if kind is MemoryClass.FULL:
        is_verified &= not special & set(_PER_LAYER)
    elif kind is MemoryClass.LATENT:
        is_verified &= set(_LATENT_KEYS) <= special
    elif kind is MemoryClass.WINDOW:
        is_verified &= special <= _WINDOW_ALLOWED
    return kind if is_verified else MemoryClass.UNKNOWN


def _cache_class_of(architecture: str) -> MemoryClass:
    if architecture in FULL_ARCHITECTURES or architecture in NO_CACHE_ARCHITECTURES:
        return MemoryClass.FULL
    if architecture in LATENT_ARCHITECTURES:
        return MemoryClass.LATENT
    if architecture in WINDOW_RULES:
        return MemoryClass.WINDOW
    if architecture in ALWAYS_RECURRENT:
        return MemoryClass.RECURRENT
    hybrids = BOTH_IN_EVERY_LAYER | INTERVAL_RECURRENT | ZERO_HEADS_RECURRENT
    return MemoryClass.HYBRID if architecture in hybrids else MemoryClass.UNKNOWN


def _special_keys(header: Header) -> set[str]:
    """Keys with a say in memory that a plain model does not have."""
    start = f"{header.architecture}."
    keys = {
        name.removeprefix(start)
        for name, value in header.metadata.items()
        if name.startswith(start) and value not in (None, 0, False)
    }
    per_layer = {name for name in _PER_LAYER if isinstance(header.get(name), tuple)}
    state = {name for name in keys if name.startswith(_OTHER_STATE)}
    return (keys & set(_OTHER_ATTENTION)) | per_layer | state
