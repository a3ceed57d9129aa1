"""License terms on a terminal: what applies, what it asks, and what the policy says."""

from __future__ import annotations

from openshelf import wording
from openshelf.cli.output import Output
from openshelf.licenses.changed_words import marked_diff
from openshelf.licenses.changes import TermsChange, TextChange
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason


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


def print_terms_change(change: TermsChange, output: Output, *, most_lines: int) -> None:
    """What was accepted and what it is now; each text with at most so many lines of its diff."""
    code = "terms_changed_since" if change.accepted_on else "terms_changed"
    output.line(f"  {wording.sentence(Reason(code, {'day': change.accepted_on}))}")
    output.line(f"  before: {change.before.expression or 'none'}")
    output.line(f"  now:    {change.after.expression or 'none'}")
    for text in change.changed_texts:
        _print_text_change(text, output, most_lines)


def _print_text_change(text: TextChange, output: Output, most_lines: int) -> None:
    facts = {"license": text.license, "url": text.url}
    output.line(f"  {wording.sentence(Reason(f'text_changed_{text.kind}', facts))}")
    if not text.is_compared:
        output.line(f"    {wording.template('text_not_compared')}")
    elif not text.passages:
        output.line(f"    {wording.template('text_same_words')}")
    for line in marked_diff(text.diff[:most_lines]):
        output.line(f"    {line}")
    if len(text.diff) > most_lines:
        output.line(f"    … {len(text.diff) - most_lines} more lines (update --json has all)")
