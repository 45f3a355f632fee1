"""Problems whose units are tied to each other: lineage, separation, segregation."""

from placement.optimizer.relations.solve import solve_related

__all__ = ["solve_related"]
