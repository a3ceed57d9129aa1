"""Memory of a projector (mmproj): its tensors exactly, its work buffer by a table per family.

The table holds llama.cpp's graphs as the widest moments of one layer and of what is behind the
tower, in floats per position. It was held against the engine's own accounting
(tests/data/projector_truth.tsv) on the CPU; GPUs are UNMEASURED, and one without flash attention
for the tower's head length needs more. What the table does not know gets an upper bound.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from openshelf.errors import CorruptModel
from openshelf.gguf.checks import PROJECTOR
from openshelf.gguf.header import Header
from openshelf.gguf.tensors import TensorInfo, align

TABLE_OVER, TABLE_UNDER = 0.25, 0.005
"""The table's margin against the engine's work buffer: at most so much too large, too small."""
BUFFER_ALIGNMENT = 32
_FLOAT_BYTES = 4
_CHANNELS = 3
_POSITION_FLOATS = 4
"""Ids of positions, four for each."""
_AUDIO_POSITIONS = 1500
"""Half of the 3000 frames (30 s) that llama.cpp lays out when it loads."""
_LARGEST_SIDE = 46
"""Tokens on a side of the largest image that llama.cpp lays out when it loads."""
_DEEPSTACK = ".fc2.weight"


@dataclass(frozen=True)
class Projector:
    """What turns pictures or sound into tokens. `type` is llama.cpp's name for it, of two joined
    by `+`; `basis` tells where `compute_bytes` come from: engine, table or bound.

    The engine sets this much aside when it loads; larger pictures may make it take more later.
    """

    type: str
    weights_bytes: int
    compute_bytes: int
    basis: str

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.compute_bytes

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class _Moment:
    """Live floats per position: parts of the raw input, the width of the tower, of its
    feed-forward part, and of what is behind it (per token).

    `hole` widths more where a half-width tensor takes the place of the raw input, so that no whole
    one can."""

    raw: float
    embd: float
    ff: float = 0.0
    out: float = 0.0
    hole: float = 0.0


@dataclass(frozen=True)
class _Family:
    """`side` is how many tokens a side of the first image has, None = the image size says it;
    `merge` is how many patches a side of a token has where the file does not say."""

    moments: tuple[_Moment, ...]
    side: int | None = None
    merge: int = 1
    has_class: bool = False
    has_mask: bool = False


_SIGLIP = (_Moment(0, 3, 1), _Moment(0, 1, 0, 2))
_ROTATED = (_Moment(1, 2, 1, hole=1.5), _Moment(1, 5), _Moment(1, 1, 0, 1))
_PIXTRAL = (_Moment(1, 3.5, 3, 1 / 16), _Moment(1, 0, 0, 3.125))
_GLM = (_Moment(1, 2, 3), _Moment(1, 1, 0, 4))
_WHISPER = (_Moment(0, 3, 1), _Moment(0, 1, 0, 0.5))
_VISION: dict[str, _Family] = {
    "gemma3": _Family(_SIGLIP, merge=4),
    "idefics3": _Family(_SIGLIP),
    "janus_pro": _Family((_Moment(0, 3, 1), _Moment(0, 1, 0, 2))),
    "lfm2": _Family(_SIGLIP, side=16),
    "phi4": _Family((_Moment(1, 3.5, 1), _Moment(1, 1, 0, 2)), side=16),
    "internvl": _Family((_Moment(1, 3.25, 1), _Moment(1, 2, 0, 2)), has_class=True),
    "llama4": _Family((*_ROTATED, _Moment(1, 2, 0, 2)), has_class=True),
    "kimivl": _Family(_ROTATED, side=16),
    "qwen2vl_merger": _Family(_ROTATED, side=46, merge=2),
    "qwen2.5vl_merger": _Family((_Moment(1, 4, 1),), side=46, merge=2, has_mask=True),
    "qwen3vl_merger": _Family(
        (_Moment(1, 9), _Moment(1, 3, 1), _Moment(1, 3, 0, 1)), side=46, merge=2
    ),
    "mlp": _Family((_Moment(1, 4, 1), _Moment(1, 1, 0, 2)), has_class=True),
    "resampler": _Family((_Moment(1, 3, 1), _Moment(1, 0, 0, 4))),
    "pixtral": _Family(_PIXTRAL, side=16),
    "lightonocr": _Family(_PIXTRAL, side=16),
    "glm4v": _Family(_GLM, side=46, merge=2),
    "gemma4v": _Family((_Moment(1, 3, 3),), side=16, merge=3),
}
_AUDIO: dict[str, _Family] = {name: _Family(_WHISPER) for name in ("ultravox", "voxtral", "qwen2a")}
_SAME = {("qwen2.5o", "vision"): "qwen2.5vl_merger", ("qwen2.5o", "audio"): "qwen2a"}
_BOUND = _Family((_Moment(1, 9, 3, 5),), side=_LARGEST_SIDE, has_class=True, has_mask=True)


def projector_from_header(header: Header) -> Projector:
    """The projector in a file of architecture `clip`. Raises CorruptModel for any other."""
    parts = [part for part in ("vision", "audio") if header.get(f"has_{part}_encoder") is True]
    if header.architecture != PROJECTOR or not parts:
        raise CorruptModel(why="not_a_projector", detail=header.architecture)
    types = [_type(header, part) for part in parts]
    buffers = [_buffer(header, part, kind) for part, kind in zip(parts, types, strict=True)]
    return Projector(
        type="+".join(dict.fromkeys(types)),
        weights_bytes=sum(align(t.size_bytes, BUFFER_ALIGNMENT) for t in header.tensors),
        compute_bytes=sum(size for size, _ in buffers),
        basis="table" if all(is_known for _, is_known in buffers) else "bound",
    )


def _type(header: Header, part: str) -> str:
    name = header.get("projector_type") or header.get(f"{part}.projector_type") or ""
    return str(name)[:64]


def _buffer(header: Header, part: str, kind: str) -> tuple[int, bool]:
    """Bytes of one encoder's work buffer, and whether its graph is one of ours."""
    table = _VISION if part == "vision" else _AUDIO
    family = table.get(_SAME.get((kind, part), kind))
    tower = _tower(header, part, family or _BOUND)
    moments = (family or _BOUND).moments
    floats = max(tower.floats(moment) for moment in moments)
    if family is not None and family.has_mask:
        floats = tower.masked(moments[0])
    elif family is None:
        floats += tower.mask_floats
    return tower.positions * round(_FLOAT_BYTES * floats), family is not None


