"""What follows from the relations of a catalogue, and who reaches what. networkx lives here alone.

networkx is imported inside the functions that use it: importing this package stays cheap, so the
command line starts fast.
"""

from placement.graph.facts import derive_facts
from placement.graph.reach import Right, RoleReach, role_reach, unreachable

__all__ = ["Right", "RoleReach", "derive_facts", "role_reach", "unreachable"]
