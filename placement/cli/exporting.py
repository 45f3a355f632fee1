"""The command that exports placements for infrastructure tools."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from placement.cli.options import OUTPUT, Quiet
from placement.cli.output import check_target, emit, new_folder
from placement.cli.progress import note
from placement.cli.remote import Server, chosen_server, connected

if TYPE_CHECKING:
    from placement.provision.exports import Export

DONE = 0
DCAT = "DCAT-AP"
ANSIBLE = "Ansible's inventory scripts"
_NO_SOURCE = "a plan file is expected (--plan), or a service (--server)"
_LONGEST_QUERY = 100_000
"""Bytes of a Terraform query."""


class Form(StrEnum):
    """What placements are exported as."""

    ANSIBLE = "ansible"
    TFVARS = "tfvars"
    TERRAFORM_EXTERNAL = "terraform-external"
    KUBERNETES = "kubernetes"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    DCAT_AP = "dcat-ap"


class Serialization(StrEnum):
    """How RDF is written."""

    TURTLE = "turtle"
    RDF_XML = "rdf-xml"
    JSON_LD = "json-ld"


FormArgument = Annotated[Form, typer.Argument(help="What for.")]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", metavar="PLAN", help="Plan file, as `decide --out` wrote it."),
]
OutPath = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="PATH",
        rich_help_panel=OUTPUT,
        help="File to write instead of standard output; for kubernetes, a new folder.",
    ),
]
All = Annotated[bool, typer.Option("--list", rich_help_panel=ANSIBLE, help="All groups and hosts.")]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", rich_help_panel=ANSIBLE, help="One host's variables."),
]
LabelPrefix = Annotated[
    str | None,
    typer.Option(
        "--label-prefix",
        metavar="DOMAIN",
        rich_help_panel="Kubernetes",
        help="What labels and annotations begin with. Default: placement.example.",
    ),
]
SerializationOption = Annotated[
    Serialization,
    typer.Option("--serialization", rich_help_panel=DCAT, help="How RDF is written."),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="IRI",
        rich_help_panel=DCAT,
        help="What IRIs begin with where none is known. Default: a domain that never resolves.",
    ),
]
OnlyPublic = Annotated[
    bool,
    typer.Option(
        "--only-public", rich_help_panel=DCAT, help="Leave out datasets that are not public."
    ),
]


def export(
    form: FormArgument,
    plan: PlanOption = None,
    server: Server = None,
    out: OutPath = None,
    list_: All = False,
    host: Host = None,
    label_prefix: LabelPrefix = None,
    serialization: SerializationOption = Serialization.TURTLE,
    base: Base = None,
    only_public: OnlyPublic = False,
    quiet: Quiet = False,
) -> int:
    """Where datasets are to rest and what their hosts must do, for Ansible, Terraform and others.

    Of a plan file, which is judged first as far as that needs no policies; or of the plan that the
    board of a service stands behind. terraform-external reads its query from standard input.
    """
    _check_options(form, out, label_prefix, script=list_ or host is not None)
    if list_ and host is not None:
        raise typer.BadParameter("either --list or --host", param_hint="--host")
    if out and form is not Form.KUBERNETES:
        check_target(out, inputs=(plan,))
    if form is Form.DCAT_AP:
        asked = {"serialization": serialization.value, "base": base, "only_public": only_public}
        return _show(_dcat_ap(plan, chosen_server(server, plan=plan), asked), out, form, quiet)
    if base or only_public or serialization is not Serialization.TURTLE:
        raise typer.BadParameter("only for dcat-ap", param_hint="--serialization, --base")
    query = _query() if form is Form.TERRAFORM_EXTERNAL else None
    export = _found(plan, chosen_server(server, plan=plan))
    if form is Form.KUBERNETES and out:
        new_folder(out, _manifests(export, label_prefix))
        note(f"manifests written to {out}", quiet=quiet)
        return DONE
    content = _content(form, export, query, label_prefix, list_=list_, host=host)
    return _show(content, out, form, quiet)


def _show(content: bytes, out: Path | None, form: Form, quiet: bool) -> int:
    if out is None:
        emit(content)
    else:
        _write(content, out)
        note(f"{form.value} written to {out}", quiet=quiet)
    return DONE


def _dcat_ap(plan: Path | None, url: str | None, asked: dict[str, Any]) -> bytes:
    """The catalogue and its placements, as a portal harvests them."""
    from placement import service
    from placement.service import exporting, exporting_catalog

    if plan is not None:
        found = exporting_catalog.dcat_ap_of_plan(service.read_plan(plan), str(plan), **asked)
        return found.encode()
    if url is None:
        raise typer.BadParameter(_NO_SOURCE)
    with connected(url) as client:
        placements = tuple(client.placements())
        number = exporting.standing_decision(placements)
        whole = client.plan(number)
    return exporting_catalog.dcat_ap_of_approved(placements, whole, number, **asked).encode()


def _check_options(form: Form, out: Path | None, prefix: str | None, *, script: bool) -> None:
    """Refuse options that mean nothing to a form, rather than leave them unheard."""
    if script and form is not Form.ANSIBLE:
        raise typer.BadParameter("only for ansible", param_hint="--list, --host")
    if prefix is not None and form is not Form.KUBERNETES:
        raise typer.BadParameter("only for kubernetes", param_hint="--label-prefix")
    if out and (script or form is Form.TERRAFORM_EXTERNAL):
        raise typer.BadParameter("whoever asks reads standard output", param_hint="--out")
    if form is Form.PARQUET and out is None and sys.stdout is not None and sys.stdout.isatty():
        raise typer.BadParameter("name a file: Parquet is not for terminals", param_hint="--out")


def _found(plan: Path | None, url: str | None) -> Export:
    from placement import service
    from placement.service import exporting

    if plan is not None:
        return exporting.of_plan(service.read_plan(plan), str(plan))
    if url is None:
        raise typer.BadParameter(_NO_SOURCE)
    with connected(url) as client:
        placements = tuple(client.placements())
        number = exporting.standing_decision(placements)
        return exporting.of_approved(placements, client.plan(number), number)


def _content(
    form: Form, export: Export, query: object, prefix: str | None, *, list_: bool, host: str | None
) -> bytes:
    from placement.cli.views.machine import as_csv
    from placement.provision.exports import ansible, kubernetes, tables, terraform
    from placement.provision.exports.export import document
    from placement.provision.exports.texts import json_text

    match form:
        case Form.ANSIBLE if list_:
            return ansible.script_list(export).encode()
        case Form.ANSIBLE if host is not None:
            return ansible.script_host(export, host).encode()
        case Form.ANSIBLE:
            return ansible.static_inventory(export).encode()
        case Form.TFVARS:
            return terraform.variables(export).encode()
        case Form.TERRAFORM_EXTERNAL:
            return terraform.external(export, query).encode()
        case Form.KUBERNETES:
            return kubernetes.config_maps(export, prefix or kubernetes.PREFIX).encode()
        case Form.CSV:
            return as_csv(tables.COLUMNS, tables.rows(export))
        case Form.JSON:
            return json_text(document(export)).encode()
    return tables.parquet(export)


def _manifests(export: Export, prefix: str | None) -> dict[str, str]:
    """Files of a folder: the ConfigMaps, and each dataset's patch."""
    from placement.provision.exports import kubernetes

    own = prefix or kubernetes.PREFIX
    files = {"configmaps.json": kubernetes.config_maps(export, own)}
    return files | {f"patches/{n}": text for n, text in kubernetes.patches(export, own).items()}


def _query() -> object:
    """The query that Terraform writes to standard input. Raises BadInput."""
    from placement.catalog.strict_json import decode_json
    from placement.errors import BadInput, Defect
    from placement.provision.exports.terraform import QUERY

    if sys.stdin is None:
        raise BadInput([Defect(QUERY, "", "", "closed")])
    text = sys.stdin.buffer.read(_LONGEST_QUERY + 1)
    if len(text) > _LONGEST_QUERY:
        raise BadInput([Defect(QUERY, "", "", f"longer than {_LONGEST_QUERY} bytes")])
    return decode_json(text, QUERY)


def _write(content: bytes, out: Path) -> None:
    """Write a file whole, or leave what was there. Raises StoreError."""
    from placement.catalog.writing import replacing
    from placement.errors import BadInput, StoreError

    try:
        with replacing(out) as stream:
            stream.write(content)
    except BadInput as error:
        raise StoreError(str(error)) from error
