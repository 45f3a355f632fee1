"""Asks OPA which site may hold which dataset: profiles x sites -> verdicts."""
