"""From a problem to a solution: costs, constraints, prices, the search, and cores.

A mixed-integer programme over pairs of dataset and site, built in PuLP and solved by HiGHS in
this process, and by nothing else in the package.
"""

from placement.optimizer.progress import Progress
from placement.optimizer.solving import solve
from placement.optimizer.standalone import own_costs

__all__ = ["Progress", "own_costs", "solve"]
