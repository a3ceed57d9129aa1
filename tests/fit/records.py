"""What llama.cpp set aside on pretended GPUs: tests/data/fit_truth_rpc.tsv, by record_rpc.py, and
fit_truth_shapes.tsv, by record_shapes.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from openshelf.fit.memory import (
    DeviceMemory,
    FitRequest,
    ModelShape,
    PlacedDevice,
    Placement,
    estimate,
)
from tests.fit.answers import Job
from tests.fit.machines import DATA

TABLE = DATA / "fit_truth_rpc.tsv"
SHAPES_TABLE = DATA / "fit_truth_shapes.tsv"


@dataclass(frozen=True)
class Record:
    set_name: str
    model: str
    request: FitRequest
    placement: Placement
    buffers: tuple[tuple[int, ...], ...]
    """(weights, caches, compute) in bytes: the host's, then each device's."""

    def pairs(
        self, shapes: Mapping[str, ModelShape]
    ) -> Iterator[tuple[DeviceMemory, tuple[int, ...]]]:
        """Each device's estimate and truth, devices with nothing left out."""
        ours = estimate(shapes[self.model], self.request, self.placement)
        rest = (0, 0, 0)
        for index, device in enumerate(ours):
            truth = self.buffers[index] if index < len(self.buffers) else rest
            if sum(truth) or device.total_bytes - device.overhead_bytes:
                yield device, truth


def read_records() -> list[Record]:
    rows = TABLE.read_text("utf-8").splitlines()[2:]
    return [_parse(row.split("\t")) for row in rows]


def _parse(cells: list[str]) -> Record:
    set_name, model, context, kv, ubatch, layers, split, experts, *buffers = cells
    shares = [1.0] if split == "-" else [float(part) for part in split.split(":")]
    devices = tuple(PlacedDevice(f"gpu{i}", f"gpu{i}", share) for i, share in enumerate(shares))
    if set_name == "cpu":
        devices = ()
    return Record(
        set_name=set_name,
        model=model,
        request=FitRequest(
            int(context),
            kv,
            kv,
            ubatch=int(ubatch),
            flash_attention="on",
            experts_on_cpu=int(experts),
        ),
        placement=Placement(devices, int(layers)),
        buffers=tuple(tuple(map(int, part.split("/"))) for part in buffers),
    )


def write_row(
    set_name: str,
    model: str,
    request: FitRequest,
    job: Job,
    figures: Mapping[str, tuple[int, int, int]],
) -> str:
    """One line of fit_truth_shapes.tsv; `figures` per device are (weights, caches, compute)."""
    host = figures.get("CPU", (0, 0, 0))
    rest = [figures[name] for name in sorted(figures) if name != "CPU"]
    cells = (
        set_name,
        model,
        str(request.context_length),
        request.kv_type_k,
        request.kv_type_v,
        str(request.ubatch),
        request.flash_attention,
        str(job.gpu_layers),
        ":".join(f"{share:g}" for share in job.split) or "-",
        str(job.experts_on_cpu),
        *("/".join(map(str, part)) for part in (host, *rest)),
    )
    return "\t".join(cells)


def read_shape_records() -> list[Record]:
    rows = SHAPES_TABLE.read_text("utf-8").splitlines()[2:]
    return [_parse_shape(row.split("\t")) for row in rows]


def _parse_shape(cells: list[str]) -> Record:
    set_name, model, context, kv_k, kv_v, ubatch, flash, layers, split, experts, *buffers = cells
    shares = [1.0] if split == "-" else [float(part) for part in split.split(":")]
    devices = tuple(PlacedDevice(f"gpu{i}", f"gpu{i}", share) for i, share in enumerate(shares))
    return Record(
        set_name=set_name,
        model=model,
        request=FitRequest(
            int(context),
            kv_k,
            kv_v,
            ubatch=int(ubatch),
            flash_attention=flash,
            experts_on_cpu=int(experts),
        ),
        placement=Placement(devices if set_name != "cpu" else (), int(layers)),
        buffers=tuple(tuple(map(int, part.split("/"))) for part in buffers),
    )
