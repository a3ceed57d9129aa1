"""What the shelf recommends on five machines, each held against its budget; writes docs/shelf.md.

    python -m tests.benchmarks.five_machines                       # by estimate alone
    python -m tests.benchmarks.five_machines llama_cpp_python-0.3.36 build/bin

With a llama.cpp built as record_rpc.py says, models whose header is recorded are laid out by it, on
RPC servers in place of GPUs, in the very placement that a load would execute. A header recorded in
another quantization gets the types of the recommended one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from openshelf.catalog.loader import load_catalog
from openshelf.fit.placing import with_devices
from openshelf.fit.scores import READING_PER_SECOND, WEIGHTS, Preference
from openshelf.fit.shapes import shape_from_header
from openshelf.fit.verdict import Fit, Question, best_placement, fit_on
from openshelf.gguf.constants import types_by_name
from openshelf.gguf.header import Header, read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.gguf.tensors import TensorInfo
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.shelf.builder import build_shelf
from openshelf.shelf.rows import RankedVariant, Shelf, ShelfQuestion, ShelfRow
from openshelf.units import format_bytes
from tests.benchmarks.record_rpc import servers
from tests.benchmarks.shelf import MACHINES, PARTS
from tests.fit.answers import Job, ask
from tests.fit.machines import DATA, INDEX

PAGE = Path(__file__).parents[2] / "docs" / "shelf.md"
HEADERS = {
    "llama-3.1-8b-instruct": "llama3.1-8b",
    "llama-3.2-1b-instruct": "llama3.2-1b",
    "llama-3.3-70b-instruct": "llama3.3-70b",
    "llama-4-scout-17b-16e-instruct": "llama4-scout",
    "mistral-nemo-instruct-2407": "mistral-nemo",
    "qwen3-4b": "qwen3-4b",
    "qwen3-32b": "qwen3-32b",
    "qwen3-30b-a3b": "qwen3-30b-a3b",
    "gemma-3-4b-it": "gemma3-4b",
    "gemma-3-27b-it": "gemma3-27b",
    "deepseek-v3": "deepseek-v3",
    "gpt-oss-20b": "gpt-oss-20b",
    "granite-4.0-h-tiny": "granite4-h-tiny",
}
"""Model of the catalog → recorded header."""
TYPES = {
    "Q8_0": ("Q8_0", "Q8_0"),
    "Q6_K": ("Q6_K", "Q6_K"),
    "Q5_K_M": ("Q5_K", "Q6_K"),
    "Q4_K_M": ("Q4_K", "Q6_K"),
    "Q3_K_M": ("Q3_K", "Q5_K"),
    "Q2_K": ("Q2_K", "Q4_K"),
    "IQ4_XS": ("IQ4_XS", "Q6_K"),
    "F16": ("F16", "F16"),
    "BF16": ("BF16", "BF16"),
}
"""Quantization → the types that its mix gives to what Q4_K_M makes Q4_K and Q6_K."""
VERDICTS = {"fits_gpu": "GPU", "fits_split": "split", "fits_cpu": "CPU"}


@dataclass(frozen=True)
class Checked:
    """A recommendation as the engine lays it out: bytes per pool, and whether they fit."""

    needed: Mapping[str, int]
    fits: bool


def retyped(header: Header, quant: str) -> Header | None:
    """The header as a file of this quantization would have it; None for a mix not in TYPES."""
    wanted = TYPES.get(quant.removeprefix("UD-"))
    if wanted is None:
        return None
    types, tensors, offset = types_by_name(), [], 0
    for tensor in header.tensors:
        name = _type_of(tensor, wanted)
        kind = types[name]
        size = tensor.elements // kind.block * kind.block_bytes
        tensors.append(replace(tensor, type_name=name, size_bytes=size, offset=offset))
        offset += -(-size // 32) * 32
    return replace(header, tensors=tuple(tensors), file_bytes=header.header_bytes + offset)


def _type_of(tensor: TensorInfo, wanted: tuple[str, str]) -> str:
    most, few = wanted
    name = {"Q4_K": most, "Q6_K": few}.get(tensor.type_name, tensor.type_name)
    return name if tensor.shape[0] % types_by_name()[name].block == 0 else tensor.type_name


def header_of(variant: RankedVariant) -> Header | None:
    """The recorded header in the variant's quantization, where there is one."""
    name = HEADERS.get(variant.variant.model.id)
    if name is None:
        return None
    path = DATA / "headers" / f"{name}.gguf.header"
    header = read_header(path, file_bytes=INDEX[name]["file_bytes"])
    quant = variant.variant.quant
    return header if quant == INDEX[name]["quant"] else retyped(header, quant)


