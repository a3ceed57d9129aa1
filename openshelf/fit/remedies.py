"""What would make a model fit that does not: each remedy a code with its figures."""

from __future__ import annotations

import dataclasses

from openshelf.fit.memory import CONTEXT_STEP, FitRequest, ModelShape
from openshelf.fit.placing import Placed, Room, place
from openshelf.reasons import Reason

SHORTEST_CONTEXT = 2048
"""Below this, a chat is not worth offering."""
SMALLER_KV_TYPE = "q8_0"
_LOWEST_BITS = 2.1
"""What the smallest usual quantizations take per parameter."""


def find_remedies(
    shape: ModelShape, request: FitRequest, room: Room, placed: Placed
) -> tuple[Reason, ...]:
    """In the order in which a person should try them; the server is always the last."""
    remedies = []
    if shape.projector is not None and not request.text_only:
        text_only = dataclasses.replace(request, text_only=True)
        if place(shape, text_only, room).fits:
            size = shape.projector.total_bytes
            remedies.append(Reason("fit_without_projector", {"size_bytes": size}))
    if shape.weights_bytes < sum(room.budgets.values()):
        remedies.extend(_smaller_contexts(shape, request, room))
    largest = _largest_weights(shape, placed, room)
    if largest > 0 and _could_be_quantized_to(shape, largest):
        remedies.append(Reason("fit_smaller_quant", {"largest_bytes": largest}))
    elif not remedies:
        remedies.append(Reason("fit_smaller_model", {"largest_bytes": max(0, largest)}))
    remedies.append(Reason("fit_run_on_server"))
    return tuple(remedies)


def _smaller_contexts(shape: ModelShape, request: FitRequest, room: Room) -> list[Reason]:
    remedies = []
    length = longest_context(shape, request, room)
    if length is not None:
        remedies.append(Reason("fit_shorter_context", {"context_length": length}))
    smaller = _with_smaller_cache(request)
    if smaller is not None and place(shape, smaller, room).fits:
        remedies.append(Reason("fit_smaller_kv_type", {"kv_type": SMALLER_KV_TYPE}))
    return remedies


def longest_context(shape: ModelShape, request: FitRequest, room: Room) -> int | None:
    """The longest context that fits, a multiple of 256 below the one asked for; None if none."""
    low, high = SHORTEST_CONTEXT // CONTEXT_STEP, request.cells
    high = high // CONTEXT_STEP - 1

    def fits(steps: int) -> bool:
        shorter = dataclasses.replace(request, context_length=steps * CONTEXT_STEP)
        return place(shape, shorter, room).fits

    if high < low or not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low * CONTEXT_STEP


def _with_smaller_cache(request: FitRequest) -> FitRequest | None:
    if (request.kv_type_k, request.kv_type_v) != ("f16", "f16"):
        return None
    return dataclasses.replace(
        request, kv_type_k=SMALLER_KV_TYPE, kv_type_v=SMALLER_KV_TYPE, flash_attention="auto"
    )


def _largest_weights(shape: ModelShape, placed: Placed, room: Room) -> int:
    """Bytes that a file may have to fit beside the same context, all pools together."""
    total = sum(room.budgets.values())
    return total - (sum(placed.needed.values()) - shape.weights_bytes)


def _could_be_quantized_to(shape: ModelShape, size: int) -> bool:
    if size >= shape.weights_bytes:
        return False
    return shape.parameters is None or size * 8 / shape.parameters >= _LOWEST_BITS
