"""Why a fit is as it is, as reasons with the figures that decided."""

from __future__ import annotations

import enum

from openshelf.fit.memory import ModelShape
from openshelf.fit.placing import Placed, Room
from openshelf.fit.projector import Projector
from openshelf.reasons import Reason


class FitVerdict(enum.StrEnum):
    FITS_GPU = "fits_gpu"
    FITS_SPLIT = "fits_split"
    FITS_CPU = "fits_cpu"
    DOES_NOT_FIT = "does_not_fit"
    UNKNOWN = "unknown"

    @property
    def fits(self) -> bool:
        return self in (FitVerdict.FITS_GPU, FitVerdict.FITS_SPLIT, FitVerdict.FITS_CPU)


def explain(
    shape: ModelShape, placed: Placed, room: Room, verdict: FitVerdict
) -> tuple[Reason, ...]:
    """The reason of the verdict first, then what it rests on."""
    reasons = [_main_reason(shape, placed, room, verdict)]
    if not shape.known:
        reasons.append(Reason("fit_upper_bound", {"architecture": shape.architecture or "?"}))
    if shape.projector is not None:
        reasons.append(_about_projector(shape.projector, text_only=placed.request.text_only))
    if placed.request.experts_on_cpu and verdict is FitVerdict.FITS_SPLIT:
        data = {"layers": placed.request.experts_on_cpu, "n_layers": shape.n_layers}
        reasons.append(Reason("fit_experts_on_cpu", data))
    return tuple(reasons)


def _about_projector(projector: Projector, *, text_only: bool) -> Reason:
    data = {"type": projector.type or "?", "size_bytes": projector.total_bytes}
    if text_only:
        return Reason("fit_projector_left_out", data)
    if projector.basis == "bound":
        return Reason("fit_projector_bound", data)
    return Reason("fit_projector_counted", data)


def _main_reason(shape: ModelShape, placed: Placed, room: Room, verdict: FitVerdict) -> Reason:
    pool = shortest_pool(placed, room)
    needed, budget = placed.needed[pool], room.budgets[pool]
    figures = {"pool": pool, "needed_bytes": needed, "budget_bytes": budget}
    match verdict:
        case FitVerdict.FITS_GPU:
            gpus = len(placed.devices) - 1
            if gpus > 1:
                return Reason("fit_all_on_gpus", figures | {"gpus": gpus})
            return Reason("fit_all_on_gpu", figures)
        case FitVerdict.FITS_SPLIT:
            layers = {"gpu_layers": placed.n_gpu_layers, "n_layers": shape.placed_layers + 1}
            return Reason("fit_split", figures | layers)
        case FitVerdict.FITS_CPU:
            return Reason("fit_on_cpu", figures)
        case FitVerdict.DOES_NOT_FIT:
            return Reason("fit_too_large", figures | {"missing_bytes": max(0, needed - budget)})
        case FitVerdict.UNKNOWN:
            code = "fit_check_projector" if shape.known else "fit_check_with_engine"
            return Reason(code, figures)


def shortest_pool(placed: Placed, room: Room) -> str:
    """The pool with the least room left, among those in use."""
    used = [pool for pool in room.budgets if placed.needed[pool]] or list(room.budgets)
    return min(used, key=lambda pool: room.budgets[pool] - placed.needed[pool])
