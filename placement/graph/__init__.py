"""Graph facts (networkx lives here alone)."""
