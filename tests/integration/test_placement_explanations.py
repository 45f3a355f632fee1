"""Reading and explaining placements: nobody learns of records that are hidden from them."""

from __future__ import annotations

import pytest

from models import (
    AccessRights,
    CoLocated,
    Cumulated,
    DerivedFrom,
    Level,
    PlacementStatus,
    RowFilter,
    Separated,
    Transformation,
    TransformationKind,
)
from placement.errors import BadInput, NotFound
from placement.service import placements
from placement.service.veiling import HIDDEN
from placement.store.placed import PlacedFilter
from tests import builders
from tests.decision_cases import (
    BOARD,
    approve_it,
    caller,
    catalog,
    city,
    keep,
    make_city,
    propose,
    shipped_engine,
)

__all__ = ["city", "make_city", "shipped_engine"]  # fixtures

# What is hidden is hidden above the store; which rows that are is tested on both databases.
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

GREEN = caller("steward", rows=RowFilter(departments=("Green",)))
POLICE = caller("officer", rows=RowFilter(departments=("Police",)))
SECRETS = ("informants", "raids", "k-anonymity of tips", "operation Tulip", "operation Rose")


@pytest.fixture
def tangled(city):
    """Green's datasets are bound to those of the police by every kind of relation."""
    police = {"owner_department": "Police", "confidentiality": Level.HIGH}
    green = {"owner_department": "Green", "readers": ("registrar",)}
    datasets = (
        builders.dataset("cameras", **green),
        builders.dataset("informants", **police),
        builders.dataset("parks", **green),
        builders.dataset("raids", **police),
        builders.dataset("routes", **green),
        builders.dataset("trees", **green),
    )
    reviewed = Transformation(kind=TransformationKind.SELECTION, method="k-anonymity of tips")
    relations = (
        CoLocated(members=("cameras", "informants"), reason="operation Tulip"),
        Separated(members=("parks", "raids")),
        Separated(members=("parks", "informants"), level="operator"),
        Cumulated(members=("informants", "raids", "routes"), reason="operation Rose"),
        DerivedFrom(derived="routes", source="raids", transformation=reviewed),
        DerivedFrom(derived="trees", source="parks"),
    )
    keep(city, catalog().model_copy(update={"datasets": datasets, "relations": relations}))
    propose(city)
    approve_it(city, 1)
    return city


@pytest.mark.parametrize("dataset", ["cameras", "parks", "routes", "trees"])
def test_no_hidden_record_is_named(tangled, dataset):
    for site in (None, "archive", "hoster", "townhall"):
        told = placements.explain_placement(tangled, GREEN, dataset, site).model_dump_json()
        for secret in SECRETS:
            assert secret not in told


def test_there_is_something_to_hide(tangled):
    """Whoever sees everything reads each of the secrets somewhere."""
    told = [
        placements.explain_placement(tangled, BOARD, dataset, site).model_dump_json()
        for dataset in ("cameras", "parks", "routes")
        for site in (None, "archive", "hoster", "townhall")
    ]
    for secret in ("informants", "raids", "k-anonymity of tips"):
        assert any(secret in text for text in told), secret


def test_what_is_hidden_is_said_to_be(tangled):
    cameras = placements.explain_placement(tangled, GREEN, "cameras")
    assert any(HIDDEN in sentence for sentence in cameras.why)
    assert cameras.effective.chain == ("cameras",)
    routes = placements.explain_placement(tangled, GREEN, "routes")
    assert routes.effective.chain == ("routes",)
    (reason,) = routes.effective.reasons
    assert HIDDEN in reason
    blocked = [
        name
        for site in (None, "archive", "hoster", "townhall")
        for item in placements.explain_placement(tangled, GREEN, "parks", site).why_not
        for name in item.blocked_by
    ]
    assert f"separation[{HIDDEN}]" in blocked


def test_nothing_is_taken_from_whoever_sees_all_relatives(tangled):
    whole = placements.explain_placement(tangled, BOARD, "trees")
    assert placements.explain_placement(tangled, GREEN, "trees").why == whole.why
    both = caller("both", rows=RowFilter(departments=("Green", "Police")))
    for dataset in ("cameras", "parks", "routes", "informants"):
        seen = placements.explain_placement(tangled, both, dataset)
        assert seen == placements.explain_placement(tangled, BOARD, dataset)


def test_hidden_unknown_and_unplaced_datasets_look_the_same(tangled):
    texts = set()
    for name in ("informants", "nothing-of-this-name"):
        for refused in (
            lambda name=name: placements.read(tangled, GREEN, name),
            lambda name=name: placements.explain_placement(tangled, GREEN, name),
        ):
            with pytest.raises(NotFound) as caught:
                refused()
            texts.add(str(caught.value).replace(name, "X"))
    assert len(texts) == 1
    assert placements.explain_placement(tangled, POLICE, "informants").dataset.id == "informants"


def test_an_unknown_site_is_a_defect(tangled):
    with pytest.raises(BadInput, match="nowhere"):
        placements.explain_placement(tangled, GREEN, "trees", "nowhere")


def test_placements_are_listed_by_rows_and_filters(tangled):
    def names(who, **where):
        found = placements.list_placements(tangled, who, 100, where=PlacedFilter(**where))
        return [name for name, _ in found]

    assert names(GREEN) == ["cameras", "parks", "routes", "trees"]
    assert names(POLICE) == ["informants", "raids"]
    assert names(BOARD, confidentiality=Level.HIGH) == ["informants", "raids", "routes"]
    assert names(GREEN, confidentiality=Level.HIGH) == ["routes"]
    assert names(GREEN, department="Police") == []
    assert placements.list_placements(tangled, GREEN, 2, after="parks")[0][0] == "routes"


def test_a_placement_says_what_to_provision(city):
    keep(
        city,
        catalog().model_copy(
            update={
                "datasets": (
                    builders.dataset(
                        "a/b:c",
                        current_site="archive",
                        replicas=2,
                    ),
                ),
                "relations": (),
            }
        ),
    )
    propose(city)
    approve_it(city, 1)
    found = PlacementStatus.model_validate_json(placements.read(city, BOARD, "a/b:c"))
    assert (found.decision, found.dataset, found.from_sites) == (1, "a/b:c", ("archive",))
    assert {host.operator for host in found.sites} == {"city", "hoster"}
    assert all(host.host_obligations for host in found.sites)
    assert (found.access_rights, found.volume_gb) == (AccessRights.RESTRICTED, 100)
    assert found.cost_eur_per_year.storage > 0
