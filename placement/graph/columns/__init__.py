"""What follows from the relations of a catalogue kept as columns: `derive_facts` for millions.

The definition is that of `placement.graph.inheritance`, value for value. Chains and reasons are
not kept for all; `explain_effective` works them out for one dataset.
"""

from placement.graph.columns.explaining import explain_effective
from placement.graph.columns.facts import derive_fact_columns

__all__ = ["derive_fact_columns", "explain_effective"]
