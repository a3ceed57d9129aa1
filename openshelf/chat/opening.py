"""From "chat with this" to a ticket that a load executes: clearance, fit, plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from openshelf.chat.interface import LoadTicket, Prediction
from openshelf.engine.interface import LoadOrder, ModelFile
from openshelf.engine.protocol import Plan
from openshelf.errors import DoesNotFit
from openshelf.fit.memory import FitRequest
from openshelf.fit.pools import budgets
from openshelf.fit.verdict import Fit
from openshelf.fit.workload import Workload
from openshelf.hardware.facts import Machine
from openshelf.library.fitting import fit_installed, shape_of_file
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken


class FindsModels(Protocol):
    """What is needed of the library."""

    def find(self, model_id: str) -> InstalledModel: ...


@dataclass(frozen=True)
class ModelOpener:
    """Asks the gate and reckons the fit anew for each load, with the memory that is free then."""

    library: FindsModels
    clear: Callable[[InstalledModel], Clearance]
    detect: Callable[[], Machine]
    """The machine as it is now, with what the engine can use."""
    request: Callable[[], FitRequest]
    policy_sha256: Callable[[], str]

    def open_model(self, model_id: str, cancel: CancelToken) -> LoadTicket:
        """Raises NotFound, CorruptModel, DoesNotFit and what the gate raises."""
        model = self.library.find(model_id)
        clearance = self.clear(model)
        cancel.raise_if_cancelled()
        machine = self.detect()
        fit = fit_installed(model, machine, self.request())
        plan = fit.plan
        if plan is None:
            raise _too_large(model, fit, machine)
        cancel.raise_if_cancelled()
        policy_sha256 = self.policy_sha256()
        return LoadTicket(
            model_id=model.id,
            clearance=clearance,
            order=LoadOrder(
                files=tuple(_model_file(model, file) for file in model.weight_files),
                plan=plan,
                policy_sha256=policy_sha256,
                projector=_model_file(model, eyes) if (eyes := model.projector) else None,
            ),
            placement=fit.verdict.value,
            n_layers=fit.n_layers,
            predicted_bytes=_allocations(fit),
            still_allowed=lambda: self.policy_sha256() == policy_sha256,
            prediction=Prediction(
                devices=fit.devices,
                machine=machine,
                engine_names={gpu.id: gpu.engine_name for gpu in machine.gpus if gpu.engine_name},
                work=cache(lambda: _workload(model, fit, plan)),
            ),
        )


def _model_file(model: InstalledModel, file: InstalledFile) -> ModelFile:
    return ModelFile(
        repo=model.repo,
        commit=model.commit,
        path=file.path,
        location=file.location,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
    )


def _workload(model: InstalledModel, fit: Fit, plan: Plan) -> Workload:
    shape = shape_of_file(Path(model.first_file.location))
    return Workload(shape, fit.devices, plan)


def _allocations(fit: Fit) -> dict[str, int]:
    """Bytes per pool without what the process and the driver take beside llama.cpp's buffers, and
    without the projector, which it does not count among them."""
    predicted: dict[str, int] = {}
    for device in fit.devices:
        own = device.total_bytes - device.overhead_bytes - device.projector_bytes
        predicted[device.pool] = predicted.get(device.pool, 0) + own
    return predicted


def _too_large(model: InstalledModel, fit: Fit, machine: Machine) -> DoesNotFit:
    """The pool that lacks most, and what would help: a shorter context, or memory that others have
    now."""
    worst = max(fit.pools, key=lambda pool: pool.needed_bytes - pool.budget_bytes)
    shorter = [reason for reason in fit.remedies if reason.code == "fit_shorter_context"]
    length = int(shorter[0].data["context_length"]) if shorter else 0
    most = budgets(_idle(machine))
    is_taken = all(pool.needed_bytes <= most.get(pool.id, 0) for pool in fit.pools)
    gpu = next((gpu for gpu in machine.gpus if gpu.id == worst.id), None)
    return DoesNotFit(
        model.name,
        worst.id,
        worst.needed_bytes,
        worst.budget_bytes,
        device=gpu.name if gpu is not None else "RAM",
        why="shorter" if length else "taken" if is_taken else "",
        context_length=length,
    )


def _idle(machine: Machine) -> Machine:
    """The same with nothing else running."""
    memory = dataclasses.replace(machine.memory, available_bytes=machine.memory.total_bytes)
    gpus = tuple(
        dataclasses.replace(gpu, free_bytes=gpu.total_bytes or gpu.free_bytes)
        for gpu in machine.gpus
    )
    return dataclasses.replace(machine, memory=memory, gpus=gpus)