def check(
    header: Header, machine: Machine, shown: Fit, environment: Mapping[str, str], endpoint: str
) -> Checked:
    """Laid out where a load would put it: by the plan that follows from the header."""
    shape = shape_from_header(header)
    plan = fit_on(shape, machine, shown.request).plan
    if plan is None:
        return Checked({}, fits=False)
    request = replace(
        shown.request, gpu_layers=plan.n_gpu_layers, experts_on_cpu=plan.experts_on_cpu
    )
    question = Question(shape, machine, request)
    placed = best_placement(question)
    with shadow_file(header) as path:
        asked = replace(question.effective[0], flash_attention="on")
        job = Job(path, [asked], plan.n_gpu_layers, experts_on_cpu=plan.experts_on_cpu)
        rpc = endpoint if plan.n_gpu_layers else ""
        (answer,) = ask([job], {**environment, "OPENSHELF_TEST_RPC": rpc})
    figures = (answer.get("figures") or [None])[0]
    if figures is None:
        raise RuntimeError(f"{shape.architecture}: {answer.get('error')}")
    host = figures.get("CPU", (0, 0, 0))
    rest = [figures[name] for name in sorted(figures) if name != "CPU"]
    devices = tuple(
        replace(
            device,
            weights_bytes=weights,
            kv_cache_bytes=caches,
            compute_buffer_bytes=compute,
        )
        for device, (weights, caches, compute) in zip(placed.devices, (host, *rest), strict=True)
    )
    exact = with_devices(placed, devices, shape, question.room)
    return Checked(exact.needed, exact.fits)


def _weights() -> str:
    """What decides between models that fit, in a paragraph."""
    weights = WEIGHTS[Preference.BALANCE]
    return (
        "Of what fits, the first is the one with the highest sum of ability, speed and place, in "
        "doublings of model size (`openshelf/fit/scores.py`; `shelf --json --all` tells the "
        f"parts). A doubling of speed below {weights.enough_per_second:g} tokens a second weighs "
        f"{weights.speed:g} doublings of size, one above it a tenth of that. What writes slower "
        f"than a quick reader reads ({READING_PER_SECOND:g} tokens a second) loses the square of "
        "the doublings that it lacks besides, so that it comes first only where nothing quicker "
        "is nearly as able. “quality” minds both less, “speed” asks for more of it.\n\n"
    )


def estimated(variant: RankedVariant, machine: Machine) -> bool:
    """Whether the budgets hold by the estimate, worked out anew from the plan."""
    return all(pool.needed_bytes <= pool.budget_bytes for pool in variant.fit.pools)


def cell(row: ShelfRow, mark: str) -> str:
    shown = row.recommended
    if shown is None:
        if row.nearest is None:
            return "not for chat" if row.family.kind == "embedding" else "none known"
        return f"— ({row.nearest.variant.model.label or row.nearest.variant.model.name})"
    variant = shown.variant
    place = VERDICTS[shown.fit.verdict.value]
    size = format_bytes(variant.size_bytes)
    return f"{variant.model.label or variant.model.name} {variant.quant}, {size}, {place}{mark}"


@contextlib.contextmanager
def engine(arguments: list[str]) -> Iterator[tuple[dict[str, str], str] | None]:
    """The environment of the llama.cpp named, and the server that stands for a GPU."""
    if len(arguments) < 2:
        yield None
        return
    source, libraries = Path(arguments[0]), Path(arguments[1])
    environment = {
        "LLAMA_CPP_LIB_PATH": str(libraries.resolve()),
        "PYTHONPATH": os.pathsep.join([str(source.resolve()), str(Path.cwd())]),
    }
    with servers(libraries, 1) as endpoint:
        yield environment, endpoint


def main() -> None:
    catalog, question = load_catalog(), ShelfQuestion()
    columns: list[dict[str, str]] = []
    over, by_engine, by_estimate = [], 0, 0
    with engine(sys.argv[1:]) as found:
        for name in MACHINES:
            machine = find_machine(name)
            shelf: Shelf = build_shelf(machine, question, catalog, PARTS)
            column = {}
            for row in shelf.rows:
                mark, shown = "", row.recommended
                header = header_of(shown) if shown and found else None
                if shown and header and found:
                    checked = check(header, machine, shown.fit, *found)
                    mark, by_engine = " ✓", by_engine + 1
                    if not checked.fits:
                        over.append((name, shown.variant.target))
                elif shown:
                    by_estimate += 1
                    if not estimated(shown, machine):
                        over.append((name, shown.variant.target))
                column[row.family.name] = cell(row, mark)
            columns.append(column)
    names = [family.name for family in catalog.families]
    lines = [f"| {n} | " + " | ".join(column[n] for column in columns) + " |" for n in names]
    head = (
        "# What the shelf recommends\n\n"
        f"Made by `python -m tests.benchmarks.five_machines` on {datetime.now(UTC):%Y-%m-%d}, "
        f"catalog as of {catalog.as_of}; {question.context_length} tokens of context, balance. "
        f"{len(over)} recommendations exceed their budget; {by_engine} were laid out by llama.cpp "
        f"itself (✓), {by_estimate} estimated. A dash names the family's nearest model, which does "
        "not fit. Sizes are those to expect where the Hub was not asked.\n\n" + _weights()
    )
    table = [
        "| family | " + " | ".join(MACHINES) + " |",
        "|---" * (len(MACHINES) + 1) + "|",
        *lines,
    ]
    PAGE.write_text(head + "\n".join(table) + "\n", encoding="utf-8")
    sys.stdout.write(f"{by_engine} by the engine, {by_estimate} by estimate, over budget: {over}\n")


if __name__ == "__main__":
    main()
