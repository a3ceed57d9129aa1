"""What llama.cpp set aside on pretended GPUs (tests/data/fit_truth_rpc.tsv, by record_rpc.py)."""

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
from tests.fit.machines import DATA

TABLE = DATA / "fit_truth_rpc.tsv"


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
