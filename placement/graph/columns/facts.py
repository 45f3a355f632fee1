"""All graph facts of a catalogue kept as columns, in one call."""

from __future__ import annotations

from models import Parameters
from models.columns import CatalogColumns, FactColumns
from placement.graph.columns.classes import effective_columns
from placement.graph.columns.flows import summed_flows
from placement.graph.columns.groups import contradictions, merged_co_location, separated_pairs
from placement.graph.columns.lineage import distinct_pairs, inheritance


def derive_fact_columns(columns: CatalogColumns, parameters: Parameters) -> FactColumns:
    """Effective classes, co-location groups, separated pairs and flows of N datasets.

    Equal, value for value, to `placement.graph.derive_facts` on the same catalogue; but where
    relations contradict each other more than a thousand times, the last sentence counts the rest.
    The result is the same for every order of the relations and of the kinds.

    Raises
    ------
    BadInput
        Datasets derive from themselves, one defect a knot of cycles; the flows between two
        datasets add up to more than a volume can be; or separated groups have more pairs than can
        be written out.
    """
    pairs = distinct_pairs(columns)
    lineage = inheritance(columns, pairs)
    groups = merged_co_location(columns.co_located)
    apart = separated_pairs(columns.separated, len(columns))
    classes = effective_columns(columns, lineage, groups, parameters.cumulation_datasets_min)
    flows = summed_flows(columns, pairs)
    return FactColumns(
        confidentiality=classes.confidentiality,
        gdpr_category=classes.gdpr_category,
        access_rights=classes.access_rights,
        grounds_of=classes.grounds_of,
        grounds=classes.grounds,
        co_location=groups,
        pair_first=apart.first,
        pair_second=apart.second,
        pair_whole_operator=apart.whole_operator,
        flow_source=flows.source,
        flow_derived=flows.derived,
        flow_ugb=flows.ugb,
        contradictions=contradictions(columns, groups, apart),
    )
