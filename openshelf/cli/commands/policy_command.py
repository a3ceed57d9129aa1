"""`openshelf policy show|check|waive`: the rules in force, what they say, and exceptions."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from openshelf import wording
from openshelf.cli.deciding import decide, show
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.terms import print_decision
from openshelf.cli.values import refuse_stray
from openshelf.errors import BadWords, PolicyBlocked
from openshelf.library.evidence import record_waiver
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Verdict
from openshelf.licenses.facts import load_licenses
from openshelf.paths import written_path
from openshelf.policy.in_force import policy_in_force
from openshelf.policy.rules import names_of_nothing
from openshelf.policy.waiving import WaiverRequest
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.shelf.preview import PolicyPreview
from openshelf.tasks import no_report

_BELONGING = {
    "target": ("check", "waive"),
    **dict.fromkeys(("policy", "enforce"), ("check",)),
    **dict.fromkeys(
        ("accept_as", "note", "until", "license", "rule", "obligation", "on_behalf_of"), ("waive",)
    ),
}
_STOPS = (Verdict.BLOCKED, Verdict.NEEDS_REVIEW)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=("show", "check", "waive"), metavar="show|check|waive")
    parser.add_argument("target", metavar="TARGET", nargs="?", help="for check and waive")
    parser.add_argument("--policy", metavar="FILE", help="check: what if this were the policy")
    parser.add_argument("--enforce", action="store_true", help="check: exit 3 unless allowed")
    waive = parser.add_argument_group("waive")
    waive.add_argument("--accept-as", metavar="NAME", help="the approver's name (needed)")
    waive.add_argument("--note", default="", metavar="TEXT", help="the reason (needed)")
    waive.add_argument("--until", type=_day, metavar="DAY", help="2026-12-31 (needed)")
    waive.add_argument("--license", metavar="ID", help="only what this license asks")
    waive.add_argument("--rule", metavar="CODE", help="only this rule, by its code")
    waive.add_argument("--obligation", metavar="ID", help="only what is about this obligation")
    waive.add_argument("--on-behalf-of", metavar="ORG")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    refuse_stray(arguments, arguments.act, _BELONGING)
    if arguments.act == "show":
        return _show(services, output)
    if arguments.act == "waive":
        return _waive(arguments, services, output, interrupts)
    if arguments.policy:
        services = services.with_policy(written_path(arguments.policy), True)
    if arguments.target:
        return _check_target(arguments, services, output, interrupts)
    return _check_shelf(arguments, services, output)


def _check_shelf(arguments: argparse.Namespace, services: Services, output: Output) -> int:
    """The catalog and what is installed; a family counts by its model that comes off best."""
    policy = services.gate.policy
    found = services.preview_policy(policy)
    installed = {
        model.id: services.gate.decide(services.library.effective_license(model.id))
        for model in services.library.installed()
    }
    output.result(
        {
            "policy": {"name": policy.name, "source": policy.source, "sha256": policy.sha256},
            "what_if": bool(arguments.policy),
            **_preview_json(found),
            "installed": [
                {
                    "id": model_id,
                    "verdict": decision.verdict.value,
                    "reasons": [reason.as_json() for reason in decision.reasons],
                }
                for model_id, decision in installed.items()
            ],
        }
    )
    _print_preview(found, output)
    for model_id, decision in installed.items():
        output.line(f"installed: {model_id}: {_short(decision.verdict)}")
    stops = any(found.families.get(verdict) for verdict in _STOPS) or any(
        decision.verdict in _STOPS for decision in installed.values()
    )
    return PolicyBlocked.exit_code if arguments.enforce and stops else 0


def _preview_json(found: PolicyPreview) -> dict[str, Any]:
    return {
        "families": {verdict.value: count for verdict, count in found.families.items()},
        "models": {verdict.value: count for verdict, count in found.models.items()},
        "groups": [
            {
                "verdict": group.verdict.value,
                "reason": group.reason.as_json(),
                "models": list(group.models),
            }
            for group in found.groups
        ],
        "facts_missing": dict(found.waiting),
    }


def _print_preview(found: PolicyPreview, output: Output) -> None:
    output.table(
        ("VERDICT", "FAMILIES", "MODELS"),
        [
            (_short(verdict), str(count), str(found.models[verdict]))
            for verdict, count in found.families.items()
        ],
    )
    for group in found.groups:
        if group.verdict in _STOPS:
            sentence = wording.sentence(group.reason.as_reason())
            output.line()
            output.line(f"{_short(group.verdict)}: {sentence} [{group.reason.ref}]")
            output.line(f"  {', '.join(group.models)}")


def _short(verdict: Verdict) -> str:
    return wording.template(f"verdict_short_{verdict.value}")


def _show(services: Services, output: Output) -> int:
    gate = services.gate
    found = policy_in_force(gate.policy, gate.waivers(), gate.today())
    nothing = names_of_nothing(gate.policy.rules, load_licenses())
    output.result({**found, "allow_only_unknown": list(nothing)})
    if not found["exists"]:
        output.line("There is no policy: every fact is unknown, and no rule is set.")
        output.line(f"It would lie in {services.policies.current.own_path} (docs/policy.md).")
    else:
        kind = "managed by an administrator" if found["managed"] else "not managed"
        output.line(f"policy: {found['name'] or 'without a name'} ({kind})")
        output.line(f"SHA-256 {found['sha256']}")
    rows = [
        (part, row["name"], _written(row["value"]), ", ".join(row["sources"]))
        for part in ("facts", "rules", "settings")
        for row in found[part]
    ]
    if rows:
        output.table(("KIND", "NAME", "VALUE", "FROM"), rows)
    for waiver in found["waivers"]:
        state = "until" if waiver["in_force"] else "over since"
        source = waiver["record_id"] or waiver["source"]
        output.line(f"waiver: {waiver['repo']}, {state} {waiver['until']} ({source})")
    if nothing:
        output.line(wording.sentence(Reason("policy_names_nothing", {"names": nothing})))
    if found["facts_unknown"]:
        output.line(f"unknown: {', '.join(found['facts_unknown'])}")
    return 0


def _check_target(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    answer = decide(arguments.target, services, interrupts.token)
    show(answer, output)
    stops = answer.decision.verdict in _STOPS
    return PolicyBlocked.exit_code if arguments.enforce and stops else 0


def _waive(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if not arguments.target or arguments.until is None:
        raise BadWords(why="waive_needs")
    offer = services.installer.prepare(arguments.target, interrupts.token, no_report)
    form = AcceptanceForm(
        display_name=arguments.accept_as or "",
        on_behalf_of=arguments.on_behalf_of,
        note=arguments.note,
    )
    request = WaiverRequest(
        arguments.until, arguments.license, arguments.rule, arguments.obligation
    )  # fmt: skip
    waived = request.chosen(services.gate.decide(offer.decision.license))
    record_id = record_waiver(services.gate, services.acceptances, offer, form, request)
    after = services.gate.decide(offer.decision.license)
    output.result(
        {
            "record_id": record_id,
            "target": arguments.target,
            "until": arguments.until.isoformat(),
            "waived": [reason.as_json() for reason in waived],
            "verdict": after.verdict.value,
            "reasons": [reason.as_json() for reason in after.reasons],
        }
    )
    output.line(f"Waived until {arguments.until.isoformat()}, record {record_id}.")
    output.line("A waiver says what somebody decided; it is no permission by a licensor.")
    print_decision(after, output)
    return 0


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(entry) for entry in value) or "nothing"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-12-31") from error
