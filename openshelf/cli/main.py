"""The words of the command line, and the way from an error to an exit code."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from typing_extensions import override

from openshelf import __version__, wording
from openshelf.cli.interrupts import Interrupts
from openshelf.cli.output import Output
from openshelf.cli.values import refuse_empty
from openshelf.errors import CancelledByUser, OpenshelfError, UsageError

if TYPE_CHECKING:
    from openshelf.engine.builds import Builds

# One module each in openshelf/cli/commands; none imports anything heavy before it runs.
COMMANDS = {
    "hardware": "what was found, what the engine can use, and why not",
    "engine": "the engine builds, their devices, which architectures they load; choose one",
    "shelf": "the best variant of each family for a machine",
    "search": "models by words, in the catalog and on the Hub",
    "fit": "memory and speed of one model on a machine",
    "variants": "all builds of one model, and what each takes",
    "license": "the effective license, its obligations and the verdict",
    "install": "gate, space, download, verify, register",
    "downloads": "what is unfinished: list, pause, resume, cancel",
    "list": "what is installed",
    "roots": "the folders with models: list, add, remove, default, scan",
    "verify": "SHA-256 of installed files against the manifest: one model, or all",
    "update": "what a newer commit would bring: its license first, then its files",
    "import": "models that lie on this disk, of other programs too, without copying them",
    "export": "models with their licenses, records and hashes, for another machine",
    "remove": "take an installed model's files away, to the trash",
    "login": "keep an access token for a Hub, read from stdin",
    "logout": "forget the access token of a Hub",
    "chat": "one answer with --prompt, a conversation without",
    "servers": "servers to chat with: list, add, test, remove",
    "bench": "prompt and generation speed of an installed model",
    "recipe": "how to start a model that does not fit here on a larger machine",
    "policy": "the rules in force, what they say of a model, and exceptions from them",
    "bom": "everything that is installed as a CycloneDX document",
    "acceptances": "what was accepted: list, verify, export, revoke, names",
    "doctor": "a report for a bug: versions, devices, paths, last errors, redacted",
}

_CONTEXT_COMMANDS = ("chat", "bench")
"""Those whose `--context` is for the load that follows."""


class _Parser(argparse.ArgumentParser):
    """Raises UsageError instead of leaving, so that `--json` holds for wrong words too."""

    @override
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see: {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    # Before or after the command: the second set must not overwrite the first with its defaults.
    common = _common_options(argparse.SUPPRESS)
    parser = _Parser(
        prog="openshelf",
        description="Which open-weight models does this machine run, and what would you owe? "
        "Without arguments the window opens.",
        parents=[_common_options(None)],
    )
    parser.add_argument("--version", action="version", version=f"openshelf {__version__}")
    words = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        module = import_module(f"openshelf.cli.commands.{_module_name(name)}")
        word = words.add_parser(name, help=summary, description=summary, parents=[common])
        module.add_arguments(word)
    return parser


def _common_options(default: str | None) -> _Parser:
    options = _Parser(add_help=False, argument_default=default)
    options.add_argument("--json", action="store_true", default=default, help="one JSON object")
    options.add_argument(
        "--progress", choices=("auto", "bar", "json", "none"), default=default, help="on stderr"
    )
    options.add_argument("--debug", action="store_true", default=default, help="show tracebacks")
    return options


def run_command(words: list[str]) -> int:
    """Run one command; returns the exit code of docs/cli.md. No traceback without `--debug`."""
    output = Output(as_json="--json" in words)
    try:
        arguments = build_parser().parse_args(words)
        refuse_empty(arguments)
        output.progress = _progress_kind(arguments.progress or "auto")
        status = _run(arguments, output)
        output.finish()
        return status
    except OpenshelfError as error:
        return _failed(error, output, words)
    except KeyboardInterrupt:  # before there is anything that could be stopped in order
        return _failed(CancelledByUser(), output, words)
    except BrokenPipeError:
        # Whoever read our output has gone (`openshelf shelf | head`): nobody is left to tell.
        sys.stderr.close()
        return 1
    except SystemExit as leaving:  # --help and --version
        return int(leaving.code or 0)


def _failed(error: OpenshelfError, output: Output, words: list[str]) -> int:
    if "--debug" in words:
        raise error
    output.error(error)
    return error.exit_code


def _run(arguments: argparse.Namespace, output: Output) -> int:
    from openshelf.logs import set_up_logging
    from openshelf.paths import find_paths
    from openshelf.wiring import build_services

    command = import_module(f"openshelf.cli.commands.{_module_name(arguments.command)}")
    paths = find_paths()
    set_up_logging(paths.logs, debug=bool(arguments.debug))
    interrupts = Interrupts()
    services = build_services(
        paths,
        keep_chats=False,
        is_strict=arguments.command != "doctor",
        context_length=arguments.context if arguments.command in _CONTEXT_COMMANDS else None,
    )
    services.engine_builds.announcer.subscribe(partial(_note_other_build, output))
    try:
        for problem in services.problems():
            output.note(wording.sentence(problem))
        result: Any = command.run(arguments, services, output, interrupts)
        return int(result)
    finally:
        services.close()
        interrupts.close()


def _note_other_build(output: Output, builds: Builds) -> None:
    if builds.replaced is not None and builds.problem is not None:
        words = f"{wording.sentence(builds.replaced)} {wording.error_sentence(builds.problem)}"
        output.note(f"openshelf: {words}")
    if builds.without_gpu is not None:
        output.note(f"openshelf: {wording.sentence(builds.without_gpu)}")


def _module_name(command: str) -> str:
    # `list` and `license` would shadow builtins as module-level names elsewhere.
    return f"{command}_command"


def _progress_kind(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "bar" if sys.stderr.isatty() else "none"
