"""Claims of one repository → licenses: every name, link and text; and every fault."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.licenses.claims import RepoClaims, printable, repo_id_of
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.identify import Identified, identify
from openshelf.licenses.index import normalized_name, shipped_index
from openshelf.paths import apache_license_text

LICENSES = load_licenses()
APACHE = apache_license_text().read_text(encoding="utf-8")


def installed_text(pattern: str) -> str:
    """A license text that came with a package."""
    found = (path for folder in sys.path for path in Path(folder or ".").glob(pattern))
    return next(found).read_text(encoding="utf-8")


MIT = installed_text("pluggy-*.dist-info/licenses/LICENSE")
UNLICENSE = """This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or
distribute this software, either in source code form or as a compiled
binary, for any purpose, commercial or non-commercial, and by any
means.

In jurisdictions that recognize copyright laws, the author or authors
of this software dedicate any and all copyright interest in the
software to the public domain. We make this dedication for the benefit
of the public at large and to the detriment of our heirs and
successors. We intend this dedication to be an overt act of
relinquishment in perpetuity of all present and future rights to this
software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR
OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR
OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <https://unlicense.org/>
"""
WHOLE = {
    "mit": MIT,
    "apache-2.0": APACHE,
    "bsd-3-clause": installed_text("[Jj]inja2-*.dist-info/licenses/LICENSE*"),
    "bsd-2-clause": installed_text("packaging-*.dist-info/licenses/LICENSE.BSD"),
    "unlicense": UNLICENSE,
}
LLAMA = (
    "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nLlama 3.1 Version Release Date: July 23, 2024\n"
    "“Llama Materials” means, collectively, Meta’s proprietary Llama 3.1 and Documentation.\n"
)
RIDER = (
    "\nThe above permission is limited as follows: whoever earns more than a certain sum with "
    "the Software shall show its name in the user interface of every product and service that "
    "makes use of it, in letters that can be read by all persons who see that interface."
)


def named(card: dict[str, Any], **more: Any) -> Identified:
    return identify(RepoClaims("someone/model", card=card, **more), shipped_index())


def all_names() -> list[tuple[str, str]]:
    """Every name with its license, names that say nothing or are shared left to the tests below."""
    return [
        (name, entry.id)
        for entry in LICENSES.values()
        if entry.id not in ("unknown", "none")
        for name in (
            entry.id,
            entry.name,
            *entry.ids.hub_license,
            *entry.ids.hub_license_name,
            *entry.ids.aliases,
        )
        if normalized_name(name) not in SHARED
    ]


SHARED = ("modified-mit", "exaone", "cc-by-nc-4.0", "other", "unknown")


@pytest.mark.parametrize(("name", "expected"), all_names())
def test_every_name_is_known(name: str, expected: str) -> None:
    assert named({"license": name}).licenses == (expected,)
    assert named({"license": "other", "license_name": name.upper()}).licenses == (expected,)
    assert named({}, gguf={"general.license": name}).licenses == (expected,)
    assert named({}, declared=name).licenses == (expected,)


@pytest.mark.parametrize(
    ("link", "expected"),
    [(link, entry.id) for entry in LICENSES.values() for link in entry.ids.link_patterns],
)
def test_every_link_is_known(link: str, expected: str) -> None:
    for written in (f"https://{link}", f"https://www.{link}/", f"http://{link}?x=1#top"):
        assert named({"license": "other", "license_link": written}).licenses == (expected,)


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/llama.com/llama3_1/license",
        "https://llama.com.evil.example/llama3_1/license",
        "https://llama.com/llama3_1/license-of-mine",
        "LICENSE",
        "javascript:alert(1)",
        "https://[broken",
    ],
)
def test_other_links_say_nothing(link: str) -> None:
    assert named({"license": "other", "license_link": link}).licenses == ("unknown",)


@pytest.mark.parametrize("name", ["modified-apache", "lfm0.9", "deepsea", "my own terms"])
def test_what_is_not_known_keeps_its_name(name: str) -> None:
    found = named({"license": "other", "license_name": name})
    assert found.licenses == ("unknown",)
    assert found.declared_names == (name,)


@pytest.mark.parametrize("card", [{}, {"license": ""}, {"license": None}, {"license": []}])
def test_silence_is_silence(card: dict[str, Any]) -> None:
    assert named(card).is_silent


@pytest.mark.parametrize("value", [{"a": 1}, [None, {}], 3.5, True, [[1]]])
def test_odd_types_do_no_harm(value: object) -> None:
    card = {"license": value, "license_name": value, "license_link": value, "base_model": value}
    found = named(card, gguf={"general.license": value})
    assert set(found.licenses) <= {"unknown"}


def test_apache_text_decides() -> None:
    found = named({}, license_text=APACHE)
    assert found.licenses == ("apache-2.0",)
    assert "sha256" in found.claims[0].value


def test_mit_text_decides() -> None:
    assert named({"license": "other"}, license_text=MIT).licenses == ("mit",)


@pytest.mark.parametrize(
    ("text", "tag"), [(MIT + RIDER, "mit"), (APACHE + RIDER * 3, "apache-2.0")]
)
def test_a_rider_makes_it_another_license(text: str, tag: str) -> None:
    found = named({"license": tag}, license_text=text)
    assert set(found.licenses) == {"unknown", tag}
    assert "custom_text_mismatch" in found.flags


def test_a_short_rider_on_mit_is_seen() -> None:
    for rider in ("Modified MIT License\n", "For non-commercial use only.\n"):
        assert "unknown" in named({"license": "mit"}, license_text=rider + MIT).licenses


@pytest.mark.parametrize(
    "rider",
    [
        "No use by companies with more than 100 employees.",
        "Additional restriction: no commercial use without permission.",
        "For research purposes only.",
        "Users shall display the name of this model.",
        "Military use is forbidden.",
    ],
)
@pytest.mark.parametrize("name", ["mit", "apache-2.0", "bsd-3-clause", "bsd-2-clause", "unlicense"])
def test_one_sentence_beside_a_permissive_license_is_seen(name: str, rider: str) -> None:
    plain = WHOLE[name]
    assert named({"license": name}, license_text=plain).licenses == (name,)
    assert named({}, license_text=f"Copyright (c) 2026 Some Lab, Inc.\n\n{plain}\n").flags == ()
    texts = [f"{rider}\n\n{plain}", f"{plain}\n\n{rider}"]
    if not name.startswith("bsd"):  # a holder's name stands in those, so only the length is known
        middle = plain.index("\n\n", len(plain) // 2)
        texts.append(f"{plain[:middle]}\n\n{rider}{plain[middle:]}")
    for text in texts:
        found = named({"license": name}, license_text=text)
        assert set(found.licenses) == {"unknown", name}, text
        assert "custom_text_mismatch" in found.flags


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("to deal in the Software without restriction", "to study the Software"),
        ("free of charge", "free of charge for research"),
        ("copies of the Software, and", "copies of the Software for private use, and"),
    ],
)
def test_a_changed_word_makes_another_license_of_mit(was: str, now: str) -> None:
    text = " ".join(MIT.split())
    assert was in text
    assert named({}, license_text=text.replace(was, now)).licenses == ("unknown",)


def test_a_filled_in_appendix_is_still_apache() -> None:
    filled = APACHE.replace("[yyyy] [name of copyright owner]", "2024 Alibaba Cloud")
    assert named({}, license_text=filled).licenses == ("apache-2.0",)
    without = APACHE.split("APPENDIX")[0]
    assert named({}, license_text=without).licenses == ("apache-2.0",)


def test_other_beside_a_license_is_one_that_nobody_knows() -> None:
    assert set(named({"license": ["mit", "other"]}).licenses) == {"mit", "unknown"}
    assert named({"license": ["mit", "MIT"]}).flags == ()


def test_text_beats_the_tag_and_keeps_it() -> None:
    found = named({"license": "apache-2.0"}, license_text=LLAMA)
    assert found.licenses == ("llama3.1", "apache-2.0")
    assert {"custom_text_mismatch", "node_conflict"} <= set(found.flags)


def test_text_that_agrees_is_no_conflict() -> None:
    found = named({"license": "llama3.1"}, license_text=LLAMA)
    assert found.licenses == ("llama3.1",)
    assert found.flags == ()


def test_a_pointer_to_the_license_counts() -> None:
    text = "Licensed under the Apache License, see http://www.apache.org/licenses/LICENSE-2.0"
    assert named({}, license_text=text).licenses == ("apache-2.0",)
    assert named({}, license_text=f"{text}, except for commercial use").licenses == ("unknown",)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Gemma Terms of Use", "gemma"),
        ("LLAMA 3.3 COMMUNITY LICENSE AGREEMENT", "llama3.3"),
        ("MIT License", "mit"),
        ("Apache License\n   Version 2.0, January 2004", "apache-2.0"),
        ("Modified MIT License", "unknown"),
        ("NON-COMMERCIAL LICENSE", "unknown"),
    ],
)
def test_a_title_alone(head: str, expected: str) -> None:
    found = named({}, license_text=head, license_text_is_head=True)
    assert found.licenses == (expected,)


def test_versions_of_llama_are_told_apart() -> None:
    for version in ("2", "3.1", "3.2", "3.3", "4"):
        text = f"Llama {version} Community License Agreement\nthe Llama Materials"
        assert named({}, license_text=text).licenses == (f"llama{version}",)
    text = "META LLAMA 3 COMMUNITY LICENSE AGREEMENT\nthe Llama Materials"
    assert named({}, license_text=text).licenses == ("llama3",)


def test_a_list_means_all_of_it() -> None:
    found = named({"license": ["llama3.1", "gemma"]})
    assert found.licenses == ("llama3.1", "gemma")
    assert found.flags == ("list_license",)
    header = named({}, gguf={"general.license": "llama3.1,gemma"})
    assert header.licenses == ("llama3.1", "gemma")


def test_tag_and_name_that_disagree() -> None:
    found = named({"license": "apache-2.0", "license_name": "jamba-open-model-license"})
    assert "node_conflict" in found.flags
    assert set(found.licenses) == {"apache-2.0", "jamba-open-model"}
    other = named({"license": "apache-2.0", "license_name": "some-model-license"})
    assert "node_conflict" in other.flags
    assert set(other.licenses) == {"apache-2.0", "unknown"}
    assert other.declared_names == ("some-model-license",)


def test_tag_and_link_that_disagree() -> None:
    link = "https://www.llama.com/llama3_2/license/"
    found = named({"license": "mit", "license_link": link})
    assert "node_conflict" in found.flags
    assert set(found.licenses) == {"mit", "llama3.2"}


def test_the_header_beside_a_card_is_a_witness() -> None:
    found = named({"license": "apache-2.0"}, gguf={"general.license": "llama3.1"})
    assert found.licenses == ("apache-2.0",)
    assert found.witness == ("llama3.1",)
    assert "node_conflict" not in found.flags


def test_the_catalog_speaks_last() -> None:
    assert named({"license": "mit"}, declared="gemma").licenses == ("mit",)
    assert named({}, gguf={"general.license": "mit"}, declared="gemma").licenses == ("mit",)


def test_declared_with_a_remark() -> None:
    assert named({}, declared="mit (no license tag on the Hub)").licenses == ("mit",)


def test_names_from_strangers_are_tamed() -> None:
    name = named({"license": "other", "license_name": "evil\x1b[31m\u202e" + "x" * 500})
    assert "\x1b" not in name.declared_names[0]
    assert "\u202e" not in name.declared_names[0]
    assert len(name.declared_names[0]) <= 120


@given(st.dictionaries(st.sampled_from(["license", "license_name", "license_link"]),
                       st.recursive(st.none() | st.booleans() | st.text() | st.integers(),
                                    lambda inner: st.lists(inner, max_size=3))),
       st.none() | st.text(max_size=400))  # fmt: skip
def test_anything_gives_licenses_we_know(card: dict[str, Any], text: str | None) -> None:
    found = named(card, license_text=text)
    assert set(found.licenses) <= set(LICENSES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("https://huggingface.co/a/b", "a/b"),
        ("https://huggingface.co/a/b/tree/main?x#y", "a/b"),
        ("gpt2", "gpt2"),
        ("./models/x", None),
        ("../../etc/passwd", None),
        ("a/b/c", None),
        ("https://huggingface.co/", None),
        ("", None),
    ],
)
def test_repository_ids(text: str, expected: str | None) -> None:
    assert repo_id_of(text) == expected


def test_printable_is_one_line() -> None:
    assert printable("a\nb\t c\x00") == "a b c"


@pytest.mark.parametrize(
    "rider",
    ["Commons Clause", "For academic evaluation", "You will not sell it", "Academic License"],
)
def test_a_title_above_a_well_known_text_makes_another_license_of_it(rider: str) -> None:
    text = apache_license_text().read_text("utf-8")
    found = identify(
        RepoClaims("o/m", card={"license": "apache-2.0"}, license_text=f"{rider}\n\n{text}"),
        shipped_index(),
    )
    assert "unknown" in found.licenses
    assert "custom_text_mismatch" in found.flags


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("MIT (non-commercial use)", ()),
        ("Apache 2.0 (research only)", ()),
        ("Apache-2.0 (modified)", ()),
        ("Apache License 2.0 (Apache-2.0)", ("apache-2.0",)),
        ("MIT (see LICENSE)", ("mit",)),
    ],
)
def test_a_remark_in_brackets_may_be_terms(name: str, ids: tuple[str, ...]) -> None:
    assert shipped_index().by_name(name) == ids


def test_an_owner_in_letters_that_fold_to_a_licensors_is_not_the_licensor() -> None:
    """ſ and the Kelvin sign become s and k when letters are folded."""
    index = shipped_index()
    for stranger, home, license_id in (
        ("mi\u017ftralai/Devstral", "mistralai/Devstral", "mistral-modified-mit"),
        ("\u212aakaocorp/m", "kakaocorp/m", "kanana"),
    ):
        owner, own = stranger.split("/")[0], home.split("/")[0]
        assert index.is_home(license_id, own)
        assert not index.is_home(license_id, owner)
        assert index.region_of(own) is not None
        assert index.region_of(owner) is None
        assert repo_id_of(stranger) is None
        assert repo_id_of(home) == home
    assert index.by_repository("MiniMaxAI/MiniMax-M2.7") == ("minimax-m2.7-nc",)
    assert index.by_repository("M\u0131niMaxAI/MiniMax-M2.7") == ()


@pytest.mark.parametrize(
    ("head", "license_id"),
    [
        (
            "Copyright (c) 2022 Robin Rombach\n\nCreativeML Open RAIL-M\ndated",
            "creativeml-openrail-m",
        ),
        ("\ufeffGemma Terms of Use", "gemma"),
        ("\u00a9 2024 A\nCopyright 2025 B\n\nMIT License\n", "mit"),
        ("NVIDIA Nemotron Model License\nVersion", "nvidia-nemotron"),
    ],
)
def test_what_may_stand_before_a_title(head: str, license_id: str) -> None:
    assert shipped_index().by_text(head, is_head=True) == (license_id,)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MIT Licence", "mit"), ("Apache License, Version 2.0", "apache-2.0"),
        ("apache-2.0 license", "apache-2.0"), ("Llama 3.3 Community License", "llama3.3"),
        ("deepseek-license-agreement", "deepseek"), ("Qwen Research License", "qwen-research"),
        ("the gemma license", "gemma"), ("NVIDIA Nemotron Model License", "nvidia-nemotron"),
        ("Apache 2.0 non-commercial license", None), ("other license", None),
        ("unknown-license", None), ("license", None), ("research license", None),
        ("mit-0", None), ("Llama License", "llama1"), ("qwen community license", None),
    ],
)  # fmt: skip
def test_spellings_of_a_name(written: str, meant: str | None) -> None:
    assert shipped_index().by_name(written) == ((meant,) if meant else ())


def test_a_modified_mit_under_its_full_name_is_as_open_a_question() -> None:
    index = shipped_index()
    assert index.by_name("Modified MIT License") == index.by_name("modified-mit")
    assert len(index.by_name("Modified MIT License")) == 4
