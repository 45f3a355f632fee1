from __future__ import annotations

from decimal import Decimal

import pytest

from models import AccessRights, CollectorKind, Dpia, GdprCategory, Interface, Level, StorageKind
from placement.catalog import load_catalog, write_json
from placement.catalog.amsterdam import grounds as woo
from placement.errors import BadInput
from tests.catalog_cases import City


@pytest.fixture
def city(tmp_path):
    return City(tmp_path)


def _field(**changes):
    return {"schema": {"properties": {"name": {"type": "string"} | changes}}}


def test_an_open_dataset_is_public_and_open(city):
    city.dataset()
    dataset = city.only()
    assert dataset.access_rights is AccessRights.PUBLIC
    assert dataset.confidentiality is Level.OPEN
    assert dataset.gdpr_category is GdprCategory.NONE
    assert (dataset.readers, dataset.non_publication_grounds) == ((), ())
    assert dataset.owner_department == "Team Mobility"
    assert dataset.synthetic == ("volume_gb", "monthly_read_gb", "monthly_egress_gb")


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": "FP/MDW"},
        {"auth": ["FP/MDW"]},
        {"table": {"auth": "FP/MDW"}},
        {"table": _field(auth=["FP/MDW"])},
        {"table": _field(type="object", properties={"x": {"items": {}, "auth": "FP/MDW"}})},
        {
            "table": _field(
                type="array", items={"type": "object", "properties": {"x": {"auth": "FP/MDW"}}}
            )
        },
    ],
)
def test_one_scope_anywhere_restricts_the_dataset_and_becomes_its_reader(city, changes):
    city.dataset(**changes)
    dataset = city.only()
    assert dataset.access_rights is AccessRights.RESTRICTED
    assert dataset.confidentiality is Level.NORMAL
    assert dataset.readers == ("FP/MDW",)


def test_a_restricted_part_without_a_ground_counts_as_personal(city):
    city.dataset(auth="FP/MDW")
    assert city.only().gdpr_category is GdprCategory.PERSONAL
    assert city.only().non_publication_grounds == ("5.1.2e",)
    assert city.only().lawful_basis
    assert city.only().dpia is Dpia.PRE_SCAN


def test_openbaar_in_a_list_of_scopes_is_public_whatever_its_case(city):
    city.dataset(auth=["FP/MDW", "openbaar"])
    assert city.only().access_rights is AccessRights.PUBLIC


def test_without_auth_nobody_is_assumed_to_be_allowed(city):
    city.dataset(auth=None)
    catalog = city.catalog()
    assert catalog.datasets[0].access_rights is AccessRights.RESTRICTED
    assert any("without auth, restricted is assumed" in line for line in catalog.assumptions)


def test_a_ground_without_a_scope_restricts_too(city):
    city.dataset(table=_field(reasonsNonPublic=["5.1 2f: Bedrijfsgegevens"]))
    dataset = city.only()
    assert dataset.access_rights is AccessRights.RESTRICTED
    assert dataset.gdpr_category is GdprCategory.NONE
    assert dataset.non_publication_grounds == ("5.1.2f",)


def test_an_undetermined_ground_is_kept_and_visible(city):
    city.dataset(auth="FP/MDW", reasonsNonPublic=["nader te bepalen"])
    catalog = city.catalog()
    assert catalog.datasets[0].non_publication_grounds == ("5.1.2e", "nader te bepalen")
    assert catalog.datasets[0].gdpr_category is GdprCategory.PERSONAL
    assert any('"nader te bepalen" is no article' in line for line in catalog.assumptions)
    assert any("5.1.2e (private life), until" in line for line in catalog.assumptions)


