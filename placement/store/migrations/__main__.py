"""Write the next revision: what the tables need that the revisions so far do not give.

    python -m placement.store.migrations "what changes"
    ruff format placement/store/migrations; ruff check --fix placement/store/migrations

Before the first release there is one revision. To write it anew, delete its file first.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from placement.store.connecting import connect, make_file, parse_url
from placement.store.preparing import migrations


def main(message: str) -> None:
    """Compare an empty, migrated database with the tables."""
    number = len(list(Path(__file__).with_name("versions").glob("v*.py"))) + 1
    with tempfile.TemporaryDirectory() as folder:
        url = parse_url(f"sqlite:///{folder}/empty.sqlite3")
        make_file(url)
        engine = connect(url, 1)
        with engine.begin() as connection:
            command.upgrade(migrations(connection), "head")
        with engine.begin() as connection:
            command.revision(
                migrations(connection), message, autogenerate=True, rev_id=f"{number:04}"
            )
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
