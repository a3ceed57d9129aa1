"""What each layer keeps of the tokens before, as llama.cpp lays it out: full rows, a window, state.

The rules come from a model's metadata keys (reference: llama-hparams, llama-kv-cache*,
llama-memory-* of llama.cpp); a list of names is needed only for what no key says.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openshelf.fit.architectures import (
    ALWAYS_RECURRENT,
    BOTH_IN_EVERY_LAYER,
    EVERY_CACHE_WINDOWED,
    INTERVAL_RECURRENT,
    LOOPED,
    NO_CACHE_ARCHITECTURES,
    NO_FEED_FORWARD_LAYERS,
    ZERO_HEADS_RECURRENT,
    WindowRule,
    window_rule,
)
from openshelf.gguf.header import Header

_STATE_BYTES = 4
_DEFAULT_INTERVAL = 4
_GEMMA3N_OWN_LAYERS = 20
_MOST_LAYERS = 512
"""llama.cpp has room for."""


@dataclass(frozen=True)
class LayerCaches:
    """Per layer: elements of one cell's keys and values (0 = none), whether only a window of
    cells is kept, and bytes of state for one sequence, which no context makes larger."""

    keys: tuple[int, ...]
    values: tuple[int, ...]
    windowed: tuple[bool, ...]
    state_bytes: tuple[int, ...]
    window: int = 0
    places: tuple[bool, ...] = ()
    """Whether the layer has a place in a cache, though it may keep nothing there; empty = where
    it keeps something."""

    @functools.cached_property
    def widest_value(self) -> int:
        """Without flash attention every layer's values are as wide as the widest."""
        return max(self.values, default=0)

    @functools.cached_property
    def sums(self) -> tuple[tuple[int, ...], ...]:
        """Running totals, one longer than the layers: of full keys, values and layers, of the same
        three of windowed layers, of state bytes."""
        columns: list[list[int]] = [[] for _ in range(7)]
        places = self.places or tuple(key > 0 for key in self.keys)
        rows = zip(self.keys, self.values, places, self.windowed, self.state_bytes, strict=True)
        for key, value, has_place, is_windowed, state in rows:
            cache, none = (key, value, int(has_place)), (0, 0, 0)
            row = (*none, *cache) if is_windowed else (*cache, *none)
            for column, item in zip(columns, (*row, state), strict=True):
                column.append(item)
        return tuple(tuple(itertools.accumulate(column, initial=0)) for column in columns)

    def within(self, layers: range) -> tuple[int, ...]:
        """The totals over some layers in a row."""
        if not layers:
            return (0,) * 7
        start, stop = layers.start, layers.stop
        return tuple([column[stop] - column[start] for column in self.sums])


@functools.lru_cache(maxsize=4096)
def uniform_caches(n_layers: int, keys: int, values: int, state_bytes: int = 0) -> LayerCaches:
    """A full cache in every layer."""
    return LayerCaches(
        keys=(keys,) * n_layers,
        values=(values,) * n_layers,
        windowed=(False,) * n_layers,
        state_bytes=(state_bytes,) * n_layers,
    )


def read_caches(header: Header) -> LayerCaches:
    """The caches of a file whose architecture's rules are known."""
    n_layers = trunk_layers(header)
    if header.architecture in NO_CACHE_ARCHITECTURES:
        return uniform_caches(n_layers, 0, 0)
    rule = window_rule(header.architecture)
    window = read_window(header, rule) if rule else 0
    windowed = windowed_by_keys(header, rule, n_layers) if rule and window else (False,) * n_layers
    recurrent = recurrent_layers(header, n_layers)
    if header.architecture in EVERY_CACHE_WINDOWED:
        window = number(header, "attention.sliding_window")
        windowed = tuple(bool(window) and not is_recurrent for is_recurrent in recurrent)
    owned = _layers_of_their_own(header, n_layers)
    lengths = [head_lengths(header, is_windowed=is_windowed) for is_windowed in (False, True)]
    has_values = not is_latent(header)
    keys, values, places = [], [], []
    for layer, heads in enumerate(per_layer(header, "attention.head_count_kv", n_layers)):
        has_cache = owned[layer] and _has_attention(header, layer, recurrent)
        places.append(has_cache)
        key, value = lengths[windowed[layer]]
        keys.append(heads * key if has_cache else 0)
        values.append(heads * value if has_cache and has_values else 0)
    state = _STATE_BYTES * state_elements(header)
    return LayerCaches(
        keys=tuple(keys),
        values=tuple(values),
        windowed=windowed,
        state_bytes=tuple(state if is_recurrent else 0 for is_recurrent in recurrent),
        window=window,
        places=tuple(places),
    )


def own_layers(header: Header) -> int:
    """Layers of the model proper that have weights; appended ones that predict further tokens are
    not run."""
    return max(0, number(header, "block_count") - number(header, "nextn_predict_layers"))


def trunk_layers(header: Header) -> int:
    """Layers that are run: where they are in loops, each time with a cache of its own."""
    layers = own_layers(header)
    if header.architecture not in LOOPED:
        return layers
    looped = layers * max(1, number(header, "num_loops", 1))
    return looped if looped <= _MOST_LAYERS else layers


def is_latent(header: Header) -> bool:
    """Multi-head latent attention with the keys alone cached, values being a part of them."""
    return bool(
        number(header, "attention.key_length_mla") and number(header, "attention.value_length_mla")
    )