@pytest.mark.parametrize(
    ("changes", "category", "level"),
    [
        ({"title": "Jeugdzorg", "auth": "FP/MDW"}, GdprCategory.SPECIAL, Level.HIGH),
        ({"title": "Strafzaken", "auth": "FP/MDW"}, GdprCategory.CRIMINAL, Level.HIGH),
        ({"title": "Bezorging", "auth": "FP/MDW"}, GdprCategory.PERSONAL, Level.NORMAL),
        (
            {"title": "Jeugdzorg", "table": _field(auth="FP/MDW")},
            GdprCategory.PERSONAL,
            Level.NORMAL,
        ),
        (
            {"title": "Zorg", "auth": "FP/MDW", "reasonsNonPublic": ["5.1 2f: x"]},
            GdprCategory.NONE,
            Level.NORMAL,
        ),
        (
            {"auth": "FP/MDW", "reasonsNonPublic": ["5.1 2h: Beveiliging"]},
            GdprCategory.NONE,
            Level.HIGH,
        ),
        ({"title": "Jeugdzorg"}, GdprCategory.NONE, Level.OPEN),
    ],
)
def test_words_and_grounds_decide_category_and_class(city, changes, category, level):
    city.dataset(**changes)
    dataset = city.only()
    assert (dataset.gdpr_category, dataset.confidentiality) == (category, level)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("5.1 1d: Bevat persoonsgegevens", "5.1.1d"),
        ("5.1.2e", "5.1.2e"),
        ("5.2 1: Bevat beleidsopvattingen", "5.2.1"),
        ("5.2", "5.2"),
        ("Woo art. 5.1, lid 2, onder E", "5.1.2e"),
        ("artikel 5.1 lid 1 sub c Woo", "5.1.1c"),
        ("5.1 beleid", "5.1"),
        ("nader te bepalen", "nader te bepalen"),
        ("15.1 2e", "15.1 2e"),
    ],
)
def test_grounds_are_normalised_where_they_can_be_recognised(written, read):
    assert woo.normalised(written) == read
    assert woo.is_recognised(read) == read.startswith("5.")


def test_scopes_teams_and_profiles_become_roles(city):
    city.scope("UNUSED")
    city.put("scopes/DADI/openbaar.json", {"id": "OPENBAAR"})
    city.put("profiles/MOBI/p.json", {"id": "p", "scopes": ["BRK/RL"], "datasets": {"trees": {}}})
    city.dataset(auth="FP/MDW", reasonsNonPublic=["5.1 2h: x"])
    catalog = city.catalog()
    roles = {role.id: role for role in catalog.roles}
    assert set(roles) == {"FP/MDW", "UNUSED", "BRK/RL", "team:MOBI"}
    assert roles["FP/MDW"].department == "Team Mobility"
    assert roles["FP/MDW"].clearance is Level.HIGH
    assert roles["UNUSED"].clearance is Level.BASIC
    assert catalog.datasets[0].readers == ("BRK/RL", "FP/MDW")
    assert any("a scope is used that no file describes" in line for line in catalog.assumptions)


@pytest.mark.parametrize(
    ("changes", "steward"),
    [
        ({"authorizationGrantor": "grant@city.example"}, "grant@city.example"),
        ({"creator": "Department of Trees"}, "Department of Trees"),
        ({"contactPoint": {"email": "trees@city.example"}}, "trees@city.example"),
        ({}, "Team Mobility"),
        ({"publisher": "publishers/UNKNOWN"}, None),
    ],
)
def test_the_steward_is_whoever_is_really_named(city, changes, steward):
    city.dataset(**changes)
    assert city.only().steward == steward


@pytest.mark.parametrize("publisher", [{"$ref": "publishers/UNKNOWN"}, {"$ref": "X"}, "X", None])
def test_an_unknown_publisher_leaves_the_owner_as_department(city, publisher):
    city.dataset(publisher=publisher)
    assert city.only().owner_department == "Gemeente Testdam"


@pytest.mark.parametrize("publisher", ["MOBI", "publishers/MOBI", {"$ref": "MOBI"}])
def test_a_publisher_is_found_however_it_is_named(city, publisher):
    city.dataset(publisher=publisher)
    assert city.only().owner_department == "Team Mobility"


