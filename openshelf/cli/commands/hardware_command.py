"""`openshelf hardware`: what was found, what the engine can use, why not."""

from __future__ import annotations

import argparse
from dataclasses import replace

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.hardware.facts import Gpu, Machine
from openshelf.hardware.overrides import (
    Overrides,
    changed_overrides,
    fields_of,
    parse_override,
    reset_overrides,
    split_name,
    with_overrides,
)
from openshelf.services import Services
from openshelf.tasks import no_report
from openshelf.units import format_bytes, format_rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profiles", action="store_true", help="the machines known for --machine instead"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="say a value by hand: gpu-0.free_bytes=6GiB, gpu-0.usable_by_engine=no, "
        "memory.total_bytes=16GiB, cpu.physical_cores=6",
    )
    parser.add_argument(
        "--unset",
        action="append",
        default=[],
        metavar="NAME",
        help="go back to what was found: gpu-0.free_bytes, all of gpu-0, or all",
    )


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if arguments.profiles:
        return _show_profiles(output)
    machine = services.engine_facts(services.detect_machine(interrupts.token, no_report))
    if arguments.set or arguments.unset:
        machine = _with_changes(machine, arguments, services)
    output.result(machine.as_json())
    for name, value in _facts(machine):
        output.line(f"{name:8}{value}")
    for note in machine.notes:
        output.line(f"note    {wording.sentence(note)}")
    return 0


def _with_changes(machine: Machine, arguments: argparse.Namespace, services: Services) -> Machine:
    """Nothing is kept unless every change is right. Raises BadOverride."""
    settings = services.settings.current
    overrides: Overrides = settings.hardware
    for name in arguments.unset:
        overrides = {} if name == "all" else reset_overrides(overrides, *split_name(machine, name))
    for text in arguments.set:
        overrides = changed_overrides(overrides, parse_override(machine, text))
    services.settings.save(
        replace(settings, hardware={part: dict(values) for part, values in overrides.items()})
    )
    return with_overrides(machine, overrides)


def _show_profiles(output: Output) -> int:
    from openshelf.hardware.profiles import load_profiles

    machines = load_profiles()
    output.result({"profiles": [machine.as_json() for machine in machines]})
    output.table(
        ("PROFILE", "GPU", "BANDWIDTH", "RAM"),
        [
            (
                machine.name,
                ", ".join(gpu.name for gpu in machine.gpus) or "none",
                _bandwidth(machine),
                format_bytes(machine.memory.total_bytes, binary=True),
            )
            for machine in machines
        ],
    )
    return 0


def _bandwidth(machine: Machine) -> str:
    rates = {gpu.bandwidth_bytes_per_second for gpu in machine.gpus}
    rates = rates or {machine.memory.bandwidth_bytes_per_second}
    return ", ".join(format_rate(rate) for rate in rates if rate)


def _facts(machine: Machine) -> list[tuple[str, str]]:
    cpu, memory = machine.cpu, machine.memory
    rows = [
        ("system", f"{machine.os} {machine.arch}"),
        ("cpu", f"{cpu.name}, {cpu.physical_cores} cores, {cpu.logical_cores} threads"),
        (
            "memory",
            f"{format_bytes(memory.total_bytes, binary=True)}, "
            f"{format_bytes(memory.available_bytes, binary=True)} available",
        ),
    ]
    rows += [("gpu", _gpu_text(gpu)) for gpu in machine.gpus] or [("gpu", "none found")]
    rows += [("by hand", text) for text in _by_hand(machine)]
    rows += [
        ("disk", f"{disk.path}, {format_bytes(disk.free_bytes)} free") for disk in machine.disks
    ]
    if machine.engine is not None:
        devices = ", ".join(device.name for device in machine.engine.devices)
        rows.append(("engine", f"{machine.engine.version}, devices: {devices}"))
    return rows


def _by_hand(machine: Machine) -> list[str]:
    """`nvidia-0.free_bytes = 6442450944 (found: 7623475200)`, for each value set by hand."""
    parts = [("memory", machine.memory.by_hand), ("cpu", machine.cpu.by_hand)]
    parts += [(gpu.id, gpu.by_hand) for gpu in machine.gpus]
    values = {part["id"]: part for part in machine.as_json()["gpus"]}
    values |= {"memory": machine.as_json()["memory"], "cpu": machine.as_json()["cpu"]}
    return [
        f"{part}.{field} = {values[part][field]} (found: {found})"
        for part, by_hand in parts
        for field, found in by_hand
        if field in fields_of(part)
    ]


def _gpu_text(gpu: Gpu) -> str:
    parts = [gpu.name]
    if gpu.total_bytes is not None:
        parts.append(format_bytes(gpu.total_bytes, binary=True))
    if gpu.free_bytes is not None:
        parts.append(f"{format_bytes(gpu.free_bytes, binary=True)} free")
    if gpu.reason is not None:
        parts.append(wording.sentence(gpu.reason))
    elif gpu.usable_by_engine:
        parts.append("used by the engine")
    return ", ".join(parts)
