"""Commands about files: import, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placement.cli.options import Document, Format, FormatOption, ImportKind
from placement.cli.output import check_target, emit
from placement.cli.remote import Server, chosen_server, connected

if TYPE_CHECKING:
    from models import Catalog, SiteRegister

DONE = 0


SitesBeside = Annotated[
    Path | None,
    typer.Option(
        "--sites",
        metavar="FILE",
        rich_help_panel="Service",
        help="Native sites to bring in the same version as the catalogue.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", rich_help_panel="Service", help="Only say what would change there."),
]
Lineage = Annotated[
    Path | None,
    typer.Option(
        "--lineage",
        metavar="FILE",
        help="OpenLineage events, as JSON lines or a list: completed runs add relations.",
    ),
]


def import_(
    kind: Annotated[ImportKind, typer.Argument(help="How the source is written.")],
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The file or folder to read.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Native file to write.")
    ] = None,
    server: Server = None,
    sites: SitesBeside = None,
    dry_run: DryRun = False,
    lineage: Lineage = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Turn another format into a native file, and list everything that had to be assumed.

    With --server, bring it to a service instead: it replaces the catalogue, or the sites. Native
    files (`catalog`, `sites`) can be brought, too, and a native catalogue can be given lineage.
    """
    url = chosen_server(server, out=out)
    if lineage is not None and kind in (ImportKind.SITES, ImportKind.EU_CLOUD_PRICES):
        raise typer.BadParameter("lineage is of datasets, not of sites", param_hint="--lineage")
    if out is None:
        if url is None:
            raise typer.BadParameter("a file to write (--out) or a service (--server) is expected")
        return _bring(url, kind, source, (sites, lineage), form=format, dry_run=dry_run)
    if sites or dry_run:
        raise typer.BadParameter("--sites and --dry-run are for a service")
    native = kind is ImportKind.CATALOG and lineage is not None
    if kind in (ImportKind.CATALOG, ImportKind.SITES) and not native:
        raise typer.BadParameter(f"{source} is native already", param_hint="KIND")
    check_target(out, inputs=(source, lineage))

    from placement import service
    from placement.cli.views import imported

    form = "native" if native else kind.value
    assumptions = service.import_file(form, source, out, lineage)
    emit(imported.render(out, assumptions))
    return DONE


def schema(
    document: Annotated[Document, typer.Argument(help="The file to describe.")],
    server: Server = None,
) -> int:
    """Print the JSON Schema of a file that placement reads or writes.

    With --server, as that service reads it, which may be of another version.
    """
    from placement.cli.views import schemas

    if server is None:
        emit(schemas.render(document))
        return DONE
    from placement.cli.views.machine import as_json

    with connected(server) as client:
        emit(as_json(client.schema(document.value)))
    return DONE


def _bring(
    url: str,
    kind: ImportKind,
    source: Path,
    more: tuple[Path | None, Path | None],
    *,
    form: Format,
    dry_run: bool,
) -> int:
    """Bring a source to a service, with sites and lineage beside it where they are given."""
    from placement.catalog import load_lineage, with_lineage
    from placement.cli.views import imported

    sites, lineage = more
    catalog, register = _read(kind, source)
    if catalog is not None and lineage is not None:
        catalog = with_lineage(catalog, load_lineage(lineage))
    if sites is not None:
        if register is not None:
            raise typer.BadParameter(f"{source} holds sites, too", param_hint="--sites")
        _, register = _read(ImportKind.SITES, sites)
    with connected(url) as client:
        found = client.import_records(catalog, register, dry_run=dry_run)
    halves = (half for half in (catalog, register) if half is not None)
    assumptions = [text for half in halves for text in half.assumptions]
    emit(imported.render_difference(found, assumptions, form))
    return DONE


def _read(kind: ImportKind, source: Path) -> tuple[Catalog | None, SiteRegister | None]:
    """The half that a source holds. Raises BadInput with all its defects."""
    from placement.catalog import load_catalog, load_register

    match kind:
        case ImportKind.SITES:
            return None, load_register(source)
        case ImportKind.EU_CLOUD_PRICES:
            return None, load_register(source, "eu-cloud-prices")
        case ImportKind.CATALOG:
            return load_catalog(source), None
        case ImportKind.AMSTERDAM_SCHEMA:
            return load_catalog(source, "amsterdam-schema"), None
        case ImportKind.DCAT_AP:
            return load_catalog(source, "dcat-ap"), None
        case ImportKind.CKAN:
            return load_catalog(source, "ckan"), None
        case ImportKind.MOBILITY:
            return load_catalog(source, "mobility"), None
