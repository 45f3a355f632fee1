"""The optimizer against what one would use instead: `python -m tests.benchmarks.optimizer --help`.

Prints a report in Markdown; progress goes to standard error. Every measurement runs in a process of
its own and is ended when it takes too long or too much memory. Results are kept in a file as they
come; `--missing` goes on where an earlier run was stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.book import Book, memory_limit_gb
from tests.benchmarks.parts import LIBRARIES, PARTS, Wanted
from tests.benchmarks.tables import report

RESULTS = Path(__file__).resolve().parent / "results"
QUICK = Wanted(sizes=(1_000, 10_000), sites=(10,), limit_s=5.0, repeat=1, quick=True)


def main() -> None:
    """Measure, then print."""
    arguments = _arguments()
    wanted = _wanted(arguments)
    folder = arguments.results or (None if arguments.quick else RESULTS)
    book = Book(folder, keep=arguments.missing, memory_gb=arguments.memory_gb)
    for part in arguments.only:
        PARTS[part](book, wanted)
    print(report(book.content()))
    if folder is not None:
        from tests.benchmarks.chart import draw

        (folder / "optimizer.md").write_text(report(book.content()), encoding="utf-8")
        draw(book.content(), folder / "growth.svg")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.optimizer", description=__doc__
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--sizes", type=int, nargs="+", help="datasets")
    parser.add_argument("--sites", type=int, nargs="+")
    parser.add_argument("--peers", nargs="*", choices=list(LIBRARIES))
    parser.add_argument("--limit", type=float, help="seconds for building and solving (60)")
    parser.add_argument("--memory-gb", type=float, default=memory_limit_gb(), help="one solve")
    parser.add_argument("--repeat", type=int, help="runs of small solves, for medians (3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="folder of the results; kept with --quick too")
    parser.add_argument("--missing", action="store_true", help="only what the results lack")
    parser.add_argument("--quick", action="store_true", help="small, and a few seconds each")
    return parser.parse_args()


def _wanted(arguments: argparse.Namespace) -> Wanted:
    wanted = replace(QUICK if arguments.quick else Wanted(), seed=arguments.seed)
    given = {
        "sizes": arguments.sizes and tuple(arguments.sizes),
        "sites": arguments.sites and tuple(arguments.sites),
        "peers": None if arguments.peers is None else tuple(arguments.peers),
        "limit_s": arguments.limit,
        "repeat": arguments.repeat,
    }
    return replace(wanted, **{name: value for name, value in given.items() if value is not None})


if __name__ == "__main__":
    main()
