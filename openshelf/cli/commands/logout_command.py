"""`openshelf logout [--endpoint URL]`: forget the access token of one Hub."""

from __future__ import annotations

import argparse

from openshelf.cli.commands.login_command import chosen_endpoint
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.services import Services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", metavar="URL", help="the Hub that the token was for")


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    endpoint = chosen_endpoint(arguments, services)
    removed = services.tokens.forget(endpoint)
    output.result({"endpoint": endpoint, "removed": removed})
    output.line(
        f"The access token for {endpoint} is forgotten."
        if removed
        else f"There was no access token for {endpoint}."
    )
    return 0
