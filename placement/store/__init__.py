"""What the city has decided and on what: append-only, content-addressed, audited."""

from pathlib import Path

from placement.keys import AuditKey
from placement.store.engine import Store, Transaction

__all__ = ["Store", "Transaction", "open_store"]


def open_store(url: str, key: AuditKey | None = None, head_file: Path | None = None) -> Store:
    """The store of a city, ready to be used: created or migrated where needed.

    Parameters
    ----------
    url
        sqlite:///FILE or postgresql://...
    key
        Signs the ends of the audit chain. None: the store can be read only, and is left as it is.
    head_file
        Where the latest of these ends is kept outside the database.

    Raises
    ------
    BadInput
        When the URL names neither SQLite nor PostgreSQL.
    StoreError
        When the database cannot be used, or was migrated by a newer version.
    """
    store = Store(url, key, head_file)
    if key is not None:
        store.prepare()
    return store
