"""`openshelf fit TARGET`: memory and speed of one model on a machine."""

from __future__ import annotations

import argparse
import time

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.machines import add_setup_arguments, chosen_machine
from openshelf.cli.output import Output
from openshelf.cli.values import count, gpu_layers, positive, shares
from openshelf.errors import DoesNotFit
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit
from openshelf.library.fitting import TargetQuestion
from openshelf.services import Services
from openshelf.units import format_bytes, format_tokens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="file, OWNER/REPO[:QUANT] or installed id")
    add_setup_arguments(parser)
    parser.add_argument(
        "--batch",
        type=positive,
        default=2048,
        metavar="N",
        help="tokens of a prompt at once (2048)",
    )
    parser.add_argument(
        "--ubatch", type=positive, default=512, metavar="N", help="tokens in one step (512)"
    )
    parser.add_argument(
        "--gpu-layers", type=gpu_layers, default=None, metavar="N|auto", help="layers on the GPU"
    )
    parser.add_argument(
        "--flash-attention",
        choices=("auto", "on", "off"),
        default="auto",
        help="auto is the default",
    )
    parser.add_argument(
        "--tensor-split", type=shares, default=(), metavar="A,B", help="shares of several GPUs"
    )
    parser.add_argument(
        "--experts-on-cpu",
        type=count,
        default=0,
        metavar="N",
        help="layers whose experts stay in RAM",
    )
    parser.add_argument(
        "--text-only", action="store_true", help="leave the projector for pictures or sound out"
    )
    parser.add_argument(
        "--method",
        choices=("auto", "estimate", "dry-run"),
        default="auto",
        help="dry-run asks the engine, without loading the model",
    )
    parser.add_argument(
        "--file-bytes", type=positive, metavar="N", help="whole size, where only a header is given"
    )
    parser.add_argument("--enforce", action="store_true", help="exit 6 where it does not fit")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    request = FitRequest(
        context_length=arguments.context,
        kv_type_k=arguments.kv_type,
        kv_type_v=arguments.kv_type,
        batch=arguments.batch,
        ubatch=arguments.ubatch,
        flash_attention=arguments.flash_attention,
        gpu_layers=arguments.gpu_layers,
        tensor_split=arguments.tensor_split,
        experts_on_cpu=arguments.experts_on_cpu,
        text_only=arguments.text_only,
    )
    machine = chosen_machine(arguments.machine, services, interrupts.token)
    started = time.monotonic()
    question = TargetQuestion(arguments.target, request, arguments.file_bytes)
    is_dry_run = arguments.method == "dry-run"
    ask = services.dry_run_target if is_dry_run else services.fit_target
    found = ask(question, machine, interrupts.token)
    fit, elapsed = found.fit, round(time.monotonic() - started, 6)
    answer = fit.as_json(
        arguments.target, elapsed_seconds=elapsed, bytes_fetched=found.bytes_fetched
    )
    knows = services.architectures.current().knows(fit.architecture)
    output.result({**answer, "engine_supports": knows})
    _print(fit, output)
    if arguments.enforce and not fit.verdict.fits:
        return DoesNotFit.exit_code
    return 0


def _print(fit: Fit, output: Output) -> None:
    output.line(f"{fit.architecture}, {format_tokens(fit.context_length_used)} context")
    output.table(
        ("DEVICE", "WEIGHTS", "CONTEXT MEMORY", "WORK BUFFERS", "OTHER", "TOTAL"),
        [
            (
                device.device,
                format_bytes(device.weights_bytes, binary=True),
                format_bytes(device.kv_cache_bytes, binary=True),
                format_bytes(device.compute_buffer_bytes, binary=True),
                format_bytes(device.projector_bytes + device.overhead_bytes, binary=True),
                format_bytes(device.total_bytes, binary=True),
            )
            for device in fit.devices
        ],
    )
    for pool in fit.pools:
        output.line(
            f"{pool.id}: {format_bytes(pool.needed_bytes, binary=True)} of "
            f"{format_bytes(pool.budget_bytes, binary=True)} that can be used now"
        )
    output.line(f"verdict: {wording.template(f'fit_short_{fit.verdict.value}')}")
    for reason in (*fit.reasons, *fit.remedies):
        output.line(f"  {wording.sentence(reason)}")
    if fit.speed is not None:
        decode = fit.speed.decode
        output.line(f"speed: {decode.low:.1f} to {decode.high:.1f} tokens/s ({fit.speed.basis})")
