"""`openshelf license TARGET`: the effective license, its obligations and the verdict."""

from __future__ import annotations

import argparse
import json

from openshelf.cli.deciding import decide, show
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import refuse_stray
from openshelf.errors import BadFile, BadWords, NotFound, PolicyBlocked
from openshelf.licenses.clearance import Verdict
from openshelf.paths import written_path
from openshelf.services import Services

_BELONGING = dict.fromkeys(("target", "policy", "enforce"), ("license without --case",))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", nargs="?")
    parser.add_argument("--policy", metavar="FILE", help="what if this were the policy")
    parser.add_argument("--case", metavar="FILE", help="answer cases from a file, without network")
    parser.add_argument("--enforce", action="store_true", help="exit 3 unless allowed")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    if arguments.case:
        refuse_stray(arguments, "--case", _BELONGING)
        return _answer_cases(arguments.case, output)
    if not arguments.target:
        raise BadWords(why="license_needs")
    if arguments.policy:
        services = services.with_policy(written_path(arguments.policy), True)
    answer = decide(arguments.target, services, interrupts.token)
    show(answer, output)
    stops = answer.decision.verdict in (Verdict.BLOCKED, Verdict.NEEDS_REVIEW)
    return PolicyBlocked.exit_code if arguments.enforce and stops else 0


def _answer_cases(name: str, output: Output) -> int:
    from openshelf.policy.cases import evaluate_cases

    try:
        data = json.loads(written_path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound("path", name) from error
    except (ValueError, RecursionError) as error:
        raise BadFile(str(error), name, "not_json") from error
    answer = evaluate_cases(data)
    output.result(answer)
    output.table(
        ("CASE", "PROFILE", "EFFECTIVE", "VERDICT"),
        [
            (case["id"], case["profile"], " AND ".join(case["effective"]), case["verdict"])
            for case in answer["cases"]
        ],
    )
    return 0
