"""Third-party notices from the metadata of what is installed: name, version, license and its text
for each distribution that the app needs, and for what those need.

    python packaging/notices.py > THIRD_PARTY_NOTICES.txt
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_LICENSE_FILE = re.compile(r"(?i)(^|/)(licen[cs]e|copying|notice|authors)[^/]*$")
_RULE = "=" * 80


def third_party_notices() -> str:
    """One text for all distributions that the app needs, in the order of their names."""
    requirements = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    parts = [_notice(found) for _, found in sorted(_needed(requirements).items())]
    return "\n".join(["Software that Openshelf is built on", "", *parts])


def _needed(requirements: list[str]) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0]
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found or "extra ==" in requirement:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or another Python
        waiting += found[key].requires or ()
    return found


def _notice(found: Distribution) -> str:
    facts = found.metadata
    license_name = facts.get("License-Expression") or _short_license(found)
    home = facts.get("Home-page") or next(iter(facts.get_all("Project-URL") or ()), "")
    lines = [_RULE, f"{facts['Name']} {found.version}", f"License: {license_name}", home, ""]
    for file in found.files or ():
        if ".dist-info/" in str(file) and _LICENSE_FILE.search(str(file)):
            lines += [file.read_text(encoding="utf-8").strip(), ""]
    return "\n".join(lines)


def _short_license(found: Distribution) -> str:
    classifiers = found.metadata.get_all("Classifier") or ()
    names = [text.rsplit(" :: ", 1)[1] for text in classifiers if text.startswith("License ::")]
    if names:
        return ", ".join(names)
    # Some put the whole text into this field.
    return (found.metadata.get("License") or "see the project").splitlines()[0]


if __name__ == "__main__":
    sys.stdout.write(third_party_notices())
