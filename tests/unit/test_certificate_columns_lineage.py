"""What goes from sources to what derives from them, for shapes that random towns never have."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models import Cumulated, DerivedFrom, GdprCategory, Level, Parameters, Relation
from placement.certificate.city import read_city
from placement.certificate.columns import lineage
from placement.certificate.columns.classes import effective_columns
from placement.certificate.columns.lineage import WAVES_MOST, read_lineage
from placement.certificate.columns.relations import merged_groups
from placement.errors import BadInput
from tests import builders
from tests.column_cases import as_columns


def chain(length: int, *more: DerivedFrom):
    """Each dataset derives from the one before; only the first is anything but open."""
    names = [f"d{i:05}" for i in range(length)]
    open_one = builders.dataset(
        confidentiality=Level.OPEN,
        gdpr_category=GdprCategory.NONE,
        non_publication_grounds=(),
    )
    first = builders.dataset(names[0], confidentiality=Level.HIGH)
    others = (open_one.model_copy(update={"id": name}) for name in names[1:])
    steps = (DerivedFrom(derived=b, source=a) for a, b in itertools.pairwise(names))
    return builders.catalog(first, *others, relations=(*steps, *more))


@pytest.mark.parametrize("length", [1, 2, 50, WAVES_MOST - 1, WAVES_MOST + 500])
def test_a_class_goes_down_a_lineage_of_any_length(length):
    columns = as_columns(chain(length))
    own = effective_columns(columns, merged_groups(columns), 5)
    assert (own.confidentiality == Level.HIGH).all()
    assert (own.gdpr_category == GdprCategory.PERSONAL.rank).all()
    assert own.grounds_of(length - 1) == ("5.1.2e",)


@pytest.mark.parametrize("length", [3, 40])
@pytest.mark.parametrize("waves", [0, WAVES_MOST])
def test_a_circle_is_refused(length, waves, monkeypatch):
    monkeypatch.setattr(lineage, "WAVES_MOST", waves)
    back = DerivedFrom(derived="d00001", source=f"d{length - 1:05}")
    with pytest.raises(BadInput, match="circle"):
        read_lineage(as_columns(chain(length, back)))


@pytest.mark.parametrize("waves", [0, 3, WAVES_MOST])
def test_waves_and_single_steps_find_the_same(waves, monkeypatch):
    rng = np.random.default_rng(7)
    names = [f"d{i:03}" for i in range(150)]
    data = [
        builders.dataset(
            name,
            confidentiality=[*Level][rng.integers(0, 5)],
            gdpr_category=[*GdprCategory][rng.integers(0, 5)],
            non_publication_grounds=tuple(f"5.{g}" for g in rng.integers(100, 300, 2)),
        )
        for name in names
    ]
    ends = [sorted(rng.choice(150, 2, replace=False).tolist()) for _ in range(170)]
    relations: list[Relation] = [DerivedFrom(derived=names[b], source=names[a]) for a, b in ends]
    relations += [
        Cumulated(members=tuple(names[i] for i in rng.choice(150, 9, replace=False)))
        for _ in range(5)
    ]
    catalog = builders.catalog(*data, relations=tuple(relations))
    parameters = Parameters(as_of=builders.AS_OF, cumulation_datasets_min=3)
    true = read_city(catalog, builders.register(), parameters).classes
    columns = as_columns(catalog)
    monkeypatch.setattr(lineage, "WAVES_MOST", waves)
    own = effective_columns(columns, merged_groups(columns), 3)
    assert len(own.ground_names) > 62  # more than one word of bits
    for row, name in enumerate(names):
        assert own.confidentiality[row] == true[name].confidentiality
        category = true[name].gdpr_category
        assert category is not None
        assert own.gdpr_category[row] == category.rank
        assert own.grounds_of(row) == true[name].non_publication_grounds
