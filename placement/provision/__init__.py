"""From an approved plan to infrastructure: signed events, and exports for other tools."""
