"""A team's questions, answered from facts: each with its source, and "unknown" without one."""

from __future__ import annotations

import json
import re
import string
from dataclasses import replace

import pytest

from openshelf import wording
from openshelf.catalog.entries import Openness
from openshelf.catalog.loader import load_catalog
from openshelf.fit.memory import FitRequest
from openshelf.hardware.facts import Machine
from openshelf.hardware.profiles import find_machine
from openshelf.licenses.facts import load_licenses
from openshelf.licenses.lineage import RepoClaims, resolve
from openshelf.policy.gate import Gate
from openshelf.policy.organization import Organization, Policy
from openshelf.policy.rules import decide
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.build_sources import expected_builds
from openshelf.shelf.builds import ModelListing, fit_build
from openshelf.shelf.decisions import CatalogDecisions
from openshelf.shelf.evidence import Evidence, Mark
from openshelf.shelf.four_questions import FourQuestions, answer_questions
from openshelf.wording.answers import TEMPLATES
from tests.fakes.example_data import COMMIT, example_machine, example_offer
from tests.fakes.example_models import example_listing
from tests.fakes.services import FakeRecords

LICENSES = load_licenses()
TODAY = "2026-11-26"
TEAM = Policy(
    organization=Organization(commercial=True, domicile="DE", redistributes=True),
    name="House rules",
    sha256="ab",
)


def decided(*licenses: str, policy: Policy | None = None, **claims: object) -> Decision:
    card = {"license": list(licenses)} if licenses else {}
    found = resolve(RepoClaims("a/m", card=card, **claims), lambda _: None)  # type: ignore[arg-type]
    return decide(found, LICENSES, policy or Policy())


def example(machine: Machine | None = None, **changes: object) -> FourQuestions:
    """The answers for a build of Qwen3-14B, nothing asked of the Hub."""
    listing = example_listing()
    build = listing.builds[3]
    on = machine or example_machine()
    evidence = Evidence(
        listing, LICENSES, TODAY, build=build, machine=on, decision=decided("apache-2.0"),
        fit=fit_build(build, on, FitRequest(context_length=8192)),
    )  # fmt: skip
    return answer_questions(replace(evidence, **changes))


def said(answers: FourQuestions, question: str, topic: str) -> str:
    answer = answers.find(question, topic)
    assert answer is not None, topic
    return " ".join(wording.sentence(reason) for reason in answer.says)


def source(answers: FourQuestions, question: str, topic: str) -> str:
    answer = answers.find(question, topic)
    assert answer is not None
    return wording.sentence(answer.source) if answer.source else ""


def mark(answers: FourQuestions, question: str, topic: str) -> Mark:
    answer = answers.find(question, topic)
    assert answer is not None
    return answer.mark


def unfilled(reason: Reason) -> set[str]:
    """Fields of the sentence that nobody gave."""
    text = wording.TEMPLATES[reason.code]
    fields = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return {name for name in fields if reason.data.get(name) is None}


def check_all(answers: FourQuestions) -> None:
    """Every answer has words, all figures, and a source where something is known."""
    for question in answers.questions:
        assert f"question_{question.id}" in TEMPLATES
        topics = [answer.topic for answer in question.answers]
        assert len(set(topics)) == len(topics)
        for answer in question.answers:
            assert f"topic_{answer.topic}" in TEMPLATES
            assert answer.says
            assert (answer.source is not None) or answer.mark is Mark.UNKNOWN, answer
            for reason in (*answer.says, *([answer.source] if answer.source else [])):
                assert unfilled(reason) == set(), (answer.topic, reason)
                assert not re.search(r"None|\{|LicenseRef", wording.sentence(reason)), reason
    json.dumps(answers.as_json())


