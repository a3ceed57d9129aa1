"""Short words for the tables of the command line."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    # what a license is said to be where it could not be looked up
    "terms_from_catalog_offline": "As the catalog has it, of {as_of}: offline, so nothing was looked up at {host}.",
    "terms_from_catalog_network": "As the catalog has it, of {as_of}: {host} did not answer, so nothing was looked up.",
    "terms_from_catalog_rate_limited": "As the catalog has it, of {as_of}: {host} asks to wait, so nothing was looked up.",
    "terms_from_catalog_unsure": "Nobody has checked that license in the catalog: read it before you rely on it.",
    # options of chat that change nothing
    "chat_thinking_ignored": "The template of this model has no switch for thinking: --thinking changes nothing.",
    "chat_effort_ignored": "The template of this model knows no levels of effort: --effort changes nothing.",
    "chat_tools_ignored": "The template of this model has no place for tools: it is not told of those in --tools.",
    "chat_context_ignored": "A server sets the length of its context itself: --context changes nothing.",
    "fit_short_fits_gpu": "all on GPU",
    "fit_short_fits_split": "GPU + RAM",
    "fit_short_fits_cpu": "on the CPU",
    "fit_short_does_not_fit": "does not fit",
    "fit_short_unknown": "unknown",
    "packager_short_publisher": "publisher",
    "packager_short_known": "known",
    "packager_short_other": "other",
}
