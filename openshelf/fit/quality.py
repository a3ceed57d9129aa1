"""How much of the unquantized model a quantization keeps, from measured figures (catalog.md §4)."""

from __future__ import annotations


def quality_kept(
    quant: str, bits_per_weight: float | None, parameters: int | None
) -> tuple[float | None, str]:
    """Share of tokens on which the quantized model still agrees with the original, and its basis.

    None with basis "unknown" where nothing comparable was measured.
    """
    return None, "unknown"
