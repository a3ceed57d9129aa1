"""The closed form against llama.cpp's own allocations (tests/data/fit_truth.tsv)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from openshelf.fit.memory import (
    DeviceMemory,
    FitRequest,
    PlacedDevice,
    Placement,
    estimate,
)
from tests.fit.machines import DATA, INDEX, shape_of

CLASSES = {name: shape_of(name).memory_class for name in INDEX}
PLAIN = [name for name, kind in CLASSES.items() if kind == "full"]
NEVER_UNDER_BY = 0.002


@dataclass(frozen=True)
class Truth:
    set_name: str
    model: str
    request: FitRequest
    n_gpu_layers: int
    buffers: tuple[tuple[int, int, int], ...]
    """(weights, KV cache, compute) in bytes: the host's, then each device's."""

    def estimate(self) -> tuple[DeviceMemory, ...]:
        count = len(self.buffers) - 1
        devices = tuple(PlacedDevice(f"gpu{index}", f"gpu{index}") for index in range(count))
        placement = Placement(devices, self.n_gpu_layers)
        return estimate(shape_of(self.model), self.request, placement)

    def errors(self) -> Iterator[float]:
        """Relative error of each device's sum of buffers."""
        for device, buffers in zip(self.estimate(), self.buffers, strict=True):
            ours = device.weights_bytes + device.kv_cache_bytes + device.compute_buffer_bytes
            yield (ours - sum(buffers)) / sum(buffers)


def _read() -> list[Truth]:
    rows = (DATA / "fit_truth.tsv").read_text("utf-8").splitlines()[2:]
    return [_parse(row.split("\t")) for row in rows]


def _parse(cells: list[str]) -> Truth:
    set_name, model, _, context, kv, flash, ubatch, layers, outputs, host, devices = cells
    buffers = [host] if devices == "-" else [host, *devices.split(";")]
    return Truth(
        set_name=set_name,
        model=model,
        request=FitRequest(
            context_length=int(context),
            kv_type_k=kv,
            kv_type_v=kv,
            ubatch=int(ubatch),
            flash_attention=flash,
            n_outputs_max=int(outputs),
        ),
        n_gpu_layers=int(layers),
        buffers=tuple(tuple(map(int, part.split("/"))) for part in buffers),  # type: ignore[misc]
    )


TRUTH = _read()
SETS = sorted({truth.set_name for truth in TRUTH})


def test_all_models_are_known() -> None:
    assert all(shape_of(name).known for name in INDEX)
    assert len(PLAIN) == 9
    assert {name: kind for name, kind in CLASSES.items() if kind != "full"} == {
        "gemma3-4b": "window",
        "gemma3-27b": "window",
        "gpt-oss-20b": "window",
        "llama4-scout": "window",
        "dsv2-lite": "latent",
        "deepseek-v3": "latent",
        "granite4-h-tiny": "hybrid",
    }
    assert len(TRUTH) == 400


@pytest.mark.parametrize("model", INDEX)
def test_weights_and_kv_cache_are_exact(model: str) -> None:
    for truth in (truth for truth in TRUTH if truth.model == model):
        for device, (weights, kv_cache, _) in zip(truth.estimate(), truth.buffers, strict=True):
            assert device.weights_bytes == weights, (truth.set_name, device.device)
            assert device.kv_cache_bytes == kv_cache, (truth.set_name, device.device)


@pytest.mark.parametrize(
    ("sets", "p95", "worst"),
    [
        (("truth_gpu", "truth_cpu", "truth_nout1", "truth_faoff", "truth_ub2048"), 0.01, 0.03),
        (("truth_cpu",), 0.01, 0.01),
        (("truth_nout1",), 0.0014, 0.0015),
        (("truth_part", "truth_2gpu"), 0.02, 0.05),
    ],
)
@pytest.mark.parametrize("models", [tuple(INDEX), tuple(PLAIN)], ids=["all", "plain"])
def test_totals_are_nearly_exact(
    models: tuple[str, ...], sets: tuple[str, ...], p95: float, worst: float
) -> None:
    rows = [truth for truth in TRUTH if truth.set_name in sets and truth.model in models]
    errors = sorted(abs(error) for truth in rows for error in truth.errors())
    assert len(errors) > 30
    assert statistics.median(errors) <= 0.001
    assert errors[int(0.95 * len(errors))] <= p95
    assert errors[-1] <= worst


@pytest.mark.parametrize("model", INDEX)
def test_no_device_is_under_estimated(model: str) -> None:
    """Two parts in a thousand of a device's buffers are the most that may be missing."""
    for truth in (truth for truth in TRUTH if truth.model == model):
        assert min(truth.errors()) >= -NEVER_UNDER_BY, (truth.set_name, truth.request)
