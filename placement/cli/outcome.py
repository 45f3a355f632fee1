"""The one place where what stopped a command becomes an exit code and words on stderr."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from placement.cli.text import shown
from placement.errors import BadInput, Defect, PlacementError, StaleProposal

USAGE = 2
INTERNAL = 70
INTERRUPTED = 130
TRACEBACK_SWITCH = "PLACEMENT_DEBUG"


@dataclass(frozen=True)
class Trouble:
    """Why there is no answer."""

    code: str
    exit_code: int
    detail: str
    defects: tuple[Defect, ...] = ()
    changes: tuple[str, ...] = ()
    """What a proposal was decided on and is not any more."""


class UnexpectedOSError(Exception):
    """A failure of the system that no room foresaw."""


class Commands(TyperGroup):
    """The command group: every command ends here, whatever it raised."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002  there is one mode, ours
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and leave with its exit code."""
        argv = list(sys.argv[1:] if args is None else args)

        def command() -> object:
            return super(Commands, self).main(
                args=argv,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        code = run(command, as_json=wants_json(argv))
        flush_standard_output()
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        """Call the command named; Typer would make exit code 1 ("no plan") of a broken pipe."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise UnexpectedOSError(f"{type(error).__name__}: {error}") from error


def wants_json(argv: Sequence[str]) -> bool:
    """Whether the answer was asked for in JSON: errors of the arguments are reported alike."""
    return "--format=json" in argv or ("--format", "json") in itertools.pairwise(argv)


def run(command: Callable[[], object], *, as_json: bool) -> int:
    """Run a command to its exit code; what stops it is said on stderr in one piece."""
    try:
        code = command()
    except (KeyboardInterrupt, typer.Abort):
        trouble = Trouble("interrupted", INTERRUPTED, "interrupted")
    except typer.TyperException as error:
        trouble = Trouble("usage", USAGE, _usage(error))
    except BadInput as error:
        trouble = Trouble(error.code, error.exit_code, "the input is wrong", error.defects)
    except StaleProposal as error:
        trouble = Trouble(error.code, error.exit_code, str(error), changes=_changes(error))
    except PlacementError as error:
        trouble = Trouble(error.code, error.exit_code, str(error))
    except Exception as error:  # noqa: BLE001  the last resort: one line, never a bare traceback
        trouble = _internal(error)
    else:
        if code != INTERRUPTED:
            return code if isinstance(code, int) else 0
        trouble = Trouble("interrupted", INTERRUPTED, "interrupted")  # Typer caught Ctrl-C
    _report(trouble, as_json=as_json)
    return trouble.exit_code


def flush_standard_output() -> None:
    """Flush while we can still choose what a closed pipe means: nothing, the reader had enough."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        discard_standard_output()


def discard_standard_output() -> None:
    """Point standard output at nothing, so that the interpreter does not flush it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: typer.TyperException) -> str:
    ctx = getattr(error, "ctx", None)
    hint = f" (see: {ctx.command_path if ctx is not None else 'placement'} --help)"
    message = error.format_message().strip() or "a command is expected"
    return f"{message}{hint}"


def _as_plain(trouble: Trouble) -> dict[str, Any]:
    plain = asdict(trouble)
    if not trouble.changes:
        del plain["changes"]
    return plain


def _changes(error: StaleProposal) -> tuple[str, ...]:
    return tuple(
        f"{change.what}: decided on {change.decided_on}, now {change.now}"
        for change in error.changes
    )


def _internal(error: Exception) -> Trouble:
    if os.environ.get(TRACEBACK_SWITCH):
        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    hint = f"set {TRACEBACK_SWITCH}=1 to see the traceback"
    return Trouble("internal", INTERNAL, f"internal error: {what} ({hint})")


def _report(trouble: Trouble, *, as_json: bool) -> None:
    if as_json:
        lines = [json.dumps(_as_plain(trouble), allow_nan=False)]
    elif trouble.defects:
        lines = [shown(defect) for defect in trouble.defects]
    else:
        lines = [shown(line) for line in (*trouble.detail.splitlines(), *trouble.changes)]
    with contextlib.suppress(OSError, ValueError):  # nobody listens any more
        print("\n".join(lines), file=sys.stderr, flush=True)