def test_every_model_of_the_catalog_is_answered_without_a_network() -> None:
    catalog = load_catalog()
    decisions = CatalogDecisions(catalog, Gate(LICENSES, TEAM, FakeRecords()))
    machines = [find_machine("RTX 4060 8 GB + 32 GB"), find_machine("CPU only 16 GB")]
    for family in catalog.families:
        for model in family.models:
            builds = tuple(expected_builds(model, model.gguf_repos))
            decision = decisions.decide(model, model.hub_repo)
            listing = ModelListing(model.name, family, model, builds, decision)
            build = builds[len(builds) // 2] if builds else None
            for machine in machines:
                fit = None
                if build is not None and build.shape is not None:
                    fit = fit_build(build, machine, FitRequest())
                evidence = Evidence(
                    listing, LICENSES, TODAY, build=build, fit=fit, machine=machine,
                    decision=decision,
                )  # fmt: skip
                answers = answer_questions(evidence)
                check_all(answers)
                assert said(answers, "legal", "license") != wording.template("answer_unknown")
                assert mark(answers, "security", "gated") is Mark.UNKNOWN


@pytest.mark.parametrize("license_id", sorted(LICENSES.keys() - {"none", "unknown"}))
@pytest.mark.parametrize("policy", [Policy(), TEAM], ids=["nobody", "team"])
def test_every_license_is_answered(license_id: str, policy: Policy) -> None:
    home = LICENSES[license_id].ids.organizations
    card = {"license": "other", "license_name": license_id}
    found = resolve(RepoClaims(f"{home[0] if home else 'a'}/m", card=card), lambda _: None)
    answers = example(decision=decide(found, LICENSES, policy))
    check_all(answers)
    verdict = said(answers, "legal", "verdict")
    assert f"as of {TODAY}" in verdict + source(answers, "legal", "verdict")
    assert not re.match(r"(yes|no)\b", verdict, re.IGNORECASE)


def test_nothing_is_known_of_nothing() -> None:
    listing = ModelListing("x", None, None, (), None)
    answers = answer_questions(Evidence(listing, LICENSES, TODAY))
    check_all(answers)
    known = {
        answer.topic
        for question in answers.questions
        for answer in question.answers
        if answer.mark is not Mark.UNKNOWN
    }
    # What Openshelf does itself is known whatever the model.
    assert known == {"format", "isolation", "upgrades"}


def test_what_nobody_assessed_is_listed() -> None:
    listed = [wording.sentence(reason) for reason in example().not_assessed]
    for words in ("Sanctions", "Export control", "EU AI Act", "OSAID"):
        assert any(words in text for text in listed), words


def test_llama_asks_for_its_badge_and_keeps_the_name() -> None:
    answers = example(decision=decided("llama3.1"))
    branding = said(answers, "control", "branding")
    assert "“Built with Llama” (llama3.1 §1.b.i(B))" in branding
    assert "Start the name of what you publish with “Llama”." in branding
    assert "Give every recipient a copy" in said(answers, "control", "redistribution")
    assert "can change later" in said(answers, "control", "upgrades")
    assert "Meta may end it on breach" in said(answers, "control", "ending")
    assert "700 million" in said(answers, "legal", "limits")
    assert "allowed under conditions" in said(answers, "legal", "commercial_use")
    assert "llama3.1 §1.a, §2" in source(answers, "legal", "commercial_use")
    assert "not approved by OSI" in said(answers, "legal", "osi")


def test_duties_that_bite_are_told_from_those_that_do_not() -> None:
    nobody = said(example(decision=decided("apache-2.0")), "control", "redistribution")
    assert "May apply: a fact is missing." in nobody
    team = example(decision=decided("apache-2.0", policy=TEAM))
    assert "May apply" not in said(team, "control", "redistribution")
    facts = Organization(redistributes=False, distributes_derivatives=False)
    at_home = example(decision=decided("apache-2.0", policy=Policy(organization=facts)))
    assert "Does not apply to you." in said(at_home, "control", "redistribution")


def test_both_licenses_of_a_chain_answer() -> None:
    answers = example(decision=decided("mit", "llama3.1"))
    text = said(answers, "legal", "commercial_use")
    assert "MIT License: allowed." in text
    assert "Llama 3.1 Community License Agreement: allowed under conditions." in text


@pytest.mark.parametrize("licenses", [(), ("something-of-ours",)])
def test_an_unknown_license_leaves_what_follows_unknown(licenses: tuple[str, ...]) -> None:
    answers = example(decision=decided(*licenses))
    check_all(answers)
    for topic in ("license", "commercial_use", "obligations", "limits", "osi"):
        assert mark(answers, "legal", topic) is Mark.UNKNOWN, topic
    for topic in ("branding", "redistribution", "derivatives", "vendors"):
        assert mark(answers, "control", topic) is Mark.UNKNOWN, topic
    assert "No duty" not in json.dumps(answers.as_json())


def test_one_unknown_license_beside_a_known_one_makes_it_doubtful() -> None:
    answers = example(decision=decided("mit", "something-of-ours"))
    assert mark(answers, "legal", "license") is Mark.UNKNOWN
    assert mark(answers, "legal", "limits") is Mark.UNVERIFIED
    assert mark(answers, "control", "branding") is Mark.UNVERIFIED


def test_the_installer_s_offer_knows_hashes_commit_and_gate() -> None:
    before = example()
    assert mark(before, "security", "hashes") is Mark.UNKNOWN
    offer = replace(example_offer(), gated=True)
    answers = example(offer=offer, decision=offer.decision)
    check_all(answers)
    assert "SHA-256" in said(answers, "security", "hashes")
    assert offer.files[0].sha256[:12] in said(answers, "security", "hashes")
    assert COMMIT[:8] in said(answers, "security", "commit")
    assert "asks for a form" in said(answers, "security", "gated")
    assert "Hub: bartowski" in source(answers, "security", "gated")
    assert "209 GB" not in said(before, "infrastructure", "disk")
    assert "free here: 212 GB" in said(answers, "infrastructure", "disk")


def test_packagers_are_told_apart() -> None:
    listing = example_listing()
    names = {build.packager.name: build for build in listing.builds}
    publisher = said(example(build=names["Qwen"]), "security", "packager")
    assert "published the model" in publisher
    assert "is not the publisher" in said(example(build=names["bartowski"]), "security", "packager")
    stranger = example(build=names["nobody"])
    assert "knows nothing" in said(stranger, "security", "packager")
    assert mark(stranger, "security", "packager") is Mark.UNKNOWN


def test_the_machine_s_figures_add_up_and_say_how_sure() -> None:
    answers = example()
    listing = example_listing()
    fit = fit_build(listing.builds[3], example_machine(), FitRequest(context_length=8192))
    assert fit is not None
    memory = answers.find("infrastructure", "memory")
    assert memory is not None
    data = memory.says[0].data
    parts = ("weights_bytes", "kv_cache_bytes", "compute_buffer_bytes")
    beside = sum(reason.data["size_bytes"] for reason in memory.says[1:])
    assert beside > 0
    assert sum(data[part] for part in parts) + beside == data["total_bytes"] == fit.total_bytes
    assert memory.mark is Mark.EXPECTED
    laid_out = replace(fit, method="dry-run")
    sure = example(fit=laid_out)
    assert mark(sure, "infrastructure", "memory") is Mark.KNOWN
    assert "The engine itself" in source(sure, "infrastructure", "memory")
    assert mark(answers, "infrastructure", "engine") is Mark.UNKNOWN
    assert "llama.cpp 0.5.0-dev laid it out here" in said(sure, "infrastructure", "engine")


def test_an_engine_that_refuses_is_quoted() -> None:
    listing = example_listing()
    fit = fit_build(listing.builds[3], example_machine(), FitRequest())
    assert fit is not None
    refusal = Reason("fit_engine_lacks_architecture", {"architecture": "new"})
    answers = example(fit=replace(fit, reasons=(refusal,)))
    assert "does not know the architecture new" in said(answers, "infrastructure", "engine")


def test_what_does_not_fit_says_what_would() -> None:
    listing = example_listing()
    machine = find_machine("CPU only 16 GB")
    largest = listing.builds[0]
    fit = fit_build(largest, machine, FitRequest())
    assert fit is not None
    assert not fit.verdict.fits
    answers = example(machine=machine, build=largest, fit=fit)
    text = said(answers, "infrastructure", "fit")
    assert "Too large by" in text
    assert "Choose a smaller variant" in text
    assert mark(answers, "product", "speed") is Mark.UNKNOWN
    assert "What if it were CPU only 16 GB" in said(answers, "infrastructure", "machine")


def test_facts_that_nobody_checked_are_marked() -> None:
    listing = example_listing()
    assert listing.model is not None
    openness = Openness(True, "not released", "inference only")
    model = replace(listing.model, unverified=("openness", "capabilities"), openness=openness)
    answers = example(listing=replace(listing, model=model))
    assert mark(answers, "product", "openness") is Mark.UNVERIFIED
    assert mark(answers, "product", "capabilities") is Mark.UNVERIFIED
    assert mark(answers, "product", "languages") is Mark.KNOWN
    assert "Training data: not released" in said(answers, "product", "openness")
    bare = example(listing=replace(listing, model=None, family=None))
    assert mark(bare, "product", "openness") is Mark.UNKNOWN
