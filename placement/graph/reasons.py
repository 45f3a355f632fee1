"""Why a class differs from the declared one, in sentences. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import (
    AccessRights,
    Dataset,
    DerivedFrom,
    GdprCategory,
    Transformation,
    TransformationKind,
)
from placement.graph.cumulation import Raise
from placement.graph.lineage import Inherited, Lineage
from placement.graph.ranks import UNKNOWN, category_of, rank, rights_of, word


@dataclass(frozen=True)
class Derivation:
    """All that inheritance and cumulation found, for every dataset."""

    lineage: Lineage
    confidentiality: Inherited
    gdpr_category: Inherited
    access_rights: Inherited
    grounds: Mapping[str, frozenset[str]]
    raises: Mapping[str, Raise]


def reasons_for(dataset: Dataset, derivation: Derivation) -> tuple[str, ...]:
    """One sentence for each attribute that differs from the catalogue, and for each transformation.

    A transformation has one whether it ends inheritance or not: a reviewer reads here why a
    published aggregate keeps its own class, or why a declared one does not.
    """
    category = derivation.gdpr_category.ranks[dataset.id]
    rights = derivation.access_rights.ranks[dataset.id]
    sentences = [
        _confidentiality(dataset, derivation),
        _inherited(
            "GDPR category",
            _name(category_of(category)),
            derivation.gdpr_category,
            dataset.id,
            rank(dataset.gdpr_category),
        ),
        _inherited(
            "access rights",
            _name(rights_of(rights)),
            derivation.access_rights,
            dataset.id,
            rank(dataset.access_rights),
        ),
        _grounds(dataset, derivation),
    ]
    edges = derivation.lineage.edges[dataset.id]
    transformed = [_transformed(edge, edge.transformation) for edge in edges if edge.transformation]
    return tuple(sentence for sentence in [*sentences, *transformed] if sentence)


def _confidentiality(dataset: Dataset, derivation: Derivation) -> str:
    chain = derivation.confidentiality.chains[dataset.id]
    level = derivation.confidentiality.ranks[dataset.id]
    origin = derivation.raises.get(chain[-1])
    raised_there = origin is not None and origin.level == level
    if level == rank(dataset.confidentiality):
        return ""
    if len(chain) == 1 and origin is not None:
        return origin.reason
    sentence = _inherited(
        "confidentiality",
        word(level),
        derivation.confidentiality,
        dataset.id,
        rank(dataset.confidentiality),
    )
    return f"{sentence}, whose {origin.reason}" if origin is not None and raised_there else sentence


def _inherited(attribute: str, value: str, inherited: Inherited, name: str, declared: int) -> str:
    if inherited.ranks[name] == declared:
        return ""
    chain = inherited.chains[name]
    path = " -> ".join(chain)
    if inherited.ranks[name] == UNKNOWN:
        return f"{attribute} is unknown, because {chain[-1]} does not declare it ({path})"
    return f"{attribute} {value} is inherited from {chain[-1]} ({path})"


def _grounds(dataset: Dataset, derivation: Derivation) -> str:
    added = derivation.grounds[dataset.id] - set(dataset.non_publication_grounds)
    if not added:
        return ""
    sources = [s for s in derivation.lineage.sources[dataset.id] if derivation.grounds[s] & added]
    return f"non-publication grounds {', '.join(sorted(added))} come from {', '.join(sources)}"


def _transformed(edge: DerivedFrom, transformation: Transformation) -> str:
    what = f"{transformation.kind.value} of {edge.source} ({transformation.method})"
    if transformation.ends_inheritance:
        return (
            f"the {what} ends inheritance: reviewed by {transformation.reviewed_by} "
            f"on {transformation.reviewed_on}"
        )
    why = {
        TransformationKind.PSEUDONYMISATION: (
            "pseudonymised data is personal data (GDPR recital 26)"
        ),
        TransformationKind.SELECTION: "a part of the data is as sensitive as the data",
    }.get(transformation.kind, "it has not been reviewed, or the review has no name or no date")
    return f"the {what} does not end inheritance: {why}"


def _name(value: GdprCategory | AccessRights | None) -> str:
    return "unknown" if value is None else value.value.replace("_", " ")
