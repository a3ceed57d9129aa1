"""One step of a model, and the part of it that a device has.

Named tuples, which are made in a third of a frozen dataclass's time: each estimate makes several.
"""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One evaluation: `ubatch` tokens, `cells` of the cache (`window_cells` of those that keep a
    window), `outputs` rows of logits."""

    ubatch: int
    cells: int
    outputs: int
    has_flash_attention: bool
    rotates_k: bool = False
    """A quantized cache is rotated first, by a matrix that is an input."""
    rotates_v: bool = False
    window_cells: int = 0
    has_cache: bool = True
    """Without one, a token sees the tokens of its own step."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one f32 activation for all tokens of the step."""
        return 4 * self.ubatch


class LayerKinds(NamedTuple):
    """What kinds of layers are among those of a device."""

    has_full: bool = True
    has_windowed: bool = False
    has_state: bool = False

    @property
    def caches(self) -> int:
        return self.has_full + self.has_windowed


class Part(NamedTuple):
    """What of the model a device holds."""

    has_layers: bool
    has_input: bool
    has_output: bool
    receives: bool = False
    """Its first layer gets its input from another GPU."""
    sends: bool = False
    """Another GPU goes on with the layers behind its own."""
    kinds: LayerKinds = LayerKinds()
    input_kinds: LayerKinds | None = None
    """The whole model's on the device with the inputs, which holds all masks; None = `kinds`."""
    has_some_moved_experts: bool = False
    has_one_layer: bool = False
    foreign_layers: int = 0
    """Where layers are run in loops, those whose weights another device has."""
    has_last_layer_only: bool = False
    """Of the model's layers, the last and no other."""
    has_experts: bool = True
    """Some of its layers have routed experts, or it runs those of others."""
    has_dense: bool = True
    """Of a mixture, some of its layers have none."""
    first_layer: int = 0
    has_moved_experts: bool = False
    """The experts of all its layers are on the CPU, and this is another device."""
    runs_experts_only: bool = False
    """The CPU has no layers, but experts of others' layers."""

    @property
    def starts_late(self) -> bool:
        """Whether its first layer is not the model's first."""
        return self.first_layer > 0


WHOLE = Part(has_layers=True, has_input=True, has_output=True)
