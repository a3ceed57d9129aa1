"""Accepting terms on a command line: by an option, or typed by a person who has read them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from openshelf import wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.terms import print_decision, print_terms_change
from openshelf.errors import BadWords, LicenseNotAccepted
from openshelf.library.install import InstallOffer
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Clearance
from openshelf.paths import written_path
from openshelf.reasons import Reason
from openshelf.services import Services


def add_acceptance_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept", action="store_true", help="the terms that `openshelf license` shows"
    )
    parser.add_argument("--accept-as", metavar="NAME", help="name for the record")
    parser.add_argument("--on-behalf-of", metavar="ORG")
    parser.add_argument("--note", default="", metavar="TEXT")
    parser.add_argument("--policy", metavar="FILE")


def under_policy(arguments: argparse.Namespace, services: Services) -> Services:
    """The services under `--policy`. Raises UsageError where the policy is managed."""
    if not arguments.policy:
        return services
    if services.gate.policy.managed:
        raise BadWords(why="policy_managed")
    return services.with_policy(written_path(arguments.policy), False)


_MOST_DIFF_LINES = 400
"""Of each text that changed: more is no help to somebody who is to say yes to it."""


@dataclass(frozen=True)
class Terminal:
    output: Output
    interrupts: Interrupts


def clearance_for(
    arguments: argparse.Namespace, services: Services, offer: InstallOffer, terminal: Terminal
) -> Clearance:
    """From an earlier acceptance, from `--accept`, or from a person at the terminal."""
    output = terminal.output
    _tell_change(offer, output)
    try:
        clearance = services.installer.clear(offer)
    except LicenseNotAccepted:
        pass
    else:
        if arguments.accept and clearance.record_id:
            data = {"record_id": clearance.record_id}
            output.note(wording.sentence(Reason("log_accepted_before", data)))
        return clearance
    output.line(f"{offer.model_name} {offer.quant or ''} from {offer.repo}")
    print_decision(offer.decision, output)
    method = "--accept"
    if not arguments.accept:
        if output.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise _not_accepted(offer, "nobody_to_ask")
        typed = terminal.interrupts.read_line("Type `accept` to accept these terms: ")
        if typed.strip().casefold() != "accept":
            raise _not_accepted(offer, "declined")
        method = "typed"
    form = AcceptanceForm(
        display_name=arguments.accept_as or "",
        on_behalf_of=arguments.on_behalf_of,
        note=arguments.note,
        method=method,
    )
    return services.installer.accept(offer, form)


def _not_accepted(offer: InstallOffer, why: str) -> LicenseNotAccepted:
    return LicenseNotAccepted(offer.target, offer.decision.license.effective, why)


def _tell_change(offer: InstallOffer, output: Output) -> None:
    """Where other terms were accepted before, what changed comes before every question."""
    change = offer.change
    if change is None:
        return
    if output.as_json:
        data = {"day": change.accepted_on}
        output.note(wording.sentence(Reason("terms_changed_since", data)))
    print_terms_change(change, output, most_lines=_MOST_DIFF_LINES)
