"""What `shelf` and `search` are asked for: the setup, a preference and the filters."""

from __future__ import annotations

import argparse

from openshelf.cli.machines import add_setup_arguments
from openshelf.shelf.rows import ShelfQuestion


def add_question_arguments(parser: argparse.ArgumentParser) -> None:
    add_setup_arguments(parser)
    parser.add_argument("--prefer", choices=("speed", "balance", "quality"), default="balance")
    parser.add_argument("--fits", action="store_true", help="only what runs on the machine")
    parser.add_argument(
        "--use",
        choices=("commercial",),
        help="only what its license is known to allow in business, with conditions or without",
    )
    parser.add_argument("--language", metavar="xx", help="ISO 639-1")
    parser.add_argument("--license", metavar="ID")
    parser.add_argument("--origin", metavar="CC", help="ISO 3166 alpha-2")
    parser.add_argument("--capability", metavar="C", help="chat, reasoning, tools, code…")
    parser.add_argument("--modality", metavar="M", help="text, vision, audio…")
    parser.add_argument(
        "--packager", metavar="P", help="an account on the Hub, or publisher: the model's own"
    )


def asked_question(arguments: argparse.Namespace) -> ShelfQuestion:
    return ShelfQuestion(
        context_length=arguments.context,
        prefer=arguments.prefer,
        kv_type=arguments.kv_type,
        language=arguments.language,
        license=arguments.license,
        origin=arguments.origin,
        use=arguments.use,
        capability=arguments.capability,
        modality=arguments.modality,
        packager=arguments.packager,
        fits_only=arguments.fits,
    )
