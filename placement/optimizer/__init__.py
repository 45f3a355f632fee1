"""From a problem to a solution: costs, constraints, prices, the search, and cores.

A mixed-integer programme over pairs of dataset and site, built in PuLP and solved by HiGHS in
this process, and by nothing else in the package.
"""

from placement.optimizer.progress import Progress
from placement.optimizer.solving import solve
from placement.optimizer.standalone import own_costs
from placement.optimizer.warm import Start

__all__ = ["Progress", "Start", "own_costs", "solve"]
