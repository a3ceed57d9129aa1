"""`openshelf login [--endpoint URL]`: keep an access token for one Hub, read from stdin."""

from __future__ import annotations

import argparse
import os

from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.hub.tokens import check_token_endpoint
from openshelf.network import DEFAULT_ENDPOINT
from openshelf.services import Services


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", metavar="URL", help="the Hub that the token is for")


def chosen_endpoint(arguments: argparse.Namespace, services: Services) -> str:
    """The Hub that is named, else the one in use."""
    in_use = os.environ.get("HF_ENDPOINT") or services.settings.current.hub_endpoint
    return str(arguments.endpoint or in_use or DEFAULT_ENDPOINT)


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    endpoint = chosen_endpoint(arguments, services)
    check_token_endpoint(endpoint)
    token = interrupts.read_secret(f"Access token for {endpoint}: ")
    stored = services.tokens.store(endpoint, token)
    output.result(
        {"endpoint": stored.endpoint, "stored_in": stored.place, "path": stored.path or None}
    )
    output.line(f"The access token for {stored.endpoint} is stored in the {stored.place}.")
    if stored.path:
        output.note(
            f"There is no keychain here that keeps it, so it lies in {stored.path}, for you alone."
        )
    if stored.is_plain_http:
        output.note(f"{stored.endpoint} is not encrypted: whoever listens can read the token.")
    return 0
