"""What goes into the acceptance log beside the terms: who, with which version, and waivers."""

from __future__ import annotations

import getpass
import logging
from dataclasses import replace

from openshelf import __version__
from openshelf.errors import BadWords, PolicyBlocked
from openshelf.library.install import InstallOffer
from openshelf.licenses.acceptance import AcceptanceForm, AcceptanceLog
from openshelf.licenses.facts import licenses_sha256
from openshelf.licenses.log_queries import WAIVED
from openshelf.policy.gate import Gate
from openshelf.policy.records import AcceptedModel, RecordContext, build_record
from openshelf.policy.verdict import Decision
from openshelf.policy.waiving import WaiverRequest, waiver_part

log = logging.getLogger(__name__)


def os_user_name() -> str:
    """What the operating system calls this person; "" where it has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, as in some containers
        return ""


def record_context(offer: InstallOffer) -> RecordContext:
    return RecordContext(
        app_version=__version__,
        os_user=os_user_name(),
        hub_gate={"gated": offer.gated, "accepted_on_hub": "unknown"},
        catalog={"version": __version__, "sha256": licenses_sha256()},
        supersedes=offer.change.accepted_in if offer.change else None,
    )


def keep_texts(acceptances: AcceptanceLog, decision: Decision) -> None:
    """Keep the texts that are accepted, as far as the disk lets us: their hashes are in the log."""
    try:
        acceptances.texts.keep(decision.license.texts)
    except OSError as error:
        log.warning("license texts cannot be kept: %s", error.strerror or type(error).__name__)


def record_waiver(
    gate: Gate,
    acceptances: AcceptanceLog,
    offer: InstallOffer,
    form: AcceptanceForm,
    request: WaiverRequest,
) -> str:
    """Write the waiver of an approver; returns its record's id.

    Raises PolicyBlocked under a managed policy, which nothing here may loosen; UsageError without
    a name and a reason, for a day that is over, and where nothing that is meant stops the model.
    """
    today = gate.decide(offer.decision.license)
    if gate.policy.managed:
        raise PolicyBlocked(offer.target, tuple(reason.as_json() for reason in today.reasons))
    if not form.display_name.strip() or not form.note.strip():
        raise BadWords(why="waiver_needs")
    if request.until < gate.today():
        raise BadWords(why="day_over", name=request.until.isoformat())
    part = waiver_part(today, request)
    if not part["reasons"]:
        raise BadWords(why="nothing_to_waive", name=offer.target)
    model = AcceptedModel(offer.repo, offer.commit, ())
    approver = replace(form, role="approver")
    record = build_record(model, today, approver, gate.policy, record_context(offer))
    return acceptances.append(
        {**record, "method": WAIVED, "waiver": part, "unreviewed": False, "supersedes": None}
    )
