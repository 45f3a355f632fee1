"""Terraform and OpenTofu: variables for `for_each`, and the protocol of `external` data sources.

A `.tfvars.json` declares nothing: the types stand in `placement/example/export/replicas.tf`. Every
object has every attribute, null where there is no value, so that one type fits all.

An `external` data source runs a program, gives it a JSON object of texts, and takes one back. It
knows neither lists nor null: lists come as JSON (`jsondecode(...)`), and what is missing is "".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from placement.errors import BadInput, Defect
from placement.provision.exports.export import Export, Replica
from placement.provision.exports.texts import json_line, json_text

QUERY = "standard input"
_KEYS = ("dataset", "site")


def variables(export: Export) -> str:
    """A `.tfvars.json`: `placement_plan`, and `placement_replicas` by DATASET@SITE."""
    return json_text(
        {
            "placement_plan": export.origin.model_dump(mode="json"),
            "placement_replicas": {
                f"{replica.dataset}@{replica.site}": _facts(replica) for replica in export.replicas
            },
        }
    )


def external(export: Export, query: Any) -> str:
    """The answer to an `external` data source.

    Parameters
    ----------
    query
        {"dataset": ID}, for which a dataset's only replica is the answer, or with a "site" as well.

    Raises
    ------
    BadInput
        When the query is none, or the plan has no such replica.
    """
    dataset, site = _asked(query)
    of_dataset = [replica for replica in export.replicas if replica.dataset == dataset]
    if not of_dataset:
        raise _defect("dataset", f"the plan places no dataset {dataset}")
    found = [replica for replica in of_dataset if site in (None, replica.site)]
    sites = ", ".join(replica.site for replica in of_dataset)
    if not found:
        raise _defect("site", f"{dataset} does not rest at {site}, but at {sites}")
    if len(found) > 1:
        raise _defect("site", f"{dataset} rests at several sites: name one of {sites}")
    facts = export.origin.model_dump(mode="json") | _facts(found[0])
    return json_text({name: _text(value) for name, value in facts.items()})


def _asked(query: Any) -> tuple[str, str | None]:
    if not isinstance(query, Mapping):
        raise _defect("", 'an object such as {"dataset": "trees"} is expected')
    strange = sorted(set(query) - set(_KEYS))
    if strange:
        raise _defect(strange[0], "not a key of a query: dataset, site")
    for key, value in query.items():
        if not isinstance(value, str):
            raise _defect(key, "a text is expected")
    if "dataset" not in query:
        raise _defect("dataset", "missing")
    return query["dataset"], query.get("site")


def _facts(replica: Replica) -> dict[str, Any]:
    return replica.model_dump(mode="json") | {"classification": replica.classification}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json_line(value)


def _defect(field: str, message: str) -> BadInput:
    return BadInput([Defect(QUERY, "", field, message)])
