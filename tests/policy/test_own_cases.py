"""License cases of our own making, each from a rule of the specification; none stands in its data.

The shape is that of `license --case`: repository, chain, GGUF keys, the beginning of a text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openshelf.policy.cases import evaluate_cases

PROFILES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "license_cases.json").read_text("utf-8")
)["profiles"]
US = {**PROFILES["us_product"], "redistributes": False, "distributes_product": False,
      "makes_derivatives": False, "distributes_derivatives": False}  # fmt: skip
HOBBY = PROFILES["hobby"]
HF = "https://huggingface.co"


def node(repo: str, license: Any = None, base: Any = None, **more: Any) -> dict[str, Any]:
    """`name`, `link` and `relation` go into the card, the rest beside it."""
    card = {
        "license": license,
        "base_model": base,
        "license_name": more.pop("name", None),
        "license_link": more.pop("link", None),
        "base_model_relation": more.pop("relation", None),
        "pipeline_tag": more.pop("task", None),
    }
    return {"id": repo, "cardData": {k: v for k, v in card.items() if v is not None}, **more}


def named(repo: str, name: str, base: Any = None, **more: Any) -> dict[str, Any]:
    return node(repo, "other", base, name=name, **more)


@dataclass(frozen=True)
class Case:
    """What is asked, of whom (facts and rules), and what has to come out.

    `flags` must all occur, `never` must not; `reasons` are pairs of license and code.
    """

    about: str
    repo: dict[str, Any]
    chain: tuple[dict[str, Any], ...] = ()
    facts: dict[str, Any] = field(default_factory=lambda: US)
    effective: tuple[str, ...] = ()
    verdict: str = "allowed"
    flags: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    obligations: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


LLAMA31 = node("meta-llama/Llama-3.1-8B", "llama3.1", gated="manual")
CASES = (
    Case("the text on the base beats its own label, both are kept",
         node("p/m-GGUF", "apache-2.0", "o/m"),
         (node("o/m", "apache-2.0", files=["LICENSE"]),),
         more={"license_text_head": "LLAMA 3.3 COMMUNITY LICENSE AGREEMENT\nLlama 3.3 Version"},
         effective=("apache-2.0", "llama3.3"), verdict="needs_review",
         flags=("custom_text_mismatch", "node_conflict"),
         reasons=(("resolver", "node_conflict"),)),
    Case("a link alone names the license",
         node("o/m", "other", link=f"{HF}/Qwen/Qwen2.5-72B-Instruct/blob/main/LICENSE"),
         effective=("qwen",)),
    Case("link and name of one card disagree",
         named("o/m", "gemma", link="https://www.llama.com/llama3_3/license"),
         effective=("gemma", "llama3.3"), verdict="needs_review", flags=("node_conflict",)),
    Case("a link into the repository itself says nothing",
         named("o/m", "gemma", link="LICENSE"), effective=("gemma",),
         verdict="allowed_with_obligations", never=("node_conflict",)),
    Case("a list in the header, joined with a comma",
         node("s/m-GGUF"), more={"gguf": {"general.license": "llama3.1,gemma"}},
         effective=("llama3.1", "gemma"), flags=("list_license",),
         verdict="allowed_with_obligations"),
    Case("the header is stricter than a packager's card",
         node("s/m-GGUF", "mit"), more={"gguf": {"general.license": "llama3"}},
         effective=("mit", "llama3"), flags=("label_conflict",),
         verdict="allowed_with_obligations"),
    Case("a base named by its address in the header",
         node("s/m-GGUF", "mit"), (LLAMA31,),
         more={"gguf": {"general.base_model.count": 1,
                        "general.base_model.0.repo_url": f"{HF}/meta-llama/Llama-3.1-8B/"}},
         effective=("mit", "llama3.1"), flags=("base_from_gguf", "label_conflict", "base_gated"),
         verdict="allowed_with_obligations"),
    Case("a base written as an address, in other letters",
         node("s/m-GGUF", "llama3.1", f"{HF}/Meta-Llama/LLAMA-3.1-8B"), (LLAMA31,),
         effective=("llama3.1",), never=("unresolved_base", "label_conflict"),
         verdict="allowed_with_obligations"),
    Case("one parent named twice is no merge of two",
         node("s/m-GGUF", "llama3.1", ["meta-llama/Llama-3.1-8B", "meta-llama/llama-3.1-8b"]),
         (LLAMA31,), effective=("llama3.1",), never=("list_license", "cycle"),
         verdict="allowed_with_obligations"),
    Case("a parent that nobody can read",
         node("s/m-GGUF", "mit", "gone/m"), (node("o/else", "mit", "o/x"),),
         effective=("mit",), flags=("unresolved_base",), verdict="needs_review",
         reasons=(("resolver", "unresolved_base"),)),
    Case("nine generations are one too many",
         node("a/m0", "mit", "a/m1"),
         (*(node(f"a/m{n}", "mit", f"a/m{n + 1}") for n in range(1, 9)),
          node("a/m9", "gemma")),
         effective=("mit",), flags=("unresolved_base",), verdict="needs_review"),
    Case("an adapter stands under the terms of what it adapts",
         node("x/lora", "apache-2.0", "Qwen/Qwen2.5-3B", relation="adapter"),
         (named("Qwen/Qwen2.5-3B", "qwen-research"),),
         effective=("apache-2.0", "qwen-research"), flags=("label_conflict",), verdict="blocked",
         reasons=(("qwen-research", "no_commercial_use"),)),
    Case("a merge stands under the terms of all parents",
         node("x/merge", "mit", ["meta-llama/Llama-3.1-8B", "mistralai/Mistral-Large-2407"],
              relation="merge"),
         (LLAMA31, named("mistralai/Mistral-Large-2407", "mrl")),
         effective=("mit", "llama3.1", "mrl"), flags=("label_conflict",), verdict="blocked",
         reasons=(("mrl", "no_commercial_use"),)),
    Case("Kimi's name on a fine-tune: the display line",
         named("x/tuned", "modified-mit", "moonshotai/Kimi-K2-Instruct", relation="finetune"),
         (named("moonshotai/Kimi-K2-Instruct", "modified-mit"),),
         {**US, "monthly_revenue_usd": 20_000_001},
         effective=("kimi-modified-mit",), flags=("alias_collision",),
         verdict="allowed_with_obligations", obligations=("display_badge",)),
    Case("the same name by Mistral: no rights, also for use inside",
         named("x/d-GGUF", "modified-mit", "mistralai/Devstral-2-123B-Instruct-2512"),
         (named("mistralai/Devstral-2-123B-Instruct-2512", "modified-mit"),),
         {**US, "monthly_revenue_usd": 20_000_001, "internal_only": True},
         effective=("mistral-modified-mit",), flags=("alias_collision",), verdict="blocked"),
    Case("exactly on Mistral's line nothing bites",
         named("mistralai/Devstral-2-123B-Instruct-2512", "modified-mit"), (),
         {**US, "monthly_revenue_usd": 20_000_000},
         effective=("mistral-modified-mit",), verdict="allowed"),
    Case("exactly on LFM's line a person looks",
         named("LiquidAI/LFM2-8B-A1B", "lfm1.0"), (), {**US, "annual_revenue_usd": 10_000_000},
         effective=("lfm1.0",), verdict="needs_review", reasons=(("lfm1.0", "on_the_line"),)),
    Case("LFM's line is for companies",
         named("LiquidAI/LFM2-8B-A1B", "lfm1.0"), (), {**HOBBY, "annual_revenue_usd": 10**9},
         effective=("lfm1.0",), verdict="allowed"),
    Case("Llama 3.2 Vision in the EU",
         node("s/v-GGUF", "llama3.2", "meta-llama/Llama-3.2-11B-Vision-Instruct"),
         (node("meta-llama/Llama-3.2-11B-Vision-Instruct", "llama3.2", task="image-text-to-text"),),
         {**US, "domicile": "DE"}, effective=("llama3.2",), verdict="blocked",
         reasons=(("llama3.2", "region_excluded"),)),
    Case("Llama 3.2 for text alone in the EU",
         node("s/t-GGUF", "llama3.2", "meta-llama/Llama-3.2-3B-Instruct"),
         (node("meta-llama/Llama-3.2-3B-Instruct", "llama3.2", task="text-generation"),),
         {**US, "domicile": "DE", "use_regions": ["DE"]}, effective=("llama3.2",),
         verdict="allowed_with_obligations"),
    Case("Llama 3.3 has the clause and nothing to bite on",
         node("meta-llama/Llama-3.3-70B-Instruct", "llama3.3"), (),
         {**US, "domicile": "FR", "use_regions": ["FR"]}, effective=("llama3.3",),
         verdict="allowed_with_obligations"),
    Case("Llama 4 for a person in the EU",
         node("s/Scout-GGUF", "llama4", "meta-llama/Llama-4-Scout-17B-16E-Instruct"),
         (node("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4"),),
         {**HOBBY, "domicile": "ES", "use_regions": ["ES"]}, effective=("llama4",),
         verdict="blocked", reasons=(("llama4", "region_excluded"),)),
    Case("the line of Llama is about the month before the release",
         node("meta-llama/Llama-3.3-70B-Instruct", "llama3.3"), (),
         {**US, "mau": 900_000_000, "mau_over_on_release": False}, effective=("llama3.3",),
         verdict="allowed_with_obligations"),
    Case("whether that line was passed is not known",
         node("meta-llama/Llama-3.3-70B-Instruct", "llama3.3"), (),
         {**US, "mau_over_on_release": None}, effective=("llama3.3",), verdict="needs_review",
         reasons=(("llama3.3", "fact_missing"),)),
    Case("GLM-5.3 above ten billion as a service",
         named("zai-org/GLM-5.3", "glm-5.3"), (),
         {**US, "annual_revenue_usd": 10**10 + 1, "hosts_service": True},
         effective=("glm-5.3",), verdict="needs_review",
         reasons=(("glm-5.3", "needs_review_by_licensor"),)),
    Case("outputs of Llama 3 train nothing else",
         node("meta-llama/Meta-Llama-3-8B", "llama3"), (), {**US, "trains_on_outputs": True},
         effective=("llama3",), verdict="blocked", reasons=(("llama3", "outputs_prohibited"),)),
    Case("outputs of Llama 3.1 may, under its name",
         LLAMA31, (), {**US, "trains_on_outputs": True, "distributes_derivatives": True},
         effective=("llama3.1",), verdict="allowed_with_obligations",
         obligations=("name_prefix:Llama", "display_badge")),
    Case("a packager's home is not a vendor's",
         node("packager/m-GGUF", "apache-2.0", "ibm-granite/granite-4.0", region="CN"),
         (node("ibm-granite/granite-4.0", "apache-2.0", region="US"),),
         {**US, "deny_vendor_regions": ["CN"]}, effective=("apache-2.0",), verdict="allowed"),
    Case("a vendor above the packager is",
         node("packager/m-GGUF", "apache-2.0", "lab/tuned", region="US"),
         (node("lab/tuned", "apache-2.0", "Qwen/Qwen3-8B", relation="finetune", region="US"),
          node("Qwen/Qwen3-8B", "apache-2.0")),
         {**US, "deny_vendor_regions": ["CN"]}, effective=("apache-2.0",), verdict="blocked",
         reasons=(("policy", "policy.deny_vendor_regions"),)),
    Case("an SPDX id is as good as ours in a list",
         node("o/m", "apache-2.0"), (), {**US, "allow_only": ["Apache-2.0"]},
         effective=("apache-2.0",), verdict="allowed"),
    Case("Llama is not open source by OSI",
         LLAMA31, (), {**US, "require_osi": True}, effective=("llama3.1",), verdict="blocked",
         reasons=(("llama3.1", "policy.require_osi"),)),
    Case("a team that wants to see the text",
         node("o/m", "mit"), (), {**US, "require_license_text": True}, effective=("mit",),
         verdict="needs_review", reasons=(("mit", "policy.require_license_text"),)),
    Case("a team that wants clean labels",
         node("p/m-GGUF", None, "o/m"), (node("o/m", "mit"),), {**US, "strict_labels": True},
         effective=("mit",), flags=("missing_license_inherited",), verdict="needs_review",
         reasons=(("policy", "policy.strict_labels"),)),
    Case("without that a silent packager changes nothing",
         node("p/m-GGUF", None, "o/m"), (node("o/m", "mit"),),
         effective=("mit",), flags=("missing_license_inherited",), verdict="allowed"),
    Case("a distill whose card names no base",
         node("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "mit"), (LLAMA31,),
         effective=("mit", "llama3.1"), flags=("lineage_override", "label_conflict"),
         verdict="allowed_with_obligations"),
    Case("the two fields of a card name two licenses",
         node("ai21labs/AI21-Jamba-Reasoning-3B", "apache-2.0", name="jamba-open-model-license"),
         effective=("apache-2.0", "jamba-open-model"), flags=("node_conflict",),
         verdict="needs_review"),
    Case("EXAONE by its text",
         named("x/e", "exaone", files=["LICENSE"]), (), HOBBY,
         more={"license_text_head": "EXAONE AI Model License Agreement 1.2 - NC"},
         effective=("exaone-1.2-nc",), verdict="allowed_with_obligations"),
    Case("other licenses than were accepted",
         named("nvidia/N", "nvidia-nemotron-open-model-license"), (),
         more={"earlier_acceptance": {"license": ["nvidia-open-model", "mit"]}},
         effective=("nvidia-nemotron",), flags=("license_changed",), verdict="needs_review"),
    Case("a name in the name is only a question",
         node("x/SuperLlama-8B", "apache-2.0"), effective=("apache-2.0",), flags=("name_hint",),
         verdict="allowed"),
    Case("the usage policy of gpt-oss comes along through a fine-tune",
         node("x/gpt-tuned-GGUF", "apache-2.0", "x/gpt-tuned"),
         (node("x/gpt-tuned", "apache-2.0", "openai/gpt-oss-20b", relation="finetune"),
          node("openai/gpt-oss-20b", "apache-2.0")),
         effective=("apache-2.0", "gpt-oss-usage-policy"), flags=("overlay_policy",),
         verdict="allowed_with_obligations"),
    Case("a missing fact that decides only about duties stops nobody",
         node("o/m", "mit"), (), {**US, "redistributes": None}, effective=("mit",),
         verdict="allowed_with_obligations"),
    Case("what is declared as other without a name",
         node("someone/m", "other"), effective=("unknown",), verdict="needs_review",
         reasons=(("unknown", "unknown_license"),)),
    Case("a packager's own restriction is disputed",
         node("p/m-GGUF", "cc-by-nc-4.0", "o/m"), (node("o/m", "apache-2.0"),), HOBBY,
         effective=("cc-by-nc-4.0", "apache-2.0"), flags=("over_restrictive_label",),
         verdict="needs_review", reasons=(("resolver", "over_restrictive_label"),)),
    Case("an author may restrict his own fine-tune",
         node("lab/tuned", "cc-by-nc-4.0", "o/m", relation="finetune"),
         (node("o/m", "apache-2.0"),), effective=("cc-by-nc-4.0", "apache-2.0"),
         never=("over_restrictive_label", "label_conflict"), verdict="blocked",
         reasons=(("cc-by-nc-4.0", "no_commercial_use"),)),
    Case("a silent author between two that speak grants nothing",
         node("p/m-GGUF", "mit", "lab/tuned"),
         (node("lab/tuned", None, "o/m", relation="finetune"), node("o/m", "mit")),
         effective=("mit", "none"), verdict="needs_review"),
    Case("two names both want to come first",
         node("x/mix", "mit", ["meta-llama/Llama-3.1-8B", "naver-hyperclovax/HyperCLOVAX-SEED"],
              relation="merge"),
         (LLAMA31, named("naver-hyperclovax/HyperCLOVAX-SEED", "hyperclovax-seed")), HOBBY,
         effective=("mit", "llama3.1", "hyperclovax-seed"), flags=("name_rule_conflict",),
         verdict="needs_review"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.about for case in CASES])
def test_own_case(case: Case) -> None:
    asked = {"id": "O", "repo": case.repo, "chain": list(case.chain), "profiles": ["p"]}
    data = {"profiles": {"p": case.facts}, "cases": [{**asked, **case.more}]}
    (answer,) = evaluate_cases(data)["cases"]
    given = [(reason["license"], reason["code"]) for reason in answer["reasons"]]
    said = (answer["verdict"], answer["flags"], given)
    assert set(answer["effective"]) == set(case.effective), said
    assert answer["verdict"] == case.verdict, said
    assert set(case.flags) <= set(answer["flags"]), said
    assert not set(case.never) & set(answer["flags"]), said
    assert set(case.reasons) <= set(given), said
    assert set(case.obligations) <= set(answer["obligations"]), said


def test_they_are_many() -> None:
    assert len(CASES) >= 40
