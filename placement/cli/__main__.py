"""`python -m placement.cli` is the `placement` command."""

from placement.cli import main

main()
