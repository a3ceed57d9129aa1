"""License terms on a terminal: what applies, what it asks, and what the policy says."""

from __future__ import annotations

from openshelf import wording
from openshelf.cli.output import Output
from openshelf.policy.verdict import Decision


def print_decision(decision: Decision, output: Output) -> None:
    """The verdict, its reasons and every obligation with its clause."""
    license = decision.license
    names = f" (declared: {', '.join(license.declared_names)})" if license.declared_names else ""
    output.line(f"license: {license.expression or 'none'}{names}")
    for node in license.lineage:
        output.line(f"  {node.relation}: {node.repo} says {node.license}")
    verdict = wording.template(f"verdict_short_{decision.verdict.value}")
    output.line(f"verdict: {verdict}")
    for reason in decision.reasons:
        sentence = wording.sentence(reason.as_reason())
        output.line(f"  {sentence} [{reason.license} {reason.clause or reason.ref}]")
    for waived in decision.waived:
        sentence = wording.sentence(waived.reason.as_reason())
        output.line(f"  waived until {waived.until}: {sentence}")
    for flag in license.flags:
        output.line(f"  {wording.template(flag)}")
    for obligation in decision.obligations:
        if obligation.applies is False:
            mark = "not here"
        elif obligation.applies:
            mark = "applies"
        else:
            named = [wording.template(f"trigger_{name}") for name in obligation.trigger]
            mark = "depends on " + wording.join_words(named)
        output.line(f"  [{mark}] {obligation.text} ({obligation.license} {obligation.ref})")
        if obligation.exact:
            output.line(f'      "{obligation.exact}"')
    output.line("Summary by Openshelf; the license text prevails; not legal advice.")
