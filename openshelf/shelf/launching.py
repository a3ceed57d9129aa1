"""Launch recipes for a build that does not fit here: its facts, and what each program needs by our
own fit, on as many GPUs as that takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.quants import expected_file_bytes
from openshelf.engine.launch import (
    LaunchEngine,
    LaunchFacts,
    LaunchNeeds,
    LaunchRecipe,
    recipe_for,
)
from openshelf.errors import UnsafeName
from openshelf.fit.expected import shape_of_sibling
from openshelf.fit.memory import FitRequest, ModelShape
from openshelf.fit.verdict import fit_on
from openshelf.hardware.facts import Cpu, Gpu, GpuKind, Machine, Memory
from openshelf.hub.names import check_path, is_repo_id
from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.lineage import resolve
from openshelf.policy.gate import Gate
from openshelf.policy.servers import has_license_rules
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.builds import Build, ModelListing

GPU_BYTES = 80 * 10**9
"""Of one GPU of a server, where nobody said otherwise."""
_MOST_GPUS = 16
_ROOM = 0.9
"""Of a GPU's memory that a model may take: vLLM's and SGLang's own default."""
_BYTES_OF_BF16 = 2
_FROM_ORIGINAL = (LaunchEngine.VLLM, LaunchEngine.SGLANG)


@dataclass(frozen=True)
class LaunchQuestion:
    """`gpus` None finds the fewest (1, 2, 4, 8, 16) that hold it."""

    request: FitRequest
    gpus: int | None = None
    gpu_bytes: int = GPU_BYTES


def check_launch(gate: Gate, listing: ModelListing, build: Build) -> Decision | None:
    """A recipe puts nothing on this disk, but it is no way around the team's rules either.

    None where nothing is known of the license and no rule asks. Raises PolicyBlocked, NeedsReview.
    """
    decision = listing.decision
    if decision is None:
        if not has_license_rules(gate.policy.rules):
            return None
        unread = RepoClaims(id=build.repo, is_card_read=False)
        decision = gate.decide(resolve(unread, lambda _: None))
    return gate.check(decision, target=build.target)


def recipes(
    listing: ModelListing,
    build: Build,
    question: LaunchQuestion,
    engines: Iterable[LaunchEngine] = tuple(LaunchEngine),
) -> tuple[LaunchRecipe, ...]:
    """One per program, in its order; one that cannot run the model says why.

    Raises UsageError for a KV type or a length that nothing can be reckoned with.
    """
    facts = _facts(listing.model, build, question.request)
    if facts is None:
        return tuple(
            LaunchRecipe(engine, notes=(Reason("launch_unknown_names"),)) for engine in engines
        )
    return tuple(
        recipe_for(engine, facts, _needs(engine, listing.model, build, question))
        for engine in engines
    )


def _facts(model: CatalogModel | None, build: Build, request: FitRequest) -> LaunchFacts | None:
    """None where a name holds what no command should hold."""
    original = model.hub_repo if model is not None else ""
    names = [build.repo, *([original] if original else [])]
    if not all(is_repo_id(name) and not name.startswith("-") for name in names):
        return None
    if not all(_is_plain(path) for path in build.files):
        return None
    if build.commit and not (len(build.commit) == 40 and build.commit.isalnum()):
        return None
    quant = build.quant
    if quant is not None and not quant.replace("_", "").replace("-", "").isalnum():
        quant = None
    shape = build.shape
    return LaunchFacts(
        repo=build.repo,
        commit=build.commit,
        files=build.files,
        quant=quant,
        original=original,
        architecture=shape.architecture if shape is not None else "",
        n_experts=shape.n_expert if shape is not None else 0,
        context_length=request.context_length,
        kv_type=request.kv_type_k,
        bits=build.bits_per_weight,
    )


def _is_plain(path: str) -> bool:
    try:
        check_path(path)
    except UnsafeName:
        return False
    return path.isprintable() and not path.startswith("-")


def _needs(
    engine: LaunchEngine, model: CatalogModel | None, build: Build, question: LaunchQuestion
) -> LaunchNeeds | None:
    """None where the shape is not known."""
    shape = build.shape
    if shape is None:
        return None
    if engine in _FROM_ORIGINAL or engine is LaunchEngine.KTRANSFORMERS:
        size = _original_bytes(model)
        if size is None:
            return None
        quant = model.native_quant if model is not None else None
        shape = shape_of_sibling(shape, size, quant or "BF16")
    if engine in (LaunchEngine.KTRANSFORMERS, LaunchEngine.MLX):
        # Their recipes leave the context memory as it is.
        plain = replace(question.request, kv_type_k="f16", kv_type_v="f16")
        question = replace(question, request=plain)
    if engine is LaunchEngine.KTRANSFORMERS:
        return _split(shape, question)
    if engine is LaunchEngine.MLX:
        return _on(shape, question, 1)
    for gpus in (question.gpus,) if question.gpus else _counts(shape):
        needs = _on(shape, question, gpus)
        if needs.each_gpu_bytes <= question.gpu_bytes * _ROOM:
            break
    return needs


def _counts(shape: ModelShape) -> tuple[int, ...]:
    """Numbers of GPUs among which the attention heads can be dealt out."""
    counts = [1]
    while counts[-1] < _MOST_GPUS and shape.n_head % (counts[-1] * 2) == 0:
        counts.append(counts[-1] * 2)
    return tuple(counts)


def _on(shape: ModelShape, question: LaunchQuestion, gpus: int) -> LaunchNeeds:
    fit = fit_on(shape, _large_machine(gpus), question.request, is_brief=True)
    taken = [device.total_bytes for device in fit.devices if device.kind == "gpu"]
    ram = sum(device.total_bytes for device in fit.devices if device.kind != "gpu")
    return LaunchNeeds(gpus, sum(taken), max(taken, default=0), ram)


def _split(shape: ModelShape, question: LaunchQuestion) -> LaunchNeeds:
    """All experts in RAM, the rest on GPUs."""
    whole = _on(shape, question, question.gpus or 1)
    experts = sum(shape.expert_bytes)
    each = max(0, whole.each_gpu_bytes - experts // whole.gpus)
    return LaunchNeeds(whole.gpus, whole.gpu_bytes - experts, each, experts + whole.ram_bytes)


def _original_bytes(model: CatalogModel | None) -> int | None:
    """The weights as the publisher released them."""
    if model is None:
        return None
    if model.native_quant is not None:
        return expected_file_bytes(model, model.native_quant)
    weights = model.weights_count or model.parameters
    return weights * _BYTES_OF_BF16 if weights else None


def _large_machine(gpus: int) -> Machine:
    """One on which everything fits, so that the fit tells what it takes there."""
    room = 1 << 50
    return Machine(
        os="linux",
        arch="x86_64",
        cpu=Cpu("", 64, 128),
        memory=Memory(room, room),
        gpus=tuple(
            Gpu(f"gpu:{number}", "", "nvidia", GpuKind.DISCRETE, room, room, usable_by_engine=True)
            for number in range(gpus)
        ),
        name="large",
    )
