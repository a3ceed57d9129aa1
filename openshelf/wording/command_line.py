"""Short words for the tables of the command line."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "fit_short_fits_gpu": "all on GPU",
    "fit_short_fits_split": "GPU + RAM",
    "fit_short_fits_cpu": "on the CPU",
    "fit_short_does_not_fit": "does not fit",
    "fit_short_unknown": "unknown",
    "packager_short_publisher": "publisher",
    "packager_short_known": "known",
    "packager_short_other": "other",
}
