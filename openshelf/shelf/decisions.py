"""What a catalog entry's license means here, from what the catalog declares, without the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openshelf.catalog.entries import Catalog, CatalogModel
from openshelf.licenses.license import License
from openshelf.licenses.lineage import RepoClaims, resolve
from openshelf.policy.gate import Gate
from openshelf.policy.verdict import Decision


@dataclass(frozen=True)
class CatalogDecisions:
    """Decisions for models of one catalog; each is worked out once for a policy.

    The install sheet asks the Hub and may know better: a catalog's word is a claim like any other.
    """

    catalog: Catalog
    gate: Gate
    _known: dict[tuple[str, str, str], Decision] = field(default_factory=dict)

    def decide(self, model: CatalogModel, gguf_repo: str) -> Decision:
        """For the files that `gguf_repo` makes of `model`."""
        key = (model.id, gguf_repo, self.gate.policy.sha256)
        if key not in self._known:
            self._known[key] = self.gate.decide(resolve(self._build(model, gguf_repo), self.claims))
        return self._known[key]

    def decide_repo(self, repo: str) -> Decision | None:
        """For a repository of the catalog, also a base that is no row; None for any other."""
        claims = self.claims(repo)
        return None if claims is None else self.decide_claims(claims)

    def decide_claims(self, claims: RepoClaims) -> Decision:
        """For a repository that no catalog has; its bases are known as far as ours goes."""
        return self.gate.decide(resolve(claims, self.claims))

    def claims(self, repo: str) -> RepoClaims | None:
        """What the catalog says of a repository, also of a base that is no row of its own."""
        found = self.catalog.find_model(repo)
        if found is None:
            base = self.catalog.find_base(repo)
            if base is None:
                return None
            return RepoClaims(id=base.repo, declared=base.license, region=base.origin)
        family, model = found
        if repo.casefold() != model.hub_repo.casefold():
            return self._build(model, repo)
        return RepoClaims(
            id=model.hub_repo,
            declared=model.license or None,
            region=family.origin,
            card={"base_model": list(model.lineage)} if model.lineage else {},
            multimodal=_is_multimodal(model),
        )

    def _build(self, model: CatalogModel, repo: str) -> RepoClaims:
        if repo.casefold() == model.hub_repo.casefold():
            return self.claims(repo) or RepoClaims(id=repo)
        return RepoClaims(
            id=repo,
            card={"base_model": model.hub_repo, "base_model_relation": "quantized"},
            is_card_read=False,
            multimodal=_is_multimodal(model),
        )


_WORST_FIRST = ("no", "unknown", "conditional", "yes")


def commercial_use(decision: Decision, licenses: Mapping[str, License]) -> str:
    """yes, conditional, unknown or no: the worst along the lineage."""
    values = [
        licenses[id_].commercial_use.value if id_ in licenses else "unknown"
        for id_ in decision.license.effective
    ]
    return min(values, key=_WORST_FIRST.index, default="unknown")


def _is_multimodal(model: CatalogModel) -> bool:
    return any(modality != "text" for modality in model.modalities)