@dataclass(frozen=True)
class _Tower:
    positions: int
    raw: float
    embd: int
    ff: int
    out: float
    """Widest matrix behind the tower, per position."""

    def floats(self, moment: _Moment) -> float:
        has_hole = self.embd / 2 <= self.raw < self.embd
        widths = moment.embd + moment.hole * has_hole
        tower = moment.raw * self.raw + widths * self.embd + moment.ff * self.ff
        return tower + moment.out * self.out + _POSITION_FLOATS

    @property
    def mask_floats(self) -> float:
        """A mask of all pairs, once as f32 and once as f16."""
        return 1.5 * self.positions

    def masked(self, moment: _Moment) -> float:
        """The f32 mask is free again when its f16 copy is made: feed-forward parts go there, as
        many as there is room for, and one more stays outside in any case."""
        outside = max(1, 3 - self.positions // max(self.ff, 1))
        return self.floats(dataclasses.replace(moment, ff=outside)) + self.mask_floats + 1


def _tower(header: Header, part: str, family: _Family) -> _Tower:
    embd, ff = _number(header, f"{part}.embedding_length"), _feed_forward(header, part)
    if part == "audio":
        bins = _number(header, "audio.num_mel_bins")
        width = _widest(header, ("mm.a.",))
        return _Tower(_AUDIO_POSITIONS, float(2 * bins), embd, ff, float(width))
    merge = _merge(header, family)
    patch = max(1, _number(header, "vision.patch_size"))
    fixed = _number(header, "vision.image_size") // patch
    side = fixed if family.side is None else family.side * merge
    if family is _BOUND:
        side = max(side, fixed)
    positions = max(1, side * side + family.has_class)
    width = _widest(header, ("mm.", "resampler.")) + _deepstack(header)
    raw = _CHANNELS * (side * patch) ** 2 / positions
    return _Tower(positions, raw, embd, ff, width / merge**2)


def _merge(header: Header, family: _Family) -> int:
    for key in ("vision.spatial_merge_size", "vision.projector.scale_factor"):
        if value := _number(header, key):
            return value
    return family.merge


def _feed_forward(header: Header, part: str) -> int:
    """From the tensors: old files leave the key at 0."""
    name = f"{part[0]}.blk.0.ffn_"
    shapes = [
        t.shape for t in header.tensors if t.name in (f"{name}up.weight", f"{name}down.weight")
    ]
    widths = [max(shape) for shape in shapes]
    return max([_number(header, f"{part}.feed_forward_length"), *widths])


def _widest(header: Header, starts: tuple[str, ...]) -> int:
    return max((_columns(t) for t in header.tensors if t.name.startswith(starts)), default=0)


def _columns(tensor: TensorInfo) -> int:
    return tensor.shape[-1] if len(tensor.shape) > 1 and tensor.name.endswith("weight") else 0


def _deepstack(header: Header) -> int:
    """Features of several layers that are kept and joined, twice over at the end. Narrower ones
    than a token of the tower never make the widest moment."""
    widths = [
        _columns(t)
        for t in header.tensors
        if t.name.startswith("v.deepstack.") and t.name.endswith(_DEEPSTACK)
    ]
    if not widths or max(widths) <= 4 * _number(header, "vision.embedding_length"):
        return 0
    return 2 * sum(widths) + 2 * max(widths)


def _number(header: Header, key: str) -> int:
    value = header.get(key)
    return value if isinstance(value, int) and value > 0 else 0
