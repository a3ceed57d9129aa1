"""Cases that try to lead the resolver astray; worked out by hand, kept in tests/data.

They have the shape of `license --case`; `wanted` holds what has to come out: the effective set
exactly, flags, reasons (license, code) and duties at least, and flags that must not occur.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openshelf.errors import OpenshelfError
from openshelf.policy.cases import evaluate_cases

FILES = [
    json.loads((Path(__file__).parents[1] / "data" / f"{name}_cases.json").read_text("utf-8"))
    for name in ("hard", "made")
]
PROFILES: dict[str, Any] = {key: facts for file in FILES for key, facts in file["profiles"].items()}
CASES: list[dict[str, Any]] = [case for file in FILES for case in file["cases"]]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['title']}" for case in CASES])
def test_hard_case(case: dict[str, Any]) -> None:
    wanted = case["wanted"]
    bare = {key: value for key, value in case.items() if key != "wanted"}
    (found,) = evaluate_cases({"profiles": PROFILES, "cases": [bare]})["cases"]
    given = [[reason["license"], reason["code"]] for reason in found["reasons"]]
    said = (found["verdict"], found["flags"], given, found["obligations"])
    assert sorted(found["effective"]) == wanted["effective"], said
    assert found["verdict"] == wanted["verdict"], said
    assert set(wanted["flags"]) <= set(found["flags"]), said
    assert not set(wanted["never"]) & set(found["flags"]), said
    assert all(reason in given for reason in wanted["reasons"]), said
    assert set(wanted["obligations"]) <= set(found["obligations"]), said
    assert not set(wanted.get("not_obligations", ())) & set(found["obligations"]), said


def test_they_are_many_and_of_all_verdicts() -> None:
    assert len(CASES) >= 260
    assert len(PROFILES) == sum(len(file["profiles"]) for file in FILES)
    verdicts = {case["wanted"]["verdict"] for case in CASES}
    assert verdicts == {"allowed", "allowed_with_obligations", "needs_review", "blocked"}


ODD: tuple[Any, ...] = (
    None, True, -1, 2**200, 1.5, float("nan"), "", "\x00", "\u202e", "\ud800", "../..",
    "A" * 100_000, [], [[]], [None], {"a": {}}, ["mit"] * 1000, ["a/b"] * 50, "https://[",
    "http://a:b@c:99999/x",
)  # fmt: skip
_CARD = (
    "license", "license_name", "license_link", "base_model", "base_model_relation", "pipeline_tag"
)  # fmt: skip


@pytest.mark.parametrize("field", [*(f"cardData.{name}" for name in _CARD), "cardData", "files",
                                   "gated", "region", "sha", "id"])  # fmt: skip
@pytest.mark.parametrize("where", ["repo", "chain"])
def test_odd_values_never_pass_as_permission(field: str, where: str) -> None:
    """Whatever stands in a card: an answer that can be written as JSON, or one of our errors; and a
    base that is not for companies stays so, unless its own label is what was changed."""
    for value in ODD:
        base = {"id": "o/base", "cardData": {"license": "cc-by-nc-4.0"}}
        repo = {"id": "p/m-GGUF", "cardData": {"license": "mit", "base_model": "o/base"}}
        broken = repo if where == "repo" else base
        table, _, name = field.rpartition(".")
        (broken[table] if table else broken)[name] = value  # type: ignore[index]
        case = {"id": "x", "repo": repo, "chain": [base], "profiles": ["p"]}
        profiles = {"p": {"commercial": True}}
        try:
            (found,) = evaluate_cases({"profiles": profiles, "cases": [case]})["cases"]
        except OpenshelfError:
            continue
        json.dumps(found)
        if (where, field) == ("chain", "cardData.license") and value == ["mit"] * 1000:
            assert found["effective"] == ["mit"]
            continue
        assert found["verdict"] in ("needs_review", "blocked"), (value, found)
