"""Exports for infrastructure tools: pure functions from a plan's placements to their own forms.

| module     | for                                                                        |
|------------|----------------------------------------------------------------------------|
| export     | what all of them are made from: placements, and facts about sites          |
| ansible    | a static inventory, and the protocol of inventory scripts                  |
| terraform  | `.tfvars.json`, and the protocol of `external` data sources                |
| kubernetes | ConfigMaps, and patches of pod templates: labels, annotations, affinity    |
| tables     | CSV and Parquet: one row for each dataset at each of its sites; and JSON   |

Equal plans give equal bytes, in whatever order their parts come.
"""

from placement.provision.exports.export import Export, Replica, export_of

__all__ = ["Export", "Replica", "export_of"]
