"""Offers whose license is really resolved and judged, from what the Hub says of four models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openshelf.hub.entries import DownloadFile
from openshelf.library.install import InstallOffer
from openshelf.licenses.claims import RepoClaims, RepoText
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import resolve
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.services import Services
from tests.fakes.downloads import FakeInstaller
from tests.fakes.example_data import COMMIT, SHA256, example_offer
from tests.fakes.services import FakeRecords

HUB = "https://huggingface.co"
SMALL_COMPANY = Organization(
    name="Example GmbH", domicile="DE", use_regions=("DE", "FR"), commercial=True,
    internal_only=False, mau=50_000, mau_over_on_release=False, annual_revenue_usd=4_000_000,
    monthly_revenue_usd=330_000, redistributes=False, distributes_product=False,
    makes_derivatives=False, distributes_derivatives=False, hosts_service=False,
    ai_work_assistant=False, trains_on_outputs=False, competes_with_licensor=False,
)  # fmt: skip
LARGE_COMPANY = replace(
    SMALL_COMPANY, name="Example Corp", domicile="US", use_regions=("US",), mau=150_000_000,
    annual_revenue_usd=900_000_000, monthly_revenue_usd=75_000_000, distributes_product=True,
)  # fmt: skip


def company_policy(organization: Organization, **rules: Any) -> Policy:
    return Policy(
        organization, Rules(**rules), "House rules", "/home/ada/policy.toml", sha256="f" * 64
    )


def _repo(repo: str, card: dict[str, Any], **more: Any) -> RepoClaims:
    return RepoClaims(id=repo, commit=COMMIT, card=card, **more)


LLAMA_4 = (
    _repo(
        "unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF",
        {
            "license": "other",
            "license_name": "llama4",
            "base_model": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
            "base_model_relation": "quantized",
        },
    ),
    _repo(
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        {"license": "other", "license_name": "llama4", "pipeline_tag": "image-text-to-text"},
        gated=True, region="US", multimodal=True,
        other_texts=(
            RepoText("use_policy", "USE_POLICY.md", "Llama 4 Acceptable Use Policy\n" * 20),
            RepoText("notice", "NOTICE", "Portions of this model © somebody else\n"),
        ),
    ),
)  # fmt: skip
QWEN_3B = (
    _repo(
        "bartowski/Qwen2.5-3B-Instruct-GGUF",
        {
            "license": "apache-2.0",
            "base_model": "Qwen/Qwen2.5-3B-Instruct",
            "base_model_relation": "quantized",
        },
    ),
    _repo(
        "Qwen/Qwen2.5-3B-Instruct",
        {
            "license": "other",
            "license_name": "qwen-research",
            "license_link": "https://huggingface.co/Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE",
        },
        region="CN",
    ),
)
KIMI = (
    _repo(
        "unsloth/Kimi-K2-Instruct-GGUF",
        {
            "license": "other",
            "license_name": "modified-mit",
            "base_model": "moonshotai/Kimi-K2-Instruct",
            "base_model_relation": "quantized",
        },
    ),
    _repo(
        "moonshotai/Kimi-K2-Instruct",
        {"license": "other", "license_name": "modified-mit"},
        region="CN",
    ),
)
UNLABELLED = (_repo("someone/great-model-GGUF", {}),)


def real_offer(
    chain: tuple[RepoClaims, ...], policy: Policy, quant: str = "Q4_K_M", **changes: Any
) -> InstallOffer:
    """The offer of the first repository of a chain, judged under a policy."""
    known = {claims.id: claims for claims in chain}
    gate = Gate(load_licenses(), policy, FakeRecords())
    decision = gate.decide(resolve(chain[0], known.get))
    repo = chain[0].id
    owner, _, name = repo.partition("/")
    model = name.removesuffix("-GGUF")
    file = DownloadFile(repo, COMMIT, f"{model}-{quant}.gguf", 8_400_000_000, SHA256)
    offer = replace(
        example_offer(), target=f"{repo}:{quant}", model_name=model, quant=quant, packager=owner,
        publisher=chain[-1].id.partition("/")[0] if len(chain) > 1 else "", repo=repo,
        files=(file,), decision=decision, left_bytes=file.size_bytes, page_url=f"{HUB}/{repo}",
    )  # fmt: skip
    return replace(offer, **changes)


def with_offer(services: Services, offer: InstallOffer, policy: Policy) -> Services:
    """Services that offer this, under this policy."""
    gate = Gate(load_licenses(), policy, FakeRecords())
    return replace(services, installer=FakeInstaller(offer), gate=gate)
