"""Local search for few sites and many units in which every pair has its own cost and weight.

Prices leave such problems, generalised assignment among them, with hundreds of near ties that
must fill every site to the last unit of capacity: annealed ejection chains do that, and core
programmes prove what can be proven.
"""

from placement.optimizer.neighbourhood.solve import is_hard_small, solve_assignment

__all__ = ["is_hard_small", "solve_assignment"]
