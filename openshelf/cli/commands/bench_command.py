"""`openshelf bench ID`: prompt and generation speed of an installed model, as llama-bench does."""

from __future__ import annotations

import argparse
from typing import Any

from openshelf.chat.benching import BenchQuestion, BenchReport, MeasuredSpeed
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import context_length, positive
from openshelf.services import Services
from openshelf.units import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = BenchQuestion()
    parser.add_argument("id", metavar="ID", help="an installed id, or an unambiguous part of it")
    parser.add_argument("--context", type=context_length, metavar="N", help="tokens")
    for name, default, what in (
        ("prompt", usual.prompt_tokens, "tokens read at once"),
        ("tokens", usual.answer_tokens, "tokens one by one"),
        ("repetitions", usual.repetitions, "how often"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, metavar="N", default=default, help=f"{what} ({default})"
        )


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    model = services.library.find(arguments.id)
    question = BenchQuestion(arguments.prompt, arguments.tokens, arguments.repetitions)
    report = services.bench(model.id, question, interrupts.token, output.report)
    output.result(_as_json(report, question))
    output.line(f"model          {report.model_id}")
    output.line(f"engine         {report.loaded.engine_version}")
    output.line(f"where          {_place(report)}")
    for name, speed in (("prompt", report.prompt), ("generation", report.answer)):
        output.line(
            f"{name:14} {speed.mean_per_second:.1f} ± {speed.deviation_per_second:.1f} tokens/s "
            f"({speed.tokens} tokens, {len(speed.each_per_second)} times)"
        )
    return 0


def _place(report: BenchReport) -> str:
    layers, threads = report.loaded.n_gpu_layers, report.plan.n_threads
    cpu = f"CPU, {counted(threads, 'thread')}" if threads else "CPU"
    return f"{layers} layers on GPU, {cpu}" if layers else cpu


def _as_json(report: BenchReport, question: BenchQuestion) -> dict[str, Any]:
    kept = report.kept
    return {
        "id": report.model_id,
        "engine": report.loaded.engine_version,
        "placement": report.placement,
        "n_gpu_layers": report.loaded.n_gpu_layers,
        "n_threads": report.plan.n_threads,
        "context_length": report.loaded.context_length,
        "load_seconds": report.loaded.seconds,
        "repetitions": question.repetitions,
        "prompt": _speed_json(report.prompt),
        "generation": _speed_json(report.answer),
        "learned": None
        if kept is None
        else {
            "device": kept.device,
            "kind": kept.kind,
            "bytes_per_second": kept.bytes_per_second,
            "operations_per_second": kept.operations_per_second,
        },
    }


def _speed_json(speed: MeasuredSpeed) -> dict[str, Any]:
    return {
        "tokens": speed.tokens,
        "tokens_per_second": speed.mean_per_second,
        "deviation": speed.deviation_per_second,
        "each": list(speed.each_per_second),
    }
