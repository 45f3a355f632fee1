"""The revisions, each written by `python -m placement.store.migrations` and then reviewed."""
