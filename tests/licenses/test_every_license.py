"""All licenses of the catalog: found by each name, link and text; shared names told apart."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from openshelf.licenses.claims import RepoClaims
from openshelf.licenses.effective import EffectiveLicense
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.identify import Identified, identify
from openshelf.licenses.index import LicenseIndex, normalized_name, shipped_index
from openshelf.licenses.license import License
from openshelf.licenses.lineage import resolve

LICENSES = load_licenses()
INDEX = shipped_index()
KNOWN = [entry for entry in LICENSES.values() if entry.id not in ("unknown", "none")]
SAYS_NOTHING = ("other", "unknown")


def named(repo: str, card: dict[str, Any], **more: Any) -> Identified:
    return identify(RepoClaims(repo, card=card, **more), INDEX)


def other(name: str) -> dict[str, Any]:
    return {"license": "other", "license_name": name}


def resolved(*nodes: RepoClaims) -> EffectiveLicense:
    known = {node.id.casefold(): node for node in nodes}
    return resolve(nodes[0], lambda repo: known.get(repo.casefold()))


def home_of(entry: License) -> str:
    """A repository of the licensor that is known to carry the license."""
    if entry.ids.repositories:
        return entry.ids.repositories[0]
    owner = entry.ids.organizations[0] if entry.ids.organizations else "someone"
    return f"{owner}/model"


def every_name() -> list[tuple[str, str]]:
    return [
        (entry.id, name)
        for entry in KNOWN
        for name in dict.fromkeys(
            (
                entry.id,
                entry.name,
                entry.ids.spdx_ref,
                *((entry.ids.spdx,) if entry.ids.spdx else ()),
                *entry.ids.hub_license,
                *entry.ids.hub_license_name,
                *entry.ids.aliases,
            )
        )
    ]


def test_there_are_eighty() -> None:
    assert len(LICENSES) == 80


@pytest.mark.parametrize(("license_id", "name"), every_name())
def test_each_name_in_the_licensors_repository(license_id: str, name: str) -> None:
    home = home_of(LICENSES[license_id])
    assert named(home, {"license": name}).licenses == (license_id,)
    assert named(home, other(name)).licenses == (license_id,)


def test_only_these_names_are_shared() -> None:
    by_name = defaultdict(set)
    for license_id, name in every_name():
        by_name[normalized_name(name)].add(license_id)
    shared = {name: ids for name, ids in by_name.items() if len(ids) > 1}
    assert shared == {
        "modified-mit": {
            "kimi-modified-mit",
            "mistral-modified-mit",
            "minimax-modified-mit",
            "minimax-m2.7-nc",
        },
        "exaone": {"exaone-1.1-nc", "exaone-1.2-nc"},
        "cc-by-nc-4.0": {"cc-by-nc-4.0", "cohere-cc-by-nc"},
    }


@pytest.mark.parametrize(
    ("link", "license_id"),
    [(link, entry.id) for entry in KNOWN for link in entry.ids.link_patterns],
)
def test_each_link(link: str, license_id: str) -> None:
    for written in (link, link.upper(), link.replace("/blob/", "/raw/"), f"www.{link}"):
        card = {"license": "other", "license_link": f"https://{written}"}
        assert named("someone/model", card).licenses == (license_id,)


@pytest.mark.parametrize(
    ("title", "license_id"),
    [
        (title, entry.id)
        for entry in KNOWN
        for title in entry.ids.title_phrases
        if not entry.ids.pieces  # test_identify.py has those whole: less than that is none of them
    ],
)
def test_each_title_with_its_phrases(title: str, license_id: str) -> None:
    entry = LICENSES[license_id]
    text = f"# {title.upper()}\n\n" + "\n".join(entry.ids.required_phrases) + "\nOther words."
    assert license_id in INDEX.by_text(text)
    found = [id_ for id_ in INDEX.by_text(text) if id_ != license_id]
    assert not found


TEXTS = {
    "kimi-modified-mit": (
        "Modified MIT License\n\nCopyright (c) 2025 Moonshot AI\n\nOur only modification: with "
        "more than 100 million monthly active users you shall prominently display “Kimi K2”."
    ),
    "mistral-modified-mit": (
        "Modified MIT License\n\nCopyright 2025 Mistral AI\n\nNo rights if the monthly revenue of "
        "your company, or that of your employer, exceeds $20 million."
    ),
    "minimax-modified-mit": (
        "Modified MIT License\n\nCopyright (c) 2025 MiniMax\n\nCommercial products shall "
        "prominently display “MiniMax M2” on the user interface."
    ),
}
HOMES = {
    "kimi-modified-mit": "moonshotai/Kimi-K2-Instruct",
    "mistral-modified-mit": "mistralai/Devstral-2-123B-Instruct-2512",
    "minimax-modified-mit": "MiniMaxAI/MiniMax-M2.5",
}


@pytest.mark.parametrize("license_id", TEXTS)
def test_modified_mit_by_its_text(license_id: str) -> None:
    text = TEXTS[license_id]
    for repo in ("someone/copy", *HOMES.values()):
        assert named(repo, other("modified-mit"), license_text=text).licenses == (license_id,)
    head = text[:70]
    found = named("someone/copy", {}, license_text=head, license_text_is_head=True)
    assert found.licenses == (license_id,)


@pytest.mark.parametrize("license_id", HOMES)
def test_modified_mit_by_the_base(license_id: str) -> None:
    home = HOMES[license_id]
    card = {**other("modified-mit"), "base_model": home}
    target = RepoClaims("packager/x-GGUF", card=card, files=("x.gguf",))
    for base in (RepoClaims(home, card=other("modified-mit")), RepoClaims(home)):
        found = resolved(target, base)
        assert license_id in found.effective
        assert "unknown" not in found.effective
        assert "alias_collision" in found.flags
    unread = resolved(target)
    assert unread.effective == (license_id,)
    assert "unresolved_base" in unread.flags


def test_modified_mit_in_a_header_beside_a_card() -> None:
    home = HOMES["kimi-modified-mit"]
    header = {"general.license": "modified-mit"}
    target = RepoClaims("x/k-GGUF", card={"license": "mit", "base_model": home}, gguf=header)
    found = resolved(target, RepoClaims(home, card=other("modified-mit")))
    assert set(found.effective) == {"mit", "kimi-modified-mit"}
    assert "label_conflict" in found.flags
    alone = resolved(RepoClaims("x/k-GGUF", card={"license": "mit"}, gguf=header))
    assert set(alone.effective) == {"mit", "unknown"}


def test_a_merge_of_two_modified_mits_is_under_both() -> None:
    bases = [HOMES["kimi-modified-mit"], HOMES["mistral-modified-mit"]]
    target = RepoClaims("x/mix", card={**other("modified-mit"), "base_model": bases})
    found = resolved(target, *(RepoClaims(base, card=other("modified-mit")) for base in bases))
    assert set(found.effective) == {"kimi-modified-mit", "mistral-modified-mit"}


def test_modified_mit_of_nobody_is_unknown() -> None:
    assert resolved(RepoClaims("someone/x", card=other("modified-mit"))).effective == ("unknown",)


def test_minimax_m2_7_kept_the_name_and_lost_the_rights() -> None:
    repo = "MiniMaxAI/MiniMax-M2.7"
    assert named(repo, other("modified-mit")).licenses == ("minimax-m2.7-nc",)
    text = "NON-COMMERCIAL LICENSE\n\nCopyright MiniMax"
    found = named(repo, other("modified-mit"), license_text=text)
    assert found.licenses == ("minimax-m2.7-nc",)
    assert {"alias_collision", "custom_text_mismatch"} <= set(found.flags)
    agreeing = named(HOMES["kimi-modified-mit"], other("modified-mit"),
                     license_text=TEXTS["kimi-modified-mit"])  # fmt: skip
    assert "custom_text_mismatch" not in agreeing.flags


def test_a_general_title_counts_only_at_home() -> None:
    head = {"license_text": "NON-COMMERCIAL LICENSE", "license_text_is_head": True}
    assert named("rando/model", {"license": "other"}, **head).licenses == ("unknown",)
    assert named("MiniMaxAI/MiniMax-M2.7", {}, **head).licenses == ("minimax-m2.7-nc",)


@pytest.mark.parametrize(
    ("repo", "license_id"),
    [
        ("LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct", "exaone-1.1-nc"),
        ("LGAI-EXAONE/EXAONE-Deep-32B", "exaone-1.1-nc"),
        ("LGAI-EXAONE/EXAONE-4.0-32B", "exaone-1.2-nc"),
    ],
)
def test_exaone_by_repository_and_text(repo: str, license_id: str) -> None:
    assert named(repo, other("exaone")).licenses == (license_id,)
    below = RepoClaims("p/x-GGUF", card={**other("exaone"), "base_model": repo})
    assert resolved(below, RepoClaims(repo, card=other("exaone"))).effective == (license_id,)
    for version in ("1.1", "1.2"):
        text = f"EXAONE AI Model License Agreement {version} - NC\n…"
        expected = (f"exaone-{version}-nc",)
        assert named(repo, other("exaone"), license_text=text).licenses == expected


def test_exaone_of_an_unknown_release_is_not_guessed() -> None:
    found = resolved(RepoClaims("LGAI-EXAONE/EXAONE-9", card=other("exaone")))
    assert found.effective == ("unknown",)
    assert found.declared_names == ("exaone",)


def test_cohere_adds_a_use_policy_to_the_plain_license() -> None:
    card = {"license": "cc-by-nc-4.0"}
    assert named("someone/model", card).licenses == ("cc-by-nc-4.0",)
    assert named("CohereForAI/aya-expanse-8b", card).licenses == ("cohere-cc-by-nc",)
    below = RepoClaims("p/aya-GGUF", card={**card, "base_model": "CohereLabs/aya-expanse-8b"})
    found = resolved(below, RepoClaims("CohereLabs/aya-expanse-8b", card=card))
    assert found.effective == ("cohere-cc-by-nc",)
    assert found.flags == ()


def test_names_that_say_nothing_count_only_in_a_known_repository() -> None:
    for license_id in ("falcon-180b", "minimax-m2.7-nc"):
        assert named(home_of(LICENSES[license_id]), {"license": "other"}).licenses == (license_id,)
    for name in SAYS_NOTHING:
        assert named("tiiuae/something", {"license": name}).licenses == ("unknown",)


def test_the_usage_policy_of_gpt_oss_comes_along() -> None:
    card = {"license": "apache-2.0", "base_model": "openai/gpt-oss-20b"}
    found = resolved(
        RepoClaims("ggml-org/gpt-oss-20b-GGUF", card=card),
        RepoClaims("openai/gpt-oss-20b", card={"license": "apache-2.0"}),
    )
    assert set(found.effective) == {"apache-2.0", "gpt-oss-usage-policy"}
    assert "overlay_policy" in found.flags


def test_a_license_for_everybody_is_no_foreign_label() -> None:
    card = {"license": "creativeml-openrail-m", "base_model": "a/base",
            "base_model_relation": "finetune"}  # fmt: skip
    base = RepoClaims("a/base", card={"license": "apache-2.0"})
    assert "over_restrictive_label" not in resolved(RepoClaims("b/fine", card=card), base).flags
    card = {**card, "license": "other", "license_name": "deepseek"}
    assert "over_restrictive_label" in resolved(RepoClaims("b/fine", card=card), base).flags


@pytest.mark.parametrize("account", ["Qwen", "qwen", "DEEPSEEK-AI", "moonshotai", "tencent"])
def test_accounts_of_licensors_have_a_home(account: str) -> None:
    assert INDEX.region_of(account) == "CN"


def test_each_account_has_one_home() -> None:
    homes = defaultdict(set)
    for entry in KNOWN:
        for account in entry.ids.organizations:
            homes[account.casefold()].add(entry.licensor_region)
    assert {account: regions for account, regions in homes.items() if len(regions) > 1} == {}


def test_references_between_licenses_hold() -> None:
    for entry in KNOWN:
        assert entry.ids.variant_of is None or entry.ids.variant_of in LICENSES
        for repo in entry.ids.repositories:
            assert INDEX.is_home(entry.id, repo.split("/")[0])
            assert INDEX.by_repository(repo) == (entry.id,)


def test_expressions_of_all_parse() -> None:
    index = LicenseIndex(LICENSES)
    ids = tuple(LICENSES)
    expression = index.spdx_expression(ids)
    symbols = {entry.spdx_symbol for entry in LICENSES.values()}
    assert set(expression.split(" AND ")) == symbols
