"""The license cases of the specification: effective set, verdict, flags, duties and reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import UsageError
from openshelf.licenses.facts import load_licenses
from openshelf.policy.cases import evaluate_cases

DATA = json.loads((Path(__file__).parents[1] / "data" / "license_cases.json").read_text("utf-8"))
PAIRS = [(case, profile) for case in DATA["cases"] for profile in case["expect"]]


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["id"], one["profile"]): one for one in evaluate_cases(DATA)["cases"]}


def test_all_cases_are_there() -> None:
    assert len(DATA["cases"]) == 18
    assert len(PAIRS) == 46
    assert all(set(case["effective"]) <= set(load_licenses()) for case in DATA["cases"])


@pytest.mark.parametrize(("case", "profile"), PAIRS, ids=[f"{c['id']}-{p}" for c, p in PAIRS])
def test_case(
    case: dict[str, Any], profile: str, answers: dict[tuple[str, str], dict[str, Any]]
) -> None:
    answer, expected = answers[case["id"], profile], case["expect"][profile]
    assert set(answer["effective"]) == set(case["effective"])
    assert answer["verdict"] == expected["verdict"]
    assert set(case["flags"]) <= set(answer["flags"])
    assert set(expected["obligations"]) <= set(answer["obligations"])
    given = {(r["license"], r[key]) for r in answer["reasons"] for key in ("ref", "code")}
    assert {tuple(reason.split(": ", 1)) for reason in expected["reasons"]} <= given
    assert len(answer["reasons"]) == len(expected["reasons"])


def test_every_case_is_answered(answers: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert len(answers) == sum(len(case["expect"]) for case in DATA["cases"])


def test_without_its_facts_a_license_needs_review() -> None:
    """The same cases over a catalog of five licenses: what is missing is unknown, never guessed."""
    kept = ("apache-2.0", "mit", "llama3.3", "none", "unknown")
    few = {id_: entry for id_, entry in load_licenses().items() if id_ in kept}
    expected = {case["id"]: set(case["effective"]) for case in DATA["cases"]}
    others = [one for one in evaluate_cases(DATA, few)["cases"] if expected[one["id"]] - set(few)]
    assert len(others) > 20
    for answer in others:
        assert "unknown" in answer["effective"]
        assert answer["verdict"] in ("needs_review", "blocked")


def test_expectations_are_not_read() -> None:
    """The same answers when everything that is expected says something else."""
    misleading = json.loads(json.dumps(DATA))
    for case in misleading["cases"]:
        case["profiles"] = list(case["expect"])
        for key in ("expect", "effective", "flags", "disputed", "title", "why"):
            case.pop(key, None)
        case.update(effective=["x"], flags=["y"], disputed=["z"], title="t", why="w")
    assert evaluate_cases(misleading) == evaluate_cases(DATA)


def test_a_changed_license_since_the_acceptance() -> None:
    case = {
        "id": "X",
        "repo": {"id": "a/m", "cardData": {"license": "mit"}},
        "earlier_acceptance": {"license": "Apache 2.0"},
        "profiles": ["p"],
    }
    (answer,) = evaluate_cases({"profiles": {"p": {}}, "cases": [case]})["cases"]
    assert "license_changed" in answer["flags"]
    assert answer["verdict"] == "needs_review"
    case["earlier_acceptance"] = {"license": "mit"}
    (answer,) = evaluate_cases({"profiles": {"p": {}}, "cases": [case]})["cases"]
    assert answer["flags"] == []


def test_a_title_of_the_text_is_read() -> None:
    case = {
        "id": "X",
        "repo": {"id": "p/m-GGUF", "cardData": {"base_model": "a/m"}},
        "chain": [{"id": "a/m", "cardData": {"license": "other"}, "files": ["LICENSE"]}],
        "license_text_head": "Gemma Terms of Use",
        "profiles": ["p"],
    }
    (answer,) = evaluate_cases({"profiles": {"p": {}}, "cases": [case]})["cases"]
    assert answer["effective"] == ["gemma"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"cases": 3},
        {"cases": [3]},
        {"cases": [{}]},
        {"cases": [{"repo": {}}]},
        {"cases": [{"repo": {"id": "a/b"}, "profiles": ["nobody"]}]},
        {"cases": [{"repo": {"id": "a/b"}, "profiles": 7}]},
        {"cases": [{"repo": {"id": "a/b"}, "chain": 1}]},
        {"cases": [{"repo": {"id": "a/b", "cardData": [1]}}]},
        {"profiles": 1, "cases": []},
        {"profiles": {"p": {"mau": "many"}}, "cases": [{"repo": {"id": "a"}, "profiles": ["p"]}]},
        {"cases": [{"repo": {"id": "a/b"}, "vendor_regions": 5, "profiles": []}]},
        {"cases": [{"repo": {"id": "a/b"}, "earlier_acceptance": "mit", "profiles": []}]},
    ],
)
def test_nonsense_is_a_usage_error(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        evaluate_cases(data)
