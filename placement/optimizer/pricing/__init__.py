"""Prices of the coupling rows: the bound they prove, and which units they leave undecided."""
