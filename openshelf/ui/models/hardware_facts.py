"""What the hardware page asks for in tasks: the machine anew, and shelves for several machines."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openshelf import __version__
from openshelf.errors import NotFound
from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Gpu, Machine
from openshelf.hardware.profiles import find_machine, load_profiles
from openshelf.logs import redact
from openshelf.services import Services
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class MachineShelves:
    """One shelf per machine, in the order asked; `number` tells late answers from the last one."""

    number: int
    context_length: int
    shelves: tuple[Shelf, ...]


def read_machine(services: Services) -> Callable[[CancelToken, Report], Machine]:
    """Detect again, and ask the engine for its devices."""

    def work(cancel: CancelToken, report: Report) -> Machine:
        machine = services.detect_machine(cancel, report)
        cancel.raise_if_cancelled()
        return services.engine_facts(machine)

    return work


def read_engine(services: Services, machine: Machine) -> Callable[[CancelToken, Report], Machine]:
    """Ask the engine for its devices, without looking at the hardware again."""

    def work(cancel: CancelToken, report: Report) -> Machine:
        return services.engine_facts(machine)

    return work


def typed_machine(text: str) -> str | None:
    """The name of the machine that `text` stands for, such as `2x RTX 3090 + 128 GB`."""
    try:
        return find_machine(text).name
    except NotFound:
        return None


def read_profiles(cancel: CancelToken, report: Report) -> tuple[Machine, ...]:
    return load_profiles()


def read_shelves(
    services: Services, machines: Sequence[Machine], context_length: int, number: int
) -> Callable[[CancelToken, Report], MachineShelves]:
    settings = services.settings.current
    question = ShelfQuestion(context_length, settings.prefer, settings.kv_type)

    def work(cancel: CancelToken, report: Report) -> MachineShelves:
        shelves = []
        for machine in machines:
            cancel.raise_if_cancelled()
            shelves.append(services.shelf(machine, question))
        return MachineShelves(number, context_length, tuple(shelves))

    return work


LONGER_CONTEXTS = (16384, 32768, 65536, 131072, 262144)


@dataclass(frozen=True)
class LongestContexts:
    """The longest context in tokens that each variant still fits with, by target."""

    number: int
    lengths: Mapping[str, int]


def read_longest(
    services: Services, shelf: Shelf, number: int
) -> Callable[[CancelToken, Report], LongestContexts]:
    """How far the context of each recommended variant can grow on the shelf's machine.

    Tried are the usual lengths, doubled each time; what a model was trained for is the end.
    """
    settings = services.settings.current
    wanted = {row.recommended.variant.target for row in shelf.rows if row.recommended is not None}

    def work(cancel: CancelToken, report: Report) -> LongestContexts:
        lengths: dict[str, int] = {}
        growing = set(wanted)
        for length in LONGER_CONTEXTS:
            if length <= shelf.context_length or not growing:
                continue
            cancel.raise_if_cancelled()
            question = ShelfQuestion(length, settings.prefer, settings.kv_type, all_variants=True)
            fits = _fits_by_target(services.shelf(shelf.machine, question), growing)
            lengths |= {target: fit.context_length_used for target, fit in fits.items()}
            growing = {target for target, fit in fits.items() if fit.context_length_used >= length}
        return LongestContexts(number, lengths)

    return work


def _fits_by_target(shelf: Shelf, wanted: set[str]) -> dict[str, Fit]:
    """The variants of a shelf that fit, by their targets."""
    variants = [
        ranked for row in shelf.rows for ranked in (row.recommended, row.nearest, *row.alternatives)
    ]
    return {
        ranked.variant.target: ranked.fit
        for ranked in variants
        if ranked is not None and ranked.variant.target in wanted and ranked.fit.verdict.fits
    }


def report_text(machine: Machine) -> str:
    """Everything known about the machine for a bug report, without the person's own paths."""
    report = {"openshelf": __version__, **machine.as_json()}
    return redact(json.dumps(report, indent=2, ensure_ascii=False))


_BUILD_FLAGS = {
    "CUDA": "-DGGML_CUDA=on", "Vulkan": "-DGGML_VULKAN=on", "ROCm": "-DGGML_HIP=on",
    "SYCL": "-DGGML_SYCL=on", "Metal": "-DGGML_METAL=on",
}  # fmt: skip
_LACKS_BACKEND = ("engine_without_gpu", "engine_without_backend")


def enabling_commands(gpu: Gpu) -> tuple[str, ...]:
    """What builds this version of the engine with a backend for `gpu`, the usual one first.

    Empty where another build would not help.
    """
    if gpu.usable_by_engine is not False or gpu.reason is None:
        return ()
    if gpu.reason.code not in _LACKS_BACKEND:
        return ()
    try:
        version = importlib.metadata.version("llama_cpp_python")
    except importlib.metadata.PackageNotFoundError:
        return ()
    wanted = [_BUILD_FLAGS.get(name) for name in gpu.reason.data.get("wanted", ())]
    install = f"pip install --force-reinstall --no-cache-dir --no-deps llama-cpp-python=={version}"
    return tuple(f'CMAKE_ARGS="{flag}" {install}' for flag in wanted if flag)