def test_what_a_dataset_needs_follows_from_what_it_is(city):
    city.dataset("puntenwolk")
    city.dataset("basisregistratie", creator="Kadaster", title="Basisregistratie X")
    city.dataset(
        "map",
        table={"schema": {"properties": {"g": {"$ref": "https://geojson.org/schema/Point.json"}}}},
        version={"exports": [{"name": "all"}]},
    )
    city.dataset("quiet", version={"enableAPI": False})
    city.dataset("internal", auth="FP/MDW")
    by_id = {d.id: d for d in city.catalog().datasets}
    assert by_id["internal"].interfaces == (Interface.POSTGRESQL,)
    assert by_id["quiet"].interfaces == (Interface.POSTGRESQL, Interface.HTTPS_FILES)
    assert by_id["puntenwolk"].storage is StorageKind.OBJECT
    assert by_id["puntenwolk"].interfaces == (Interface.S3,)
    assert by_id["map"].interfaces == (
        Interface.POSTGRESQL,
        Interface.OGC_API,
        Interface.HTTPS_FILES,
    )
    assert by_id["basisregistratie"].availability is Level.HIGH
    assert by_id["basisregistratie"].collected_by is CollectorKind.AUTHORITY
    assert by_id["quiet"].availability is Level.BASIC


def test_volumes_depend_on_the_dataset_alone(city):
    city.dataset("b")
    alone = city.only()
    city.dataset("a")
    assert city.catalog().datasets[1] == alone
    # Pinned: another Python or machine must make the same volumes from the same seed.
    assert alone.volume_gb == 26
    assert (alone.monthly_read_gb, alone.monthly_egress_gb) == (Decimal("15.5"), Decimal("1.33"))


def test_lineage_between_datasets_is_kept_and_references_are_not(city):
    city.dataset("source")
    table = _field(relation="source:t") | {"derivedFrom": ["source:t", "derived:t", "gone:t"]}
    city.dataset("derived", table=table)
    catalog = city.catalog()
    ((relation),) = catalog.relations
    assert (relation.derived, relation.source) == ("derived", "source")
    assert relation.monthly_transfer_gb > 0
    text = "\n".join(catalog.assumptions)
    assert "references, not lineage, and are left out (1 dataset: derived)" in text
    assert "derived from a dataset outside the catalogue, left out (1 dataset: derived)" in text


def test_only_the_default_version_counts(city):
    document = city.dataset()
    document["versions"]["v2"] = {"tables": [{"id": "u", "$ref": "u/v1"}]}
    document["defaultVersion"] = None
    document["default_version"] = "v2"
    city.put("datasets/trees/dataset.json", document)
    city.put("datasets/trees/u/v1.json", {"id": "u", "auth": "FP/MDW"})
    assert city.only().access_rights is AccessRights.RESTRICTED


def test_the_older_form_with_tables_in_the_dataset_is_read(city):
    document = city.dataset()
    del document["versions"], document["defaultVersion"]
    document["tables"] = [{"id": "t", "auth": "FP/MDW", "schema": {"properties": {}}}]
    city.put("datasets/trees/dataset.json", document)
    assert city.only().readers == ("FP/MDW",)


def test_nested_folders_are_left_out_and_named(city):
    city.dataset()
    city.put("datasets/trees/inner/dataset.json", {"id": "inner"})
    catalog = city.catalog()
    assert [d.id for d in catalog.datasets] == ["trees"]
    assert any("datasets/trees/inner" in line for line in catalog.assumptions)


def test_every_assumption_is_listed_once_and_counted(city):
    for name in ("a", "b", "c"):
        city.dataset(name)
    lines = city.catalog().assumptions
    assert len({line.partition("(")[0] for line in lines}) == len(lines)
    assert any(line.endswith("(3 datasets: a, b, c).") for line in lines)


def test_the_import_is_a_valid_native_catalogue(city, tmp_path):
    city.dataset(auth="FP/MDW")
    catalog = city.catalog()
    assert catalog.municipality == "Testdam"
    write_json(catalog, tmp_path / "native.json")
    assert load_catalog(tmp_path / "native.json") == catalog


# --- hostile and broken input ---------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["../../../outside/secret", "t/../../../../outside/secret"])
def test_a_reference_that_leads_out_is_refused(tmp_path, reference):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.json").write_text('{"auth": "SECRET"}')
    city = City(tmp_path / "city")
    city.dataset(version={"tables": [{"id": "t", "$ref": reference}]})
    ((file, record, _, message),) = city.defects()
    assert (record, message) == ("dataset trees", "leads out of the folder")
    assert file.endswith(f"{reference}.json")


