"""Ansible: an inventory with one host for each dataset at each of its sites.

Such a host is what a playbook makes: a bucket, a database, a folder. How its site is reached, the
variables of the site's group say (`group_vars/site_eu_west.yml`: `ansible_connection: local`, or
the host that administers it).

Groups are `dataset_`, `site_`, `operator_`, `class_`, `gdpr_`, `storage_` and `obligation_` with an
id, in which everything but letters, digits and underscores became an underscore; `names.apart` says
what becomes of ids that would then be alike. Hosts are DATASET__SITE. Variables begin with
`placement_`.

Ansible takes texts of an inventory for templates. Those that people wrote, such as titles, could
run anything on the control node: where they may hold a template they are marked as unsafe, and stay
as they are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from placement.errors import BadInput, Defect
from placement.provision.exports.export import Export, Replica
from placement.provision.exports.names import apart
from placement.provision.exports.texts import json_text

Mark = Callable[[str], Any]
"""Marks a text as unsafe, in the way of the file that it goes to."""


@dataclass(frozen=True)
class _Inventory:
    """Names of hosts and groups, and who is in which."""

    hosts: dict[str, Replica]
    groups: dict[str, list[str]]


def static_inventory(export: Export) -> str:
    """An inventory file in YAML."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes marked texts with their tag, and no references to what was written before."""

        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
            return True

    Dumper.add_representer(
        _Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
    )
    found = _inventory(export)
    top = {
        "vars": _origin_vars(export, _Unsafe),
        "hosts": {host: _host_vars(replica, _Unsafe) for host, replica in found.hosts.items()},
        "children": {
            group: {"hosts": {host: {} for host in hosts}} for group, hosts in found.groups.items()
        },
    }
    return yaml.dump({"all": top}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def script_list(export: Export) -> str:
    """What an inventory script answers to `--list`."""
    found = _inventory(export)
    return json_text(
        {
            "_meta": {
                "hostvars": {
                    host: _host_vars(replica, _unsafe_json) for host, replica in found.hosts.items()
                }
            },
            "all": {"vars": _origin_vars(export, _unsafe_json), "children": list(found.groups)},
            **{group: {"hosts": hosts} for group, hosts in found.groups.items()},
        }
    )


def script_host(export: Export, host: str) -> str:
    """What an inventory script answers to `--host HOST`. Raises BadInput for an unknown host."""
    replica = _inventory(export).hosts.get(host)
    if replica is None:
        raise BadInput([Defect("", f"host {host}", "", "not in the inventory")])
    return json_text(_origin_vars(export, _unsafe_json) | _host_vars(replica, _unsafe_json))


# -- hosts and groups -----------------------------------------------------------------------------


def _inventory(export: Export) -> _Inventory:
    wanted = {
        f"host/{r.dataset}/@{r.site}": re.sub(r"[^A-Za-z0-9._-]", "_", f"{r.dataset}__{r.site}")
        for r in export.replicas
    }
    memberships = {
        host: list(_groups_of(r)) for host, r in zip(wanted, export.replicas, strict=True)
    }
    # Also sites and operators that hold nothing: names do not change when they do.
    known = {f"site/{site}" for site in export.sites}
    known |= {f"operator/{operator}" for operator in export.operators}
    known |= {group for groups in memberships.values() for group in groups}
    wanted |= {group: re.sub(r"[^A-Za-z0-9_]", "_", group) for group in sorted(known)}
    names = apart(wanted)
    groups: dict[str, list[str]] = defaultdict(list)
    for host, member_of in memberships.items():
        for group in member_of:
            groups[names[group]].append(names[host])
    hosts = {names[h]: r for h, r in zip(memberships, export.replicas, strict=True)}
    return _Inventory(dict(sorted(hosts.items())), {g: sorted(groups[g]) for g in sorted(groups)})


def _groups_of(replica: Replica) -> Iterator[str]:
    """Ids of the groups that a host is in: a kind, and an id without the kind's name."""
    yield f"dataset/{replica.dataset}"
    yield f"site/{replica.site}"
    yield f"operator/{replica.operator}"
    yield f"class/{replica.classification}"
    yield f"gdpr/{replica.gdpr_category.value if replica.gdpr_category else 'unknown'}"
    yield f"storage/{replica.storage.value}"
    for code in sorted({obligation.code for obligation in replica.host_obligations}):
        yield f"obligation/{code}"


# -- variables ------------------------------------------------------------------------------------


def _origin_vars(export: Export, mark: Mark) -> dict[str, Any]:
    return _prefixed(export.origin.model_dump(mode="json"), mark)


def _host_vars(replica: Replica, mark: Mark) -> dict[str, Any]:
    facts = replica.model_dump(mode="json") | {"classification": replica.classification}
    return _prefixed(facts, mark)


def _prefixed(facts: dict[str, Any], mark: Mark) -> dict[str, Any]:
    return {f"placement_{name}": _marked(value, mark) for name, value in facts.items()}


def _marked(value: Any, mark: Mark) -> Any:
    """The value with every text that Ansible could take for a template marked as unsafe."""
    match value:
        case str():
            return mark(value) if "{" in value or value.startswith("#jinja2") else value
        case list():
            return [_marked(item, mark) for item in value]
        case dict():
            return {name: _marked(item, mark) for name, item in value.items()}
        case _:
            return value


class _Unsafe(str):
    """A text that the YAML file marks as unsafe."""

    __slots__ = ()


def _unsafe_json(text: str) -> dict[str, str]:
    return {"__ansible_unsafe": text}
