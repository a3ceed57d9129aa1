"""Along the lineage: what applies, and a flag for every fault of the chain."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.errors import CorruptSettings
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import (
    EffectiveLicense,
    RepoClaims,
    effective_from_json,
    mark_changed,
    resolve,
)
from openshelf.licenses.texts import texts_for
from openshelf.paths import apache_license_text

QUANTIZED = "quantized"


def node(id_: str, license_: Any = None, base: Any = None, **more: Any) -> RepoClaims:
    card: dict[str, Any] = {}
    if license_ is not None:
        card["license"] = license_
    if base is not None:
        card["base_model"] = base
    if relation := more.pop("relation", None):
        card["base_model_relation"] = relation
    return RepoClaims(id_, card=card, **more)


def resolved(target: RepoClaims, *chain: RepoClaims) -> EffectiveLicense:
    known = {entry.id.casefold(): entry for entry in chain}
    return resolve(target, lambda repo: known.get(repo.casefold()))


def test_one_node() -> None:
    found = resolved(node("a/b", "mit", commit="c" * 40))
    assert found.effective == ("mit",)
    assert found.expression == "MIT"
    assert found.flags == ()
    assert [(n.repo, n.commit, n.relation) for n in found.lineage] == [("a/b", "c" * 40, "base")]


def test_a_distill_of_llama_is_under_both() -> None:
    found = resolved(
        node("unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF", "mit",
             "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", relation=QUANTIZED),
        node("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "mit"),
        node("meta-llama/Llama-3.1-8B", "llama3.1", gated=True),
    )  # fmt: skip
    assert found.effective == ("mit", "llama3.1")
    assert found.expression == "LicenseRef-scancode-llama-3.1-license-2024 AND MIT"
    wanted = {"lineage_override", "label_conflict", "base_gated", "upstream_breach_suspected"}
    assert wanted <= set(found.flags)
    assert [n.relation for n in found.lineage] == ["quantized", "finetune", "base"]
    assert found.lineage[1].license == "mit"


@pytest.mark.parametrize(
    ("distill", "base"),
    [
        ("Qwen-1.5B", "Qwen/Qwen2.5-Math-1.5B"),
        ("Qwen-7B", "Qwen/Qwen2.5-Math-7B"),
        ("Qwen-14B", "Qwen/Qwen2.5-14B"),
        ("Qwen-32B", "Qwen/Qwen2.5-32B"),
        ("Llama-8B", "meta-llama/Llama-3.1-8B"),
        ("Llama-70B", "meta-llama/Llama-3.3-70B-Instruct"),
    ],
)
def test_all_distills_have_their_base(distill: str, base: str) -> None:
    found = resolved(
        node(f"deepseek-ai/DeepSeek-R1-Distill-{distill}", "mit"), node(base, "apache-2.0")
    )
    assert found.lineage[1].repo == base
    assert "lineage_override" in found.flags


def test_a_silent_packager_inherits() -> None:
    found = resolved(node("p/m-GGUF", None, "a/m"), node("a/m", "apache-2.0"))
    assert found.effective == ("apache-2.0",)
    assert found.flags == ("missing_license_inherited",)


def test_a_silent_author_grants_nothing() -> None:
    found = resolved(node("p/tuned", None, "a/m", relation="finetune"), node("a/m", "mit"))
    assert set(found.effective) == {"none", "mit"}
    packaged = resolved(node("p/m-GGUF", "apache-2.0", "a/m"), node("a/m"))
    assert set(packaged.effective) == {"none", "apache-2.0"}


def test_nobody_declares_anything() -> None:
    found = resolved(node("p/m-GGUF", None, "a/m"), node("a/m"))
    assert found.effective == ("none",)
    assert "no_license_on_chain" in found.flags


def test_a_missing_parent_is_unresolved() -> None:
    found = resolved(node("p/m-GGUF", "mit", "gone/m"))
    assert found.effective == ("mit",)
    assert found.flags == ("unresolved_base",)
    assert found.lineage[1].license == "unknown"
    silent = resolved(node("p/m-GGUF", None, "gone/m"))
    assert silent.effective == ("unknown",)


@pytest.mark.parametrize("base", ["./local", "../x", "a/b/c", "https://example.org"])
def test_a_base_that_is_no_repository_is_unresolved(base: str) -> None:
    assert "unresolved_base" in resolved(node("p/m", "mit", base)).flags


def test_a_cycle_ends() -> None:
    found = resolved(
        node("a/x", "mit", "a/y"), node("a/y", "gemma", "a/z"), node("a/z", "mit", "A/X")
    )
    assert "cycle" in found.flags
    assert set(found.effective) == {"mit", "gemma"}
    assert len(found.lineage) == 3
    assert "cycle" in resolved(node("a/x", "mit", "a/x")).flags


def test_a_diamond_is_no_cycle() -> None:
    found = resolved(
        node("a/merge", "apache-2.0", ["a/one", "a/two"]),
        node("a/one", "apache-2.0", "a/base"),
        node("a/two", "mit", "a/base"),
        node("a/base", "llama3.2"),
    )
    assert "cycle" not in found.flags
    assert set(found.effective) == {"apache-2.0", "mit", "llama3.2"}
    assert found.lineage[0].relation == "merge"


def test_eight_ancestors_are_walked_and_no_more() -> None:
    chain = [node(f"a/m{n}", "mit", f"a/m{n + 1}") for n in range(8)]
    last = node("a/m8", "gemma")
    found = resolved(chain[0], *chain[1:], last)
    assert "gemma" in found.effective
    assert "unresolved_base" not in found.flags
    deeper = resolved(chain[0], *chain[1:], node("a/m8", "mit", "a/m9"), node("a/m9", "gemma"))
    assert "unresolved_base" in deeper.flags
    assert "gemma" not in deeper.effective


def test_a_hostile_number_of_parents_is_bounded() -> None:
    asked: list[str] = []

    def fetch(repo: str) -> RepoClaims:
        asked.append(repo)
        return node(repo, "mit", [f"{repo}-{n}" for n in range(200)])

    found = resolve(node("a/m", "mit", [f"a/m{n}" for n in range(1000)]), fetch)
    assert len(asked) <= 64
    assert "unresolved_base" in found.flags


def test_base_from_the_header() -> None:
    found = resolved(
        node("s/Super-8B-GGUF", "apache-2.0", gguf={
            "general.license": "llama3.1",
            "general.base_model.count": 1,
            "general.base_model.0.repo_url": "https://huggingface.co/meta-llama/Llama-3.1-8B",
        }),
        node("meta-llama/Llama-3.1-8B", "llama3.1", gated=True),
    )  # fmt: skip
    assert set(found.effective) == {"apache-2.0", "llama3.1"}
    assert {"base_from_gguf", "label_conflict", "base_gated"} <= set(found.flags)


@pytest.mark.parametrize("count", [-1, 10**9, "2", None, True, 1.5])
def test_a_hostile_header_count(count: Any) -> None:
    target = node("s/m-GGUF", "mit", gguf={"general.base_model.count": count})
    assert resolved(target).effective == ("mit",)


def test_over_restrictive_label_of_another_company() -> None:
    found = resolved(
        node("s/Gemma-4-heretic", "gemma", "google/gemma-4-E4B-it", relation="finetune"),
        node("google/gemma-4-E4B-it", "apache-2.0"),
    )
    assert found.disputed == ("gemma",)
    assert "over_restrictive_label" in found.flags


def test_an_author_may_add_terms_of_his_own() -> None:
    found = resolved(
        node("google/tuned", "gemma", "a/base", relation="finetune"), node("a/base", "mit")
    )
    assert found.disputed == ()
    assert "over_restrictive_label" not in found.flags


def test_a_packager_may_not() -> None:
    found = resolved(node("google/m-GGUF", "gemma", "a/base"), node("a/base", "mit"))
    assert found.disputed == ("gemma",)


def test_unknown_license_of_the_base() -> None:
    found = resolved(
        node("s/Qwen2.5-3B-GGUF", "apache-2.0", "Qwen/Qwen2.5-3B"),
        RepoClaims("Qwen/Qwen2.5-3B", card={"license": "other", "license_name": "qwen-next"}),
    )
    assert set(found.effective) == {"apache-2.0", "unknown"}
    assert found.declared_names == ("qwen-next",)
    assert "label_conflict" in found.flags


def test_packager_that_points_to_the_base() -> None:
    card = {"license": "other", "license_name": "inherits-base-model", "base_model": "a/m"}
    found = resolved(RepoClaims("p/m-GGUF", card=card), node("a/m", "mit"))
    assert found.effective == ("mit",)
    assert "missing_license_inherited" in found.flags
    alone = resolved(RepoClaims("p/m-GGUF", card={"license": "other", "license_name": "custom"}))
    assert alone.effective == ("unknown",)


def test_a_name_alone_only_adds_a_question() -> None:
    found = resolved(node("x/Super-Llama-8B", "apache-2.0"))
    assert found.effective == ("apache-2.0",)
    assert found.flags == ("name_hint",)


def test_what_the_hub_works_out_counts() -> None:
    target = RepoClaims("p/m", card={"license": "mit"}, base_models=(("adapter", "a/m"),))
    found = resolved(target, node("a/m", "gemma"))
    assert found.lineage[0].relation == "adapter"
    assert set(found.effective) == {"mit", "gemma"}


def test_regions_are_those_of_the_authors() -> None:
    found = resolved(
        node("packager/m-GGUF", "apache-2.0", "lab/m", region="DE"),
        node("lab/m", "apache-2.0", "Qwen/Qwen3-8B", relation="finetune", region="US"),
        node("Qwen/Qwen3-8B", "apache-2.0", region="CN"),
    )
    assert set(found.vendor_regions) == {"US", "CN"}
    assert found.unknown_vendors == ()
    unknown = resolved(node("lab/m", "gemma"))
    assert unknown.vendor_regions == ("US",)
    assert unknown.unknown_vendors == ("lab/m",)


def test_multimodal() -> None:
    assert resolved(node("a/m", "mit", files=("mmproj-f16.gguf",))).multimodal
    tagged = RepoClaims("a/m", card={"license": "mit", "pipeline_tag": "image-text-to-text"})
    assert resolved(node("p/m-GGUF", None, "a/m"), tagged).multimodal
    assert not resolved(node("a/m", "mit")).multimodal


def test_license_changed() -> None:
    found = resolved(node("a/m", "gemma"))
    assert mark_changed(found, ["gemma"]) is found
    assert "license_changed" in mark_changed(found, ["mit"]).flags
    texted = resolved(node("a/m", "apache-2.0", license_text=apache_license_text().read_text()))
    same = [texted.texts[0].sha256]
    assert mark_changed(texted, ["apache-2.0"], same) is texted
    assert "license_changed" in mark_changed(texted, ["apache-2.0"], ["0" * 64]).flags


def test_texts_that_were_read() -> None:
    text = apache_license_text().read_text(encoding="utf-8")
    claims = node("a/m", "apache-2.0", license_text=text, commit="d" * 40)
    (entry,) = texts_for(resolved(claims), [claims])
    assert entry.text == text
    assert entry.commit == "d" * 40
    assert "d" * 40 in entry.url
    assert entry.bytes == len(text.encode())


def test_apache_is_complete_offline_and_others_are_not() -> None:
    (apache,) = resolved(node("a/m", "apache-2.0")).texts
    assert apache.text is not None
    assert len(apache.sha256) == 64
    license_text, use_policy = resolved(node("a/m", "llama3.2")).texts
    assert license_text.sha256 == ""
    assert license_text.url.startswith("https://")
    assert use_policy.kind == "use_policy"


def test_a_card_that_was_not_read_is_not_silent() -> None:
    packaged = node("p/m-GGUF", None, "a/m", is_card_read=False)
    assert resolved(packaged, node("a/m", None, declared="mit", is_card_read=False)).flags == ()
    unread = resolved(packaged, node("a/m", None, is_card_read=False))
    assert unread.effective == ("unknown",)


def test_it_can_be_kept_and_read_again() -> None:
    found = resolved(
        node("p/m-GGUF", "mit", "a/m", region="DE", files=("mmproj.gguf",)),
        node("a/m", ["apache-2.0", "my own"], gated=True, commit="e" * 40),
    )
    kept = json.loads(json.dumps({**found.as_json(), "of_a_newer_version": 1}))
    again = effective_from_json(kept)
    without = tuple(replace(text, text=None) for text in found.texts)
    assert again == replace(found, texts=without)
    assert any(text.sha256 for text in again.texts)


@pytest.mark.parametrize("table", [{}, {"lineage": 3}, {"lineage": [3]}, {"lineage": [{}]}])
def test_what_is_no_result_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(CorruptSettings):
        effective_from_json(table)


def test_evidence_names_every_claim() -> None:
    found = resolved(node("a/m", "mit", declared="apache-2.0"))
    assert found.lineage[0].evidence == ("license tag mit = mit", "catalog apache-2.0 = apache-2.0")


_IDS = st.sampled_from([f"org/m{n}" for n in range(6)])
_CARDS = st.fixed_dictionaries(
    {},
    optional={
        "license": st.sampled_from(["mit", "apache-2.0", "llama3.1", "gemma", "other", "x", ""]),
        "base_model": _IDS | st.lists(_IDS, max_size=3),
        "base_model_relation": st.sampled_from(["quantized", "finetune", "merge", "junk"]),
    },
)


@given(st.dictionaries(_IDS, _CARDS, min_size=1), _IDS)
def test_any_graph_is_answered(graph: dict[str, dict[str, Any]], start: str) -> None:
    """It ends, names only licenses we know, and never forgets one that a node declares."""
    claims = {id_: RepoClaims(id_, card=card) for id_, card in graph.items()}
    found = resolve(claims.get(start, RepoClaims(start)), claims.get)
    assert found.effective
    assert set(found.effective) <= set(load_licenses())
    declared = {str(claims[n.repo].card.get("license")) for n in found.lineage if n.repo in claims}
    assert declared & {"mit", "apache-2.0", "llama3.1", "gemma"} <= set(found.effective)
