"""What the city has decided and on what: append-only, content-addressed, audited."""

from placement.store.engine import Store, Transaction

__all__ = ["Store", "Transaction"]
