"""The Hub's API as plain JSON: huggingface_hub asks, and what comes back is handed on as it is.

The library's own objects are not made of it: they refuse a whole list for one odd card, and what
stands in a card is up to whoever wrote it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from openshelf import __version__
from openshelf.network import NetworkOptions

Answer = dict[str, Any]


@dataclass(frozen=True)
class Api:
    """Everything is called inside of `call_library`, which makes our errors of what it raises."""

    options: NetworkOptions

    @property
    def headers(self) -> dict[str, str]:
        from huggingface_hub.utils._headers import build_hf_headers

        found: dict[str, str] = build_hf_headers(
            token=self.options.token or False,
            library_name="openshelf",
            library_version=__version__,
        )
        return found

    def models(self, limit: int, **question: Any) -> Iterator[Answer]:
        """At most `limit` entries, page after page. Raises TypeError where one is no object."""
        from huggingface_hub.utils._pagination import paginate

        params = {"limit": limit, **{k: v for k, v in question.items() if v is not None}}
        found = paginate(f"{self.options.endpoint}/api/models", params, self.headers)
        for entry in itertools.islice(found, limit):
            yield _object(entry)

    def model(self, repo_id: str, revision: str | None) -> Answer:
        """One repository with its files. Raises TypeError where the answer is none."""
        from huggingface_hub.utils._http import get_session, hf_raise_for_status

        at = "" if revision is None else f"/revision/{quote(revision, safe='')}"
        url = f"{self.options.endpoint}/api/models/{repo_id}{at}"
        answer = get_session().get(url, headers=self.headers, params={"blobs": True})
        hf_raise_for_status(answer)
        return _object(answer.json())


def _object(found: object) -> Answer:
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found
