"""The license of a catalog entry, worked out along its lineage without the Hub."""

from __future__ import annotations

import pytest

from openshelf.catalog.entries import Catalog
from openshelf.catalog.loader import load_catalog
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.verdict import Decision
from openshelf.shelf.decisions import CatalogDecisions, commercial_use


class NoRecords:
    def find_acceptance(self, repo, commit, files, flag="") -> None:
        return None

    def same_terms(self, *_):
        return ()

    def waivers(self):
        return ()


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def decide(catalog: Catalog, repo: str, policy: Policy | None = None) -> Decision:
    gate = Gate(load_licenses(), policy or Policy(), NoRecords())
    found = catalog.find_model(repo)
    assert found is not None
    return CatalogDecisions(catalog, gate).decide(found[1], repo)


@pytest.mark.parametrize(
    ("repo", "effective"),
    [
        ("Qwen/Qwen3-8B-GGUF", {"apache-2.0"}),
        ("unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF", {"mit", "apache-2.0"}),
        ("unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF", {"mit", "llama3.1"}),
        ("unsloth/DeepSeek-R1-Distill-Llama-70B-GGUF", {"mit", "llama3.3"}),
        ("unsloth/DeepSeek-R1-0528-Qwen3-8B-GGUF", {"mit", "apache-2.0"}),
        ("unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF", {"llama4"}),
        ("Qwen/Qwen2.5-3B-Instruct-GGUF", {"qwen-research"}),
        ("bartowski/open-r1_OlympicCoder-7B-GGUF", {"apache-2.0"}),
        ("LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct-GGUF", {"exaone-1.1-nc"}),
        ("LGAI-EXAONE/EXAONE-4.0-32B-GGUF", {"exaone-1.2-nc"}),
        ("CohereLabs/tiny-aya-global-GGUF", {"cohere-cc-by-nc"}),
        ("unsloth/Kimi-K2-Instruct-0905-GGUF", {"kimi-modified-mit"}),
        ("unsloth/MiniMax-M2.7-GGUF", {"minimax-m2.7-nc"}),
        ("ggml-org/gpt-oss-20b-GGUF", {"apache-2.0", "gpt-oss-usage-policy"}),
        (
            "unsloth/Llama-3_3-Nemotron-Super-49B-v1_5-GGUF",
            {"nvidia-open-model", "llama3.3"},
        ),
    ],
)
def test_terms_of_the_base_come_along(catalog: Catalog, repo: str, effective: set[str]) -> None:
    decision = decide(catalog, repo)
    assert set(decision.license.effective) == effective
    assert "unresolved_base" not in decision.license.flags


def test_no_model_of_the_shelf_hangs_in_the_air(catalog: Catalog) -> None:
    decisions = CatalogDecisions(catalog, Gate(load_licenses(), Policy(), NoRecords()))
    for family in catalog.families:
        for model in family.models:
            for repo in (*model.gguf_repos, model.hub_repo):
                flags = decisions.decide(model, repo).license.flags
                assert not {"unresolved_base", "cycle", "no_license_on_chain"} & set(flags), repo


def test_research_only_depends_on_what_it_is_for(catalog: Catalog) -> None:
    repo = "Qwen/Qwen2.5-3B-Instruct-GGUF"
    open_question = decide(catalog, repo)
    assert open_question.verdict is Verdict.NEEDS_REVIEW
    assert "commercial" in open_question.facts_missing
    company = Policy(organization=Organization(commercial=True))
    assert decide(catalog, repo, company).verdict is Verdict.BLOCKED
    hobby = Policy(organization=Organization(commercial=False))
    assert decide(catalog, repo, hobby).verdict is Verdict.ALLOWED_WITH_OBLIGATIONS


@pytest.mark.parametrize("region", ["US", "FR", "EU"])
def test_each_home_of_a_maker_counts(catalog: Catalog, region: str) -> None:
    repo = "HuggingFaceTB/SmolLM3-3B"
    policy = Policy(rules=Rules(deny_vendor_regions=(region,)))
    assert decide(catalog, repo, policy).verdict is Verdict.BLOCKED
    assert decide(catalog, repo).license.vendor_regions == ("US", "FR")


def test_every_license_of_the_shelf_is_known(catalog: Catalog) -> None:
    decisions = CatalogDecisions(catalog, Gate(load_licenses(), Policy(), NoRecords()))
    for family in catalog.families:
        for model in family.models:
            for repo in (*model.gguf_repos, model.hub_repo):
                effective = decisions.decide(model, repo).license.effective
                assert "unknown" not in effective, repo


@pytest.mark.parametrize(("domicile", "verdict"), [("DE", "blocked"), ("US", "allowed")])
def test_llama_4_is_multimodal_also_as_a_text_file(
    catalog: Catalog, domicile: str, verdict: str
) -> None:
    organization = Organization(
        domicile=domicile, use_regions=(domicile,), commercial=True, mau=1000,
        mau_over_on_release=False, annual_revenue_usd=1000, monthly_revenue_usd=100,
        redistributes=False, distributes_product=False, makes_derivatives=False,
        distributes_derivatives=False, hosts_service=False, ai_work_assistant=False,
        internal_only=True, trains_on_outputs=False,
    )  # fmt: skip
    policy = Policy(organization=organization, sha256="0" * 64)
    decision = decide(catalog, "unsloth/Llama-4-Scout-17B-16E-Instruct-GGUF", policy)
    assert decision.verdict.value.startswith(verdict)


@pytest.mark.parametrize(
    ("repo", "use"),
    [
        ("Qwen/Qwen3-8B-GGUF", "yes"),
        ("unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF", "conditional"),
        ("Qwen/Qwen2.5-3B-Instruct-GGUF", "no"),
    ],
)
def test_commercial_use_is_the_worst_along_the_lineage(
    catalog: Catalog, repo: str, use: str
) -> None:
    assert commercial_use(decide(catalog, repo), load_licenses()) == use


def test_a_card_that_nobody_read_declares_nothing(catalog: Catalog) -> None:
    lineage = decide(catalog, "bartowski/Llama-3.2-3B-Instruct-GGUF").license.lineage
    assert [node.license for node in lineage] == ["unknown", "llama3.2"]
