"""What contracts must say by a service's policies, and which of its contracts do not."""

from __future__ import annotations

from models.procurement import ClauseChecklist, ProcurementReport
from placement.client.connection import Connection
from placement.client.decoding import read

_PATH = "/v1/procurement"


class Procurement:
    """`client.procurement`. Every method raises as `Client` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def clauses(self) -> ClauseChecklist:
        """Everything that the active policies ask contracts to say."""
        return read(ClauseChecklist, self._connection.send("GET", f"{_PATH}/clauses"))

    def report(self, ending_within_days: int | None = None) -> ProcurementReport:
        """Every contract that misses a clause, and the datasets it endangers.

        Parameters
        ----------
        ending_within_days
            Contracts that end so soon are listed; by default within half a year.
        """
        query = None if ending_within_days is None else {"ending_within_days": ending_within_days}
        return read(ProcurementReport, self._connection.send("GET", f"{_PATH}/report", query=query))
