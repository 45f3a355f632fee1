"""Kubernetes: what a workload that works on a dataset has to carry, and where it may run.

For each dataset a ConfigMap says so to whoever watches the cluster, and holds a strategic merge
patch of a pod template for `kubectl patch deployment NAME --patch-file`: labels, annotations, and
a node affinity with the sites where the dataset rests. Nodes say where they are by the label
PREFIX/site, which whoever runs them sets. A workload's own node selector terms give way: they are
alternatives, and each could lead out of the sites.

| label                      | value                                                        |
|----------------------------|--------------------------------------------------------------|
| PREFIX/dataset             | the dataset                                                  |
| PREFIX/classification      | open, basic, normal, high, very_high; unknown                |
| PREFIX/gdpr-category       | as in the catalogue; unknown                                 |
| PREFIX/access-rights       | as in the catalogue; unknown                                 |
| PREFIX/obligation.CODE     | required: a host obligation, at one of the sites or more     |

Ids that a label does not allow are changed as `names.label` says, those of sites on nodes, too:
`annotations` hold them as they are. The documents are JSON, which is YAML: texts such as 1e3 would
be numbers to one reader of YAML and texts to another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from placement.errors import BadInput, Defect
from placement.provision.exports.export import Export, Replica
from placement.provision.exports.names import label, object_name
from placement.provision.exports.texts import json_line, json_text

PREFIX = "placement.example"
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LONGEST_DOMAIN = 253
_RESERVED = ("kubernetes.io", "k8s.io")


def config_maps(export: Export, prefix: str = PREFIX) -> str:
    """A list of ConfigMaps, one for each dataset. Raises BadInput for a prefix that is none."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"placement-{object_name(dataset)}", **_metadata(fragment)},
            "data": {"dataset": dataset, "patch.json": json_text(fragment)},
        }
        for dataset, fragment in _patches(export, prefix)
    ]
    return json_text({"apiVersion": "v1", "kind": "List", "items": items})


def patches(export: Export, prefix: str = PREFIX) -> dict[str, str]:
    """The patch of each dataset, by the name of its file. Raises BadInput as `config_maps`."""
    return {
        f"{object_name(dataset)}.json": json_text(fragment)
        for dataset, fragment in _patches(export, prefix)
    }


def _patches(export: Export, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    _check(prefix)
    for dataset, group in groupby(export.replicas, key=lambda replica: replica.dataset):
        yield dataset, _patch(export, list(group), prefix)


def _patch(export: Export, replicas: list[Replica], prefix: str) -> dict[str, Any]:
    requirement = {
        "key": f"{prefix}/site",
        "operator": "In",
        "values": sorted(label(replica.site) for replica in replicas),
    }
    terms = [{"matchExpressions": [requirement]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    template = {
        "metadata": {
            "labels": _labels(replicas, prefix),
            "annotations": _annotations(export, replicas, prefix),
        },
        "spec": {"affinity": {"nodeAffinity": required}},
    }
    return {"spec": {"template": template}}


def _metadata(fragment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = fragment["spec"]["template"]["metadata"]
    return found


def _labels(replicas: list[Replica], prefix: str) -> dict[str, str]:
    first = replicas[0]
    codes = sorted({o.code for replica in replicas for o in replica.host_obligations})
    classes = {
        "dataset": label(first.dataset),
        "classification": first.classification,
        "gdpr-category": first.gdpr_category.value if first.gdpr_category else "unknown",
        "access-rights": first.access_rights.value if first.access_rights else "unknown",
    }
    duties = {label(f"obligation.{code}"): "required" for code in codes}
    return {f"{prefix}/{name}": value for name, value in (duties | classes).items()}


def _annotations(export: Export, replicas: list[Replica], prefix: str) -> dict[str, str]:
    first, origin = replicas[0], export.origin
    obligations = {
        replica.site: [duty.model_dump() for duty in replica.host_obligations]
        for replica in replicas
    }
    facts = {
        "dataset": first.dataset,
        "title": first.title,
        "sites": json_line([replica.site for replica in replicas]),
        "host-obligations": json_line(obligations),
        "plan-digest": origin.plan_digest,
        "certificate-digest": origin.certificate_digest,
        "decision": "" if origin.decision is None else str(origin.decision),
    }
    return {f"{prefix}/{name}": text for name, text in facts.items() if text}


def _check(prefix: str) -> None:
    wrong = len(prefix) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(prefix)
    reserved = any(prefix == name or prefix.endswith(f".{name}") for name in _RESERVED)
    if wrong or reserved:
        message = "Kubernetes keeps it for itself" if reserved else "not a domain name"
        raise BadInput([Defect("", f"label prefix {prefix}", "", message)])
