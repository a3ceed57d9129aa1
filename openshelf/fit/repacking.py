"""Which weights llama.cpp's CPU backend rearranges for its fast multiplications, by processor.

What is rearranged lies in a buffer of its own. An input embedding cannot be looked up there, so
that one which is the output layer too is kept twice. Most take as much room as before; for Intel's
AMX some types grow by sums that are kept per block. Source: ggml-cpu/repack.cpp, amx/mmq.cpp.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from openshelf.gguf.constants import types_by_name

_AVX2 = {"Q4_0": 8, "Q4_K": 8, "IQ4_NL": 8, "MXFP4": 8}
_AVX512 = {"Q2_K": 8}
_ARM = {"Q4_0": 4, "Q4_K": 8, "Q5_K": 8, "Q6_K": 8, "IQ4_NL": 4, "MXFP4": 4, "Q8_0": 4}
_AMX = dict.fromkeys(("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "F16"), 32)
_AMX_FEATURES = {"AMX INT8", "AVX-512 VNNI"}
_AMX_GROWTH = {"Q8_0": (32, 4), "Q4_K": (256, 4), "Q5_K": (256, 4), "IQ4_XS": (256, 2)}
"""Elements of a block, and the bytes that each block grows by."""
_UNQUANTIZED = frozenset({"F32", "F16", "BF16"})
_ARM_FEATURES = {"DotProd", "I8MM"}
NO_OUTPUT_LAYER = frozenset(
    {"bert", "eurobert", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert"}
    | {"nomic-bert", "nomic-bert-moe", "bitnet"}
)
"""Encoders have none, and bitnet multiplies with the table where it lies."""
ALWAYS_TWICE = frozenset({"gemma3n", "gemma4"})
"""llama.cpp makes their tied output layer before the table, and so keeps both."""


@dataclass(frozen=True, slots=True)
class Rearranging:
    """What of a model matters where the CPU rearranges it: `table` is the bytes of a tied output
    layer's table (0 = none) of `vocabulary` rows; `grown` and `table_grown` are what AMX adds."""

    table: int
    table_type: str
    vocabulary: int
    is_always_twice: bool
    grown: int
    table_grown: int
    has_stacked: bool

    def more_bytes(self, features: tuple[str, ...]) -> int:
        """What the weights take more where all of them lie on a CPU with these features."""
        is_growing, types = _rearranged_types(features, has_stacked=self.has_stacked)
        size = self.grown if is_growing else 0
        rows = types.get(self.table_type)
        is_twice = self.is_always_twice or (rows is not None and self.vocabulary % rows == 0)
        if is_twice and self.table:
            size += self.table + (self.table_grown if is_growing else 0)
        return size


def repacked_types(features: tuple[str, ...]) -> Mapping[str, int]:
    """ggml's types that are rearranged, and what their rows must be a multiple of.

    `features` are the processor's (hardware/facts.py); the engine is taken to be built for them.
    """
    found = dict(_AVX2) if "AVX2" in features else {}
    if found and "AVX-512" in features:
        found |= _AVX512
    if found and has_amx(features):
        found |= _AMX
    return found or (_ARM if _ARM_FEATURES & set(features) else {})


@functools.lru_cache(maxsize=64)
def _rearranged_types(
    features: tuple[str, ...], *, has_stacked: bool
) -> tuple[bool, Mapping[str, int]]:
    """Whether weights grow, and `repacked_types`; nothing where the engine could not."""
    usable = features if survives(features, has_stacked=has_stacked) else ()
    return has_amx(usable), repacked_types(usable)


def has_amx(features: tuple[str, ...]) -> bool:
    return set(features) >= _AMX_FEATURES


def survives(features: tuple[str, ...], *, has_stacked: bool) -> bool:
    """Whether the engine can rearrange: for AMX it sets aside too little for stacked matrices."""
    return not (has_stacked and has_amx(features))


def is_stacked(type_name: str, shape: tuple[int, ...]) -> bool:
    """Whether llama.cpp aborts where AMX is used: it sets aside room for the first matrix only."""
    if type_name not in _AMX or type_name == "F16" or len(shape) < 3 or shape[2] == 1:
        return False
    return shape[1] % _AMX[type_name] == 0


def grown_bytes(type_name: str, shape: tuple[int, ...]) -> int:
    """What a matrix of weights takes more where it is rearranged for AMX."""
    if type_name not in _AMX_GROWTH or len(shape) != 2 or shape[1] % _AMX[type_name]:
        return 0
    block, growth = _AMX_GROWTH[type_name]
    return shape[0] // block * growth * shape[1]


def expected_growth(quant: str) -> float:
    """The most that a file's matrices grow by for AMX, as a part of their bytes; of files with a
    quantization of which only the name is known, or none ("")."""
    name = quant.upper().removeprefix("UD-")
    if name in _UNQUANTIZED:
        return 0.0
    is_mixed = name.startswith(("IQ", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"))
    widest = "Q4_K" if is_mixed else "Q8_0"  # grows the most of any that such files mix
    return _AMX_GROWTH[widest][1] / types_by_name()[widest].block_bytes


def expected_table_type(quant: str, bits: float) -> str:
    """The type of an output layer with so many bits per weight in such a file, "" where that does
    not tell it."""
    name = quant.upper()
    if name in _UNQUANTIZED:
        return name
    known = {4.5: "Q4_K", 5.5: "Q5_K", 6.5625: "Q6_K", 8.5: "Q8_0"}
    return known.get(bits, "")
