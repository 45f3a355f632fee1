"""Decides where each of a city's datasets should live, and proves it."""

__version__ = "0.1.0"
