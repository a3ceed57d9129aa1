"""What a search finds on a Hub that is not there, and a fake that hands it out."""

from __future__ import annotations

from dataclasses import replace

from openshelf.catalog.entries import CatalogModel, CatalogShape, Family, Languages
from openshelf.hardware.facts import Machine
from openshelf.hub.entries import Repo, SearchHit
from openshelf.licenses.clearance import Verdict
from openshelf.reasons import Reason
from openshelf.shelf.rows import QualityKept, RankedVariant, ShelfQuestion, ShelfRow, Variant
from openshelf.shelf.search import HubRow, SearchAnswer, SearchQuestion
from openshelf.tasks import CancelToken
from tests.fakes.example_data import COMMIT, example_decision, example_machine, example_shelf

_FOUND = (
    ("mradermacher/Qwen3-14B-Wild-i1-GGUF", 48_200, ("mit",), Verdict.ALLOWED),
    ("eve/Zeta-9B-GGUF", 1_310, ("cc-by-nc-4.0",), Verdict.NEEDS_REVIEW),
    ("eve/<b>Bold</b>-GGUF", 3, ("unknown",), Verdict.BLOCKED),
)


def example_hub_row(
    repo: str, downloads: int, licenses: tuple[str, ...], verdict: Verdict
) -> HubRow:
    """A repository that nobody reviewed, with the fit of the example shelf's first variant."""
    shown = example_shelf(example_machine(), ShelfQuestion()).rows[0].shown
    assert shown is not None
    owner, _, name = repo.partition("/")
    model = CatalogModel(
        id=f"hub:{repo}", name=repo, hub_repo=repo, gguf_repos=(repo,),
        shape=CatalogShape("llama", *([None] * 6)), parameters=9_000_000_000,
        active_parameters=None, weights_count=9_000_000_000, license=licenses[0],
        languages=Languages(None), modalities=(), capabilities=(), release_date=None,
        label="9.0B",
    )  # fmt: skip
    family = Family(f"hub:{repo}", name.removesuffix("-GGUF"), owner, None, (model,))
    variant = Variant(
        family, model, repo, "Q4_K_M", 5_600_000_000, True, owner, f"{repo}:Q4_K_M", ("a.gguf",)
    )
    told = Reason("search_not_reviewed", {"repo": repo, "owner": owner, "count": downloads})
    ranked = RankedVariant(
        variant, shown.fit, QualityKept(None, "unknown"), (told,),
        example_decision(verdict, *licenses),
    )  # fmt: skip
    hit = SearchHit(Repo(repo, COMMIT, (), downloads=downloads), 7, licenses[0])
    return HubRow(ShelfRow(family, ranked, None), hit, is_known=False)


class FakeSearch:
    """Finds `rows`, or tells `notes` in their place; remembers what it was asked."""

    def __init__(self) -> None:
        self.rows = tuple(example_hub_row(*found) for found in _FOUND)
        self.notes: tuple[Reason, ...] = ()
        self.asked: list[SearchQuestion] = []

    def __call__(
        self, machine: Machine, question: SearchQuestion, cancel: CancelToken
    ) -> SearchAnswer:
        self.asked.append(question)
        shelf = replace(example_shelf(machine, question.shelf), starters=())
        rows = () if self.notes else self.rows
        return SearchAnswer(question.text, shelf, rows, self.notes)
