"""Parts that worker processes make by themselves: they import this module."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from placement.errors import BadInput, Defect
from tests.benchmarks.instances import make_instance


def cut(units, shares):
    """Numbers of units for each part: every part draws its share from the whole order."""
    draw = np.random.default_rng(7).random(units)
    edges = np.cumsum([0.0, *shares]) / sum(shares)
    place = np.searchsorted(edges, draw, side="right") - 1
    return [np.flatnonzero(place == part) for part in range(len(shares))]


def some(recipe, shares, part):
    problem = make_instance(recipe)
    return problem.take(cut(problem.units, shares)[part])


def dies(marker, recipe, shares, part):
    """The worker that loads it dies, as often as the marker says."""
    left = int(Path(marker).read_text())
    if left:
        Path(marker).write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return some(recipe, shares, part)


def differs(marker, recipe, shares, part):
    """Never twice the same."""
    turn = int(Path(marker).read_text()) + 1
    Path(marker).write_text(str(turn))
    problem = some(recipe, shares, part)
    return replace(problem, cost=problem.cost * turn)


def defective():
    raise BadInput([Defect("catalog.parquet", "dataset bomen", "volume_gb", "is negative")])


def broken():
    raise OSError("the disk is gone")


def waits(begun, go, recipe, shares, part):
    """Takes until it is told to go on."""
    Path(begun).touch()
    while not Path(go).exists():
        time.sleep(0.05)
    return some(recipe, shares, part)


def process_of(part, problem, sites):
    return os.getpid()


def summed(part, problem, sites):
    return part, problem.units, int(sites.sum())
