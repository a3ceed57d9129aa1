"""`openshelf servers [list|add|test|remove]`: servers to chat with, and their keys."""

from __future__ import annotations

import argparse
from typing import Any

from openshelf.chat.servers import KnownServer
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import context_length, refuse_stray
from openshelf.engine.servers import checked_server
from openshelf.errors import BadWords
from openshelf.services import Services

_BELONGING = dict.fromkeys(("key", "no_key", "context"), ("add",))
_NEEDED = {"list": 0, "add": 2, "test": 1, "remove": 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=tuple(_NEEDED), default="list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="what you call the server")
    parser.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="http://host:port, with or without /v1"
    )
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument(
        "--key", action="store_true", help="read the server's key from stdin (add); never a word"
    )
    keys.add_argument("--no-key", action="store_true", help="forget the key that is kept (add)")
    parser.add_argument(
        "--context",
        type=context_length,
        metavar="N",
        help="tokens, where the server does not tell (add)",
    )


def run(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> int:
    refuse_stray(arguments, arguments.action, _BELONGING)
    given = sum(word is not None for word in (arguments.name, arguments.address))
    if given != _NEEDED[arguments.action]:
        words = {0: "", 1: " NAME", 2: " NAME ADDRESS"}[_NEEDED[arguments.action]]
        raise BadWords(why="servers_needs", name=f"{arguments.action}{words}")
    match arguments.action:
        case "add":
            _add(arguments, services, output, interrupts)
        case "test":
            _test(arguments.name, services, output, interrupts)
        case "remove":
            server = services.servers.remove(arguments.name)
            output.result({"removed": server.name})
            output.line(f"{server.name} is forgotten, with any key that was kept for it.")
        case _:
            _list(services, output)
    return 0


def _add(
    arguments: argparse.Namespace, services: Services, output: Output, interrupts: Interrupts
) -> None:
    server = checked_server(arguments.name, arguments.address, arguments.context)
    key: str | None = "" if arguments.no_key else None
    if arguments.key:
        key = interrupts.read_secret(f"Key for {server.host}: ").strip()
        if not key:
            raise BadWords(why="no_key")
    names = {known.name.casefold(): known for known in services.servers.servers()}
    before = names.get(server.name.casefold())
    known = services.servers.keep(server, key, before.name if before else "")
    output.result(_as_json(known))
    output.line(f"{server.name} is kept: {server.address}. {_where_it_is(known)}")
    if before is not None and before.address != known.server.address:
        output.note(f"It takes the place of {before.name} at {before.address}.")
    if known.key_path:
        output.note(
            "There is no keychain here that keeps the key, "
            f"so it lies in {known.key_path}, for you alone."
        )
    if known.sends_key_openly:
        output.note(f"{server.address} is not encrypted: whoever listens can read chats and key.")


def _test(name: str, services: Services, output: Output, interrupts: Interrupts) -> None:
    test = services.servers.test(name, interrupts.token)
    models = [{"id": m.id, "context_length": m.context_length} for m in test.models]
    output.result(
        {
            "name": test.server.name,
            "address": test.server.address,
            "leaves_machine": not test.server.is_here,
            "seconds": test.seconds,
            "models": models,
        }
    )
    output.table(
        ("MODEL", "CONTEXT"),
        [(m.id, f"{m.context_length:,}" if m.context_length else "not told") for m in test.models],
    )
    if not test.models:
        output.line("It answers, and has no model loaded.")


def _list(services: Services, output: Output) -> None:
    known = services.servers.known()
    output.result({"servers": [_as_json(entry) for entry in known]})
    if not known:
        output.line("There is no server yet: openshelf servers add NAME ADDRESS")
        return
    output.table(
        ("NAME", "ADDRESS", "KEY", "MODELS", ""),
        [
            (
                entry.server.name,
                entry.server.address,
                entry.key_place or "none",
                str(len(entry.server.models)) if entry.server.models else "not asked",
                "this machine" if entry.server.is_here else "leaves this machine",
            )
            for entry in known
        ],
    )


def _where_it_is(known: KnownServer) -> str:
    if known.server.is_here:
        return "It is another program on this machine."
    return f"What you write to it leaves this machine for {known.server.host}."


def _as_json(known: KnownServer) -> dict[str, Any]:
    server = known.server
    return {
        "name": server.name,
        "address": server.address,
        "leaves_machine": not server.is_here,
        "context_length": server.context_length,
        "models": list(server.models),
        "key_stored_in": known.key_place or None,
        "key_path": known.key_path or None,
    }
