"""`openshelf recipe ID [--for vllm]`: how to start a model on a larger machine."""

from __future__ import annotations

import argparse
from typing import Any

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import context_length, positive
from openshelf.engine.launch import LaunchEngine, LaunchNeeds, LaunchRecipe
from openshelf.errors import NotFound
from openshelf.fit.memory import FitRequest
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.shelf.builds import Build, ModelListing
from openshelf.shelf.launching import GPU_BYTES, LaunchQuestion, check_launch, recipes
from openshelf.units import format_bytes

_USUAL_QUANT = "Q4_K_M"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="an installed id, a model's name, or OWNER/REPO[:QUANT]"
    )
    parser.add_argument(
        "--for", dest="engine", type=str.casefold, metavar="PROGRAM",
        choices=tuple(engine.value for engine in LaunchEngine),
        help=", ".join(LaunchEngine),
    )  # fmt: skip
    parser.add_argument("--context", type=context_length, default=8192, metavar="N", help="tokens")
    parser.add_argument(
        "--kv-type",
        choices=("f16", "q8_0", "q4_0"),
        default="f16",
        help="precision of the context memory (f16)",
    )
    parser.add_argument("--gpus", type=positive, metavar="N", help="GPUs of that machine")
    parser.add_argument(
        "--gpu-memory", type=positive, default=GPU_BYTES // 10**9, metavar="GB",
        help=f"memory of each ({GPU_BYTES // 10**9})",
    )  # fmt: skip


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    listing, build = _find(arguments.id, services, output, interrupts)
    decision = check_launch(services.gate, listing, build)
    request = FitRequest(
        context_length=arguments.context,
        kv_type_k=arguments.kv_type,
        kv_type_v=arguments.kv_type,
    )
    question = LaunchQuestion(request, arguments.gpus, arguments.gpu_memory * 10**9)
    wanted = (LaunchEngine(arguments.engine),) if arguments.engine else tuple(LaunchEngine)
    found = recipes(listing, build, question, wanted)
    output.result(
        {
            "target": build.target,
            "model": listing.name,
            "context_length": arguments.context,
            "kv_type": arguments.kv_type,
            "verdict": decision.verdict.value if decision else None,
            "reasons": [reason.as_json() for reason in decision.reasons] if decision else [],
            "recipes": [_as_json(recipe) for recipe in found],
        }
    )
    if decision is not None:
        output.line(f"# license: {decision.license.expression}")
        output.line(f"# {wording.template(f'verdict_short_{decision.verdict.value}')}")
        output.line()
    for recipe in found:
        _print(recipe, output)
    return 0


def _find(
    text: str, services: Services, output: Output, interrupts: Interrupts
) -> tuple[ModelListing, Build]:
    """The build that is meant: an installed one's, the one that is named, the usual one, else the
    largest."""
    target = text
    try:
        model = services.library.find(text)
    except NotFound:
        pass
    else:
        target = f"{model.repo}:{model.quant}" if model.quant else model.repo
    listing = services.models.listing(target, interrupts.token, output.report)
    if not listing.builds:
        raise NotFound("variant", target)
    named = [build for build in listing.builds if target in (build.target, build.repo)]
    _, colon, quant = target.rpartition(":")
    same = [
        build
        for build in named or listing.builds
        if not colon or (build.quant or "").casefold() == quant.casefold()
    ]
    fitting = same or named or list(listing.builds)
    usual = (build for build in fitting if build.quant == _USUAL_QUANT)
    return listing, next(usual, fitting[0])


def _print(recipe: LaunchRecipe, output: Output) -> None:
    output.line(f"# {wording.template(f'launch_name_{recipe.engine}')}")
    if recipe.needs is not None and recipe.commands:
        output.line(f"# {needs_words(recipe.needs)}")
    for note in recipe.notes:
        output.line(f"# {wording.sentence(note)}")
    for line in recipe.lines:
        output.line(line)
    if recipe.commands:
        key = "--no-key" if Reason("launch_no_key") in recipe.notes else "--key"
        output.line(f"# then here: openshelf servers add NAME {recipe.address} {key}")
    output.line()


def needs_words(needs: LaunchNeeds) -> str:
    each = format_bytes(needs.each_gpu_bytes)
    gpus = f"{needs.gpus} GPUs with {each} each" if needs.gpus > 1 else f"a GPU with {each}"
    return f"needs {gpus}, and {format_bytes(needs.ram_bytes)} of RAM (by our own fit)"


def _as_json(recipe: LaunchRecipe) -> dict[str, Any]:
    needs = recipe.needs if recipe.commands else None
    return {
        "for": recipe.engine.value,
        "commands": list(recipe.lines),
        "address": recipe.address if recipe.commands else None,
        "needs": None
        if needs is None
        else {
            "gpus": needs.gpus,
            "gpu_bytes": needs.gpu_bytes,
            "each_gpu_bytes": needs.each_gpu_bytes,
            "ram_bytes": needs.ram_bytes,
        },
        "notes": [{**note.as_json(), "message": wording.sentence(note)} for note in recipe.notes],
    }
