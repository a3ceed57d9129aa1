"""Rules of a language model's metadata whose breach makes llama.cpp abort or hang."""

from __future__ import annotations

from typing import Any, TypeGuard

from openshelf.gguf.cursor import Fault
from openshelf.gguf.metadata import Metadata

MAX_LAYERS = 512
MAX_CONTEXT_LENGTH = 1 << 27
"""llama-cpp-python allocates this many integers for every tokenization."""
MAX_EMBEDDING = 1 << 20
MAX_HEADS = 1 << 14
MAX_EXPERTS = 1024
MAX_SHARDS = 4096
MAX_ARCHITECTURE_CHARACTERS = 64
PROJECTOR = "clip"
"""The architecture that all projectors have."""
MAX_IMAGE_SIZE = 8192
"""llama.cpp's own limit."""
MAX_PATCH_SIZE = 1024
MAX_MERGE = 64
MAX_MEL_BINS = 4096
ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_TOKEN_ARRAYS = ("tokens", "scores", "token_type")
_HEADLESS_KEYS = ("ssm.", "wkv.")
MAX_COUNT = (1 << 32) - 1
_COUNTS = (
    "vocab_size", "feed_forward_length", "full_attention_interval", "n_deepstack_layers",
    "token_shift_count", "wkv.head_size", "shortconv.l_cache", "kda.head_dim",
    "rope.dimension_count", "rope.dimension_sections",
    "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank", "ssm.group_count",
    "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.value_length", "attention.sliding_window", "attention.sliding_window_pattern",
    "attention.recurrent_layers", "attention.shared_kv_layers", "attention.kv_lora_rank",
    "attention.key_length_mla",
    "attention.value_length_mla", "attention.key_length_swa", "attention.value_length_swa",
    "attention.indexer.head_count", "attention.indexer.key_length",
)  # fmt: skip
"""Keys with a say in memory: each is one number or, of some, one for each layer."""
_EPSILONS = (
    "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon",
    "attention.group_norm_epsilon",
)  # fmt: skip
_PER_LAYER_COUNTS = (
    "attention.head_count", "attention.head_count_kv",
    "feed_forward_length", "rope.dimension_sections", "attention.sliding_window_pattern",
    "attention.recurrent_layers",
)  # fmt: skip


def check_model(metadata: Metadata, tensor_count: int) -> None:
    """Hold metadata against the rules above. Raises Fault."""
    values = metadata.values
    shard = check_shard(values)
    if shard is not None and shard[0] > 1:
        return  # only the first shard carries the model's metadata
    architecture = values.get("general.architecture")
    if not isinstance(architecture, str):
        raise Fault("missing_key", "general.architecture")
    if not 0 < len(architecture) <= MAX_ARCHITECTURE_CHARACTERS or not architecture.isprintable():
        raise Fault("architecture", repr(architecture[:MAX_ARCHITECTURE_CHARACTERS]))
    if tensor_count == 0 and shard is None:
        raise Fault("no_tensors", architecture)
    is_model = values.get("general.type", "model") == "model"
    if architecture == PROJECTOR:
        check_projector(values)
        return
    if not is_model:
        return
    rules = _Rules(architecture, values)
    n_layers = rules.integer("block_count", 1, MAX_LAYERS)
    rules.integer("context_length", 1, MAX_CONTEXT_LENGTH)
    n_embd = rules.integer("embedding_length", 1, MAX_EMBEDDING)
    _check_heads(rules, n_layers, n_embd)
    _check_experts(rules, n_layers)
    _check_arithmetic(rules, n_embd)
    for key in _COUNTS:
        rules.count(key, may_be_array=key in _PER_LAYER_COUNTS)
    scaling = rules.get("rope.scaling.type")
    if scaling is not None and scaling not in ROPE_SCALINGS:
        raise Fault("rope_scaling", repr(scaling)[:100])
    _check_token_arrays(metadata.lengths)


def check_projector(values: dict[str, Any]) -> None:
    """The same for a projector: the keys of each encoder that it says to have. Raises Fault."""
    rules = _Rules(PROJECTOR, values)
    parts = [part for part in ("vision", "audio") if rules.flag(f"has_{part}_encoder")]
    for part in parts:
        rules.integer(f"{part}.block_count", 0, MAX_LAYERS)
        rules.integer(f"{part}.embedding_length", 1, MAX_EMBEDDING)
        rules.integer(f"{part}.feed_forward_length", 0, MAX_EMBEDDING)
        rules.integer(f"{part}.projection_dim", 0, MAX_EMBEDDING)
        rules.integer(f"{part}.attention.head_count", 0, MAX_HEADS)
    if "vision" in parts:
        rules.integer("vision.image_size", 0, MAX_IMAGE_SIZE)
        rules.integer("vision.patch_size", 1, MAX_PATCH_SIZE)
        for key in ("vision.spatial_merge_size", "vision.projector.scale_factor"):
            rules.integer(key, 1, MAX_MERGE, default=1)
    if "audio" in parts:
        rules.integer("audio.num_mel_bins", 1, MAX_MEL_BINS)


