"""The use cases: the only room that knows the order of steps.

Here stand those that need files alone. Those of the service, which keeps a city's records, have a
module each: catalogs, checks, decisions, placements, policies, jobs, audit, access. They are not
imported here: a command line that needs no database should not wait for one.
"""

from placement.explaining import explain
from placement.reading import Request
from placement.service.converting import import_file
from placement.service.deciding import check, decide, read_plan, verify
from placement.steps import Step

__all__ = [
    "Request",
    "Step",
    "check",
    "decide",
    "explain",
    "import_file",
    "read_plan",
    "verify",
]
