"""Commands on a service's policies: publications, and drafts on their way to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from placement.cli.options import Format, FormatOption
from placement.cli.output import emit
from placement.cli.remote import Server, connected

DONE = 0
FAULT_FOUND = 1

policies = typer.Typer(
    name="policies",
    no_args_is_help=True,
    help="Policies of a service: draft, check, review, approve and publish a change.",
)
DraftArgument = Annotated[str, typer.Argument(metavar="DRAFT", help="Id of a draft.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Number of a publication.")]


@policies.command("list")
def list_policies(
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Drafts instead of publications.")
    ] = False,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Publications of the policies, or drafts; the latest first."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        if drafts:
            emit(views.render_drafts(client.policies.drafts(), format))
        else:
            emit(views.render_revisions(client.policies.list(), format))
    return DONE


@policies.command()
def show(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[NUMBER]", min=1, help="A publication; default: the active one."),
    ] = None,
    draft: Annotated[
        str | None, typer.Option("--draft", metavar="DRAFT", help="A draft instead.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write the files to this new folder."),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """One publication or draft; with --out also its files, to change them."""
    if draft is not None and number is not None:
        raise typer.BadParameter("a publication or a draft, not both", param_hint="--draft")

    from placement.cli.output import new_folder
    from placement.cli.views import policies as views

    with connected(server) as client:
        if draft is not None:
            kept = client.policies.read_draft(draft)
            files, shown = kept.files, views.render_draft(kept.draft, format)
        else:
            revision, files = client.policies.read(number)
            shown = views.render_revision(revision, format)
    if out is not None:
        new_folder(out, files)
    emit(shown)
    return DONE


@policies.command("draft")
def draft_policies(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="All files, tests among them.")],
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What it changes.")],
    draft: Annotated[
        str | None,
        typer.Option("--draft", metavar="DRAFT", help="Make the next version of this draft."),
    ] = None,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Begin a draft with the files of a folder, or make the next version of one."""
    from placement.cli.views import policies as views
    from placement.eligibility.bundle import read_policy_files

    files = read_policy_files(folder)
    with connected(server) as client:
        if draft is None:
            made = client.policies.draft(title, files)
        else:
            version = client.policies.read_draft(draft).version
            made = client.policies.redraft(draft, title, files, version)
    emit(views.render_draft(made, format))
    return DONE


@policies.command()
def check(
    draft: DraftArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Check a draft in the service's sandbox. Exit 1: something is wrong with it."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        found = client.policies.check(draft)
    emit(views.render_draft(found, format))
    return DONE if found.report is not None and found.report.clean else FAULT_FOUND


@policies.command()
def review(
    draft: DraftArgument,
    accept: Annotated[bool, typer.Option("--accept/--reject", help="Vouch for it, or not.")],
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")] = "",
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Vouch for a draft whose check is clean, or reject it; never your own."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        found = client.policies.review(draft, accept=accept, comment=comment)
    emit(views.render_draft(found, format))
    return DONE


@policies.command()
def approve(
    draft: DraftArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Allow a reviewed draft to be published; never your own."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        emit(views.render_draft(client.policies.approve(draft), format))
    return DONE


@policies.command()
def publish(
    draft: DraftArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Offer an approved draft to OPA; it is active once OPA says that it runs it."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        emit(views.render_revision(client.policies.publish(draft), format))
    return DONE


@policies.command()
def rollback(
    number: Number,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Publish an earlier revision again, under a new number."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        emit(views.render_revision(client.policies.roll_back(number), format))
    return DONE


@policies.command()
def usage(
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """How often each obligation bites on the current catalogue; which never fire."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        emit(views.render_usage(client.policies.usage(), format))
    return DONE


@policies.command()
def impact(
    draft: DraftArgument,
    server: Server = None,
    format: FormatOption = Format.TABLE,  # noqa: A002
) -> int:
    """Which verdicts on the current catalogue a draft would change."""
    from placement.cli.views import policies as views

    with connected(server) as client:
        emit(views.render_impact(client.policies.impact(draft), format))
    return DONE
