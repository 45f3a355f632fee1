"""How long decisions take. Run with `python -m tests.benchmarks`."""