def check_shard(values: dict[str, Any]) -> tuple[int, int] | None:
    """(number from 1, of how many), or None for a whole file. Raises Fault."""
    if "split.count" not in values and "split.no" not in values:
        return None
    count, number = values.get("split.count"), values.get("split.no")
    if not _is_integer(count) or not _is_integer(number):
        raise Fault("shard", f"{number!r} of {count!r}"[:100])
    if count == 0 and number == 0:
        return None
    if not 1 <= count <= MAX_SHARDS or not 0 <= number < count:
        raise Fault("shard", f"{number} of {count}")
    return (number + 1, count) if count > 1 else None


class _Rules:
    """Looks keys up below the architecture's name."""

    def __init__(self, architecture: str, values: dict[str, Any]) -> None:
        self.architecture = architecture
        self.values = values

    def get(self, key: str) -> Any:
        return self.values.get(f"{self.architecture}.{key}")

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise Fault("projector", f"{key} is no flag")
        return bool(value)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise Fault("missing_key", f"{self.architecture}.{key}")
        if not _is_integer(value) or not low <= value <= high:
            raise Fault(key.rpartition(".")[2], f"{value!r} is not within {low}…{high}"[:100])
        return int(value)

    def count(self, key: str, *, may_be_array: bool) -> None:
        """Refuse what is no number of things; some writers make it a float."""
        value = self.get(key)
        items = value if isinstance(value, tuple) and may_be_array else (value,)
        for item in items:
            is_number = isinstance(item, int) or (isinstance(item, float) and item.is_integer())
            if item is not None and not (is_number and 0 <= item <= MAX_COUNT):
                raise Fault(key.rpartition(".")[2], f"{item!r} is no count"[:100])

    def per_layer(self, key: str, n_layers: int, high: int) -> tuple[int, ...] | None:
        """A value for all layers, or one for each; None where the key is missing."""
        value = self.get(key)
        if value is None:
            return None
        code = key.rpartition(".")[2]
        if isinstance(value, tuple):
            if len(value) != n_layers:
                raise Fault(code, f"{len(value)} values for {n_layers} layers")
            numbers = value
        else:
            numbers = (value,)
        for number in numbers:
            if not _is_integer(number) or not 0 <= number <= high:
                raise Fault(code, f"{number!r} is not within 0…{high}"[:100])
        return numbers


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_heads(rules: _Rules, n_layers: int, n_embd: int) -> None:
    heads = rules.per_layer("attention.head_count", n_layers, MAX_HEADS)
    headless = any(
        key.startswith(f"{rules.architecture}.{part}")
        for key in rules.values
        for part in _HEADLESS_KEYS
    )
    if heads is None or not any(heads):
        if headless:
            return
        raise Fault("head_count", "0" if heads else "missing")
    if rules.get("attention.key_length") is None and n_embd % max(heads[0], 1):
        raise Fault("head_count", f"{heads[0]} heads do not divide an embedding of {n_embd}")
    for key in ("attention.key_length", "attention.value_length"):
        rules.integer(key, 1, MAX_EMBEDDING, default=1)
    heads_kv = rules.per_layer("attention.head_count_kv", n_layers, MAX_HEADS) or heads
    layers = max(len(heads), len(heads_kv))
    for layer in range(layers):
        queries = heads[layer if len(heads) > 1 else 0]
        keys = heads_kv[layer if len(heads_kv) > 1 else 0]
        if keys and queries % keys:
            raise Fault("head_count_kv", f"{keys} key heads for {queries} heads")


def _check_experts(rules: _Rules, n_layers: int) -> None:
    n_expert = rules.integer("expert_count", 0, MAX_EXPERTS, default=0)
    used = rules.per_layer("expert_used_count", n_layers, MAX_EXPERTS) or (0,)
    if max(used) > n_expert or (n_expert and not max(used)):
        raise Fault("expert_used_count", f"{max(used)} of {n_expert}")
    groups = rules.integer("expert_group_count", 0, max(n_expert - 1, 0), default=0)
    if groups > 1:
        used_groups = rules.integer("expert_group_used_count", 1, groups - 1, default=0)
        if n_expert % groups or not used_groups:
            raise Fault("expert_group_count", f"{groups} groups of {n_expert} experts")
    rules.integer("nextn_predict_layers", 0, n_layers, default=0)


def _check_arithmetic(rules: _Rules, n_embd: int) -> None:
    """Values that the engine asserts in the middle of an answer, not when it loads."""
    for key in _EPSILONS:
        value = rules.get(key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value < 1):
            raise Fault(key.rpartition(".")[2], f"{value!r} is not within 0…1"[:100])
    rotated = rules.get("rope.dimension_count")
    if _is_integer(rotated) and (rotated % 2 or rotated > n_embd):
        raise Fault("dimension_count", f"{rotated} of {n_embd} are to be rotated")


def _check_token_arrays(lengths: dict[str, int]) -> None:
    found = {
        name: lengths[f"tokenizer.ggml.{name}"]
        for name in _TOKEN_ARRAYS
        if f"tokenizer.ggml.{name}" in lengths
    }
    if len(set(found.values())) > 1:
        raise Fault("token_arrays", ", ".join(f"{name} {count}" for name, count in found.items()))
