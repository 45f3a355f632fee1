"""All graph facts of a catalogue in one call."""

from __future__ import annotations

from models import Catalog, GraphFacts, Parameters
from placement.graph.groups import contradictions, merged_co_location, separated_pairs
from placement.graph.inheritance import effective_classes
from placement.graph.lineage import read_lineage, summed_flows


def derive_facts(catalog: Catalog, parameters: Parameters) -> GraphFacts:
    """Effective classes, co-location groups, separated pairs and flows of a catalogue.

    The result is the same for every order of the catalogue's relations, and but for the order of
    `effective`, which is the catalogue's, for every order of its datasets.

    Raises
    ------
    BadInput
        Datasets derive from themselves, one defect a knot of cycles; or the flows between two
        datasets add up to more than a volume can be.
    KeyError
        A relation names a dataset that is not in the catalogue (loaders refuse that).
    """
    lineage = read_lineage(catalog)
    groups = merged_co_location(catalog)
    separations = separated_pairs(catalog)
    return GraphFacts(
        effective=effective_classes(catalog, lineage, groups, parameters.cumulation_datasets_min),
        co_location=groups,
        separations=separations,
        flows=summed_flows(catalog),
        contradictions=contradictions(catalog, groups, separations),
    )
