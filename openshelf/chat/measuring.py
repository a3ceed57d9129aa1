"""What is shown and kept of the engine's work: memory of a load, speed of an answer."""

from __future__ import annotations

from collections.abc import Iterable

from openshelf.chat.interface import LoadTicket, ModelInMemory, ServerInUse, ServerTicket
from openshelf.engine.protocol import HOST_DEVICE, Done, Loaded, Plan
from openshelf.fit.speed import Run, rate_reached
from openshelf.fit.verdict import FitVerdict
from openshelf.library.measurements import (
    Component,
    ComponentMemory,
    LoadMeasurement,
    MeasuredRun,
    compare,
    totals,
)
from openshelf.library.store import now_utc


def model_in_memory(ticket: LoadTicket, loaded: Loaded) -> ModelInMemory:
    """What is loaded now, predicted beside measured."""
    components: tuple[ComponentMemory, ...] = ()
    measured = dict(loaded.memory_bytes)
    if ticket.prediction is not None and loaded.devices:
        predicted = ticket.prediction.devices
        components = compare(predicted, loaded.devices, ticket.prediction.engine_names)
        pools = {device.device: device.pool for device in predicted}
        measured = {}
        for whole in totals(components):
            pool = pools.get(whole.device, whole.device)
            measured[pool] = measured.get(pool, 0) + (whole.measured_bytes or 0)
    left_gpu = has_left_gpu(ticket.order.plan, loaded)
    return ModelInMemory(
        model_id=ticket.model_id,
        context_length=loaded.context_length,
        n_gpu_layers=0 if left_gpu else loaded.n_gpu_layers,
        n_layers=ticket.n_layers,
        placement=FitVerdict.FITS_CPU.value if left_gpu else ticket.placement,
        predicted_bytes=dict(ticket.predicted_bytes),
        measured_bytes=measured,
        load_seconds=loaded.seconds,
        components=components,
        left_gpu=left_gpu,
        engine_version=loaded.engine_version,
        engine_folder=loaded.engine_folder,
        devices=_devices_of(ticket, components),
    )


def _devices_of(ticket: LoadTicket, components: Iterable[ComponentMemory]) -> tuple[str, ...]:
    """Where weights are, GPUs first; empty where nobody told."""
    if ticket.prediction is None:
        return ()
    machine = ticket.prediction.machine
    gpus = {gpu.id: gpu.name for gpu in machine.gpus}
    holding = [
        part.device
        for part in components
        if part.component == Component.WEIGHTS
        and (part.predicted_bytes if part.measured_bytes is None else part.measured_bytes)
    ]
    on_gpus = [gpus.get(name, name) for name in holding if name != HOST_DEVICE]
    return (*on_gpus, *(machine.cpu.name for name in holding if name == HOST_DEVICE))


def has_left_gpu(plan: Plan, loaded: Loaded) -> bool:
    """Whether layers that were to go to a GPU are all in the host's memory."""
    if not plan.n_gpu_layers or not loaded.devices:
        return False
    return not any(
        device.weights_bytes != 0 or device.kv_cache_bytes  # None: not told
        for device in loaded.devices
        if device.device != HOST_DEVICE
    )


def model_on_server(ticket: ServerTicket, loaded: Loaded) -> ModelInMemory:
    """What is talked to now; nobody here knows what it takes there."""
    server = ticket.order.server
    return ModelInMemory(
        model_id=ticket.model_id,
        context_length=loaded.context_length,
        n_gpu_layers=0,
        n_layers=0,
        placement="",
        predicted_bytes={},
        measured_bytes={},
        load_seconds=loaded.seconds,
        server=ServerInUse(
            name=server.name,
            host=server.host,
            model=ticket.order.model,
            is_here=server.is_here,
            tells_context=loaded.source == "told",
        ),
    )


def load_measurement(
    ticket: LoadTicket, loaded: Loaded, memory: ModelInMemory
) -> LoadMeasurement | None:
    """What to keep of a load; None where the engine did not tell what it took."""
    if not memory.components:
        return None
    return LoadMeasurement(
        model_id=ticket.model_id,
        measured_at=now_utc(),
        engine_version=loaded.engine_version,
        architecture=loaded.architecture,
        source=loaded.source,
        plan=ticket.order.plan,
        components=memory.components,
    )


def measured_run(ticket: LoadTicket, done: Done) -> MeasuredRun:
    """The speed of an answer, and what it tells of the device that wrote it. Raises NotFound,
    CorruptModel where the model's file is no longer what it was."""
    reached = None
    if ticket.prediction is not None:
        run = Run(
            prompt_tokens=done.prompt_tokens,
            cached_tokens=done.cached_tokens,
            completion_tokens=done.completion_tokens,
            prefill_per_second=done.prefill_tokens_per_second,
            decode_per_second=done.decode_tokens_per_second,
        )
        reached = rate_reached(ticket.prediction.work(), ticket.prediction.machine, run)
    return MeasuredRun(
        model_id=ticket.model_id,
        measured_at=now_utc(),
        n_gpu_layers=ticket.order.plan.n_gpu_layers,
        decode_tokens_per_second=done.decode_tokens_per_second,
        reached=reached,
    )