def test_an_absolute_reference_stays_inside(city):
    city.dataset(version={"tables": [{"id": "t", "$ref": "/etc/passwd"}]})
    ((_, _, _, message),) = city.defects()
    assert message == "does not exist"


@pytest.mark.parametrize("linked", ["datasets/trees/t/v1.json", "publishers/X.json"])
def test_a_link_that_leads_out_is_refused(tmp_path, linked):
    secret = tmp_path / "secret.json"
    secret.write_text('{"id": "X"}')
    city = City(tmp_path / "city")
    city.dataset()
    path = city.root / linked
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    ((file, _, _, message),) = city.defects()
    assert (file, message) == (linked, "leads out of the folder")


def test_a_missing_table_is_a_defect_since_it_may_hold_the_secret(city):
    city.dataset(version={"tables": [{"id": "t", "$ref": "gone/v1"}, {"id": "u"}]})
    assert city.defects() == [
        (
            "datasets/trees/dataset.json",
            "dataset trees",
            "versions.v1.tables.2.$ref",
            "is missing",
        ),
        ("datasets/trees/gone/v1.json", "dataset trees", "", "does not exist"),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"id": "tr ees"}, "id", None),
        ({"id": 7}, "id", None),
        ({"title": ["x"]}, "title", "a text is expected, not a list of 1"),
        ({"auth": {"x": 1}}, "auth", "a text or a list of texts is expected, not an object"),
        ({"auth": [None]}, "auth", "a text or a list of texts is expected, not null"),
        ({"versions": []}, "versions", "an object is expected, not a list of 0"),
        ({"defaultVersion": "v9"}, "defaultVersion", "there is no version v9"),
        ({"publisher": 3}, "publisher", "a text is expected, not 3"),
        (
            {"version": {"enableAPI": "yes"}},
            "versions.v1.enableAPI",
            'true or false is expected, not "yes"',
        ),
        (
            {"version": {"tables": {"t": 1}}},
            "versions.v1.tables",
            "a list is expected, not an object",
        ),
        (
            {"version": {"tables": ["t"]}},
            "versions.v1.tables",
            'a list of objects is expected, not of "t"',
        ),
    ],
)
def test_a_wrong_form_is_one_defect_with_its_place(city, changes, field, message):
    city.dataset(**changes)
    ((_, record, place, found),) = city.defects()
    assert place == field
    assert message is None or found == message
    assert record == "dataset trees"


def test_all_defects_of_all_files_are_reported_at_once(city):
    city.dataset("a", title=1)
    city.dataset("b", table={"auth": 1})
    (city.root / "datasets/c").mkdir()
    (city.root / "datasets/c/dataset.json").write_text("[1]")
    (city.root / "scopes/broken.json").write_text("{")
    assert [file for file, _, _, _ in city.defects()] == [
        "datasets/a/dataset.json",
        "datasets/b/t/v1.json",
        "datasets/c/dataset.json",
        "scopes/broken.json",
    ]


def test_two_folders_with_one_id_are_refused(city):
    city.dataset("a")
    city.dataset("b", id="a")
    ((_, record, field, _),) = city.defects()
    assert (record, field) == ("dataset a", "id")


def test_deep_nesting_ends_in_an_answer(city):
    prop: dict[str, object] = {"type": "string", "auth": "FP/MDW"}
    for _ in range(300):
        prop = {"type": "object", "properties": {"x": prop}}
    city.dataset(table={"schema": {"properties": {"x": prop}}})
    assert city.only().access_rights is AccessRights.RESTRICTED


def test_an_empty_folder_a_file_and_nothing_at_all(tmp_path):
    (tmp_path / "file").write_text("{}")
    for path in (tmp_path, tmp_path / "file", tmp_path / "absent"):
        with pytest.raises(BadInput) as caught:
            load_catalog(path, "amsterdam-schema")
        assert [d.file for d in caught.value.defects] == [str(path)]
