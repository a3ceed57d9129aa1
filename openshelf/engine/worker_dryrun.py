"""Lays a model out as a load would, without its weights: llama.cpp's own `no_alloc`."""

from __future__ import annotations

import threading
import time
from typing import Any

import llama_cpp.llama_cpp as lib

from openshelf.engine.protocol import DeviceBytes, DryRun, DryRunResult
from openshelf.engine.worker_failures import Refusal, laid_out
from openshelf.engine.worker_llama import Devices, Log, context_parameters, model_parameters
from openshelf.engine.worker_memory import breakdown


def dry_run(request: DryRun, devices: Devices, log: Log, stop: threading.Event) -> DryRunResult:
    """What `request.plan` takes for the model at `request.path`, on every device.

    The parameters are those of a load, save that nothing is mapped: llama.cpp aborts on `no_alloc`
    with a mapped file. Raises Refusal; may abort the process.
    """
    started = time.monotonic()
    log.clear()
    params, alive = model_parameters(request.plan, devices)
    params.no_alloc = True
    params.load_mode = lib.LLAMA_LOAD_MODE_NONE
    progress = lib.llama_progress_callback(lambda fraction, user_data: not stop.is_set())
    params.progress_callback = progress
    context_params = context_parameters(request.plan)
    model = context = None
    try:
        model = lib.llama_model_load_from_file(request.path.encode(), params)
        if model is None:
            raise Refusal("cancelled") if stop.is_set() else log.refusal()
        context = lib.llama_init_from_model(model, context_params)
        if context is None:
            raise log.refusal()
        figures, cache, source = _read(context, devices, log, from_log_only=request.from_log)
        return DryRunResult(
            request.id,
            devices=figures,
            kv_cache_bytes=cache,
            source=source,
            context_length=int(lib.llama_n_ctx(context)),
            seconds=time.monotonic() - started,
        )
    finally:
        if context is not None:
            lib.llama_free(context)
        if model is not None:
            lib.llama_model_free(model)
        del alive


def _read(
    context: Any, devices: Devices, log: Log, *, from_log_only: bool
) -> tuple[tuple[DeviceBytes, ...], int, str]:
    exact = None if from_log_only else breakdown(context)
    if exact is not None:
        return exact, sum(device.kv_cache_bytes or 0 for device in exact), "breakdown"
    gpus = [device.name for device in devices.list() if device.type in ("gpu", "igpu")]
    figures, cache = laid_out(log.lines, gpus)
    return figures, cache, "log"
