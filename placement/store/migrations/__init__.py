"""How the tables came to be: one Alembic revision a release that changed them.

`python -m placement.store.migrations "what changes"` writes the next revision.
"""