def number(header: Header, key: str, default: int = 0) -> int:
    """A key's number, of an array the largest."""
    value = header.get(key, default)
    if isinstance(value, tuple):
        return int(max(value, default=default))
    return int(value or 0)


def first_number(header: Header, key: str) -> int:
    """A key's number, of an array the first that is not 0."""
    value = header.get(key, 0)
    if isinstance(value, tuple):
        return next((int(item) for item in value if item), 0)
    return int(value or 0)


def per_layer(header: Header, key: str, n_layers: int) -> tuple[int, ...]:
    """A key's number for each layer; heads of keys and values are as many as the others'."""
    fallback = header.get("attention.head_count", 0) if key.endswith("_kv") else 0
    value: Any = header.get(key, fallback)
    if isinstance(value, tuple):
        numbers = tuple(int(item) for item in value[:n_layers])
        return numbers + (max(numbers, default=0),) * (n_layers - len(numbers))
    return (int(value),) * n_layers


def head_lengths(header: Header, *, is_windowed: bool = False) -> tuple[int, int]:
    """Elements of one head's key and value."""
    heads = first_number(header, "attention.head_count")
    usual = number(header, "embedding_length") // heads if heads else 0
    key = number(header, "attention.key_length", usual)
    value = number(header, "attention.value_length", usual)
    if is_windowed:
        key = number(header, "attention.key_length_swa", key)
        value = number(header, "attention.value_length_swa", value)
    return key, value


def read_window(header: Header, rule: WindowRule) -> int:
    """Tokens of the window; 0 where the file has none."""
    if rule.layers is not None and number(header, "block_count") not in rule.layers:
        return 0
    if rule.fixed:
        return 0 if header.get("attention.sliding_window") == 0 else rule.fixed
    return number(header, "attention.sliding_window", rule.default)


def windowed_by_keys(header: Header, rule: WindowRule, n_layers: int) -> tuple[bool, ...]:
    pattern = header.get("attention.sliding_window_pattern", rule.period)
    if isinstance(pattern, tuple):
        flags = tuple(bool(flag) for flag in pattern[:n_layers])
        return flags + (False,) * (n_layers - len(flags))
    return windowed_layers(int(pattern or 0), n_layers, is_full_first=rule.is_full_first)


def windowed_layers(period: int, n_layers: int, *, is_full_first: bool) -> tuple[bool, ...]:
    """One full layer in each `period`, the last of it or the first; none where it is 0."""
    if period == 0:
        return (True,) * n_layers
    if is_full_first:
        return tuple(layer % period != 0 for layer in range(n_layers))
    return tuple(layer % period < period - 1 for layer in range(n_layers))


def recurrent_layers(header: Header, n_layers: int) -> tuple[bool, ...]:
    """Which layers keep a state."""
    architecture = header.architecture
    if architecture in ALWAYS_RECURRENT or architecture in BOTH_IN_EVERY_LAYER:
        return (True,) * n_layers
    if architecture in INTERVAL_RECURRENT:
        flags = header.get("attention.recurrent_layers")
        if isinstance(flags, tuple):
            given = tuple(bool(flag) for flag in flags[:n_layers])
            return given + (False,) * (n_layers - len(given))
        interval = number(header, "full_attention_interval", _DEFAULT_INTERVAL) or 1
        return tuple((layer + 1) % interval != 0 for layer in range(n_layers))
    if architecture in ZERO_HEADS_RECURRENT:
        heads = per_layer(header, "attention.head_count_kv", n_layers)
        feed_forward = per_layer(header, "feed_forward_length", n_layers)
        if architecture in NO_FEED_FORWARD_LAYERS:
            return tuple(h == 0 and f == 0 for h, f in zip(heads, feed_forward, strict=True))
        return tuple(h == 0 for h in heads)
    return (False,) * n_layers


def _has_attention(header: Header, layer: int, recurrent: Sequence[bool]) -> bool:
    architecture = header.architecture
    if architecture in ALWAYS_RECURRENT:
        return False
    if architecture in NO_FEED_FORWARD_LAYERS:
        widths = header.get("feed_forward_length", 0)
        width = widths[layer] if isinstance(widths, tuple) else widths
        return not recurrent[layer] and not width
    return architecture in BOTH_IN_EVERY_LAYER or not recurrent[layer]


def _layers_of_their_own(header: Header, n_layers: int) -> tuple[bool, ...]:
    """The last layers of some models use the cache of one before."""
    shared = number(header, "attention.shared_kv_layers")
    own = number(header, "block_count") - shared if shared else n_layers
    if header.architecture == "gemma3n":
        own = _GEMMA3N_OWN_LAYERS
    return tuple(layer < own for layer in range(n_layers))


def state_elements(header: Header) -> int:
    """f32 elements of one recurrent layer's state, for one sequence."""
    n_embd = number(header, "embedding_length")
    heads = first_number(header, "attention.head_count")
    head_size = number(header, "wkv.head_size")
    if head_size:
        return n_embd * (number(header, "token_shift_count") + head_size)
    short_convolution = number(header, "shortconv.l_cache")
    if short_convolution:
        return n_embd * (short_convolution - 1)
    kernel = number(header, "ssm.conv_kernel")
    delta = number(header, "kda.head_dim")
    if delta:
        return 3 * (kernel - 1 if kernel else 3) * heads * delta + delta * delta * heads
    inner, state = number(header, "ssm.inner_size"), number(header, "ssm.state_size")
    groups = number(header, "ssm.group_count")
    return max(kernel - 1, 0) * (inner + 2 * groups * state) + state * inner
