"""From an Amsterdam schema to a catalogue.

Taken from the schema: ids, titles, access, grounds for non-publication, teams, lineage. All
else is assumed, and every assumption is listed in the catalogue with its count.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from models import (
    AccessRights,
    Catalog,
    CollectorKind,
    Dataset,
    DerivedFrom,
    Dpia,
    GdprCategory,
    Interface,
    Level,
    Role,
    StorageKind,
)
from placement.catalog import synthetic
from placement.catalog.amsterdam import grounds as woo
from placement.catalog.amsterdam.schema import (
    PUBLIC_SCOPE,
    TEAM,
    AmsterdamSchema,
    SchemaDataset,
    read_schema,
)
from placement.catalog.assumptions import Assumptions
from placement.errors import BadInput

UNKNOWN_PUBLISHER = "UNKNOWN"
_UNNAMED = re.compile(r"^(?:|n\.?v\.?t\.?|bronhouder onbekend|onbekend)$", re.IGNORECASE)
_AUTHORITIES = re.compile(
    r"\b(?:kadaster|kamer van koophandel|rdw|rijks\w*|cbs|waternet|provincie|politie)\b",
    re.IGNORECASE,
)
_MUNICIPALITY = re.compile(r"\b(?:gemeente|city of) +([^,;]+)", re.IGNORECASE)
_BASE_REGISTER = re.compile(r"basisregistratie|handelsregister", re.IGNORECASE)
_BULK = re.compile(r"puntenwolk|point cloud|luchtfoto|bulk", re.IGNORECASE)


def load_amsterdam_schema(path: Path) -> Catalog:
    """The catalogue of a folder in Amsterdam's form.

    Raises
    ------
    BadInput
        With every defect of every file.
    """
    schema, defects = read_schema(path)
    if defects:
        raise BadInput(defects)
    return _Import(schema).catalog()


class _Import:
    """One import: the schema, and what had to be assumed on the way."""

    def __init__(self, schema: AmsterdamSchema) -> None:
        self.schema = schema
        self.assumed = Assumptions()

    def catalog(self) -> Catalog:
        datasets = tuple(self._dataset(dataset) for dataset in self.schema.datasets)
        roles = self._roles(datasets)
        relations = self._relations(datasets)
        self._note_what_is_left_out()
        return Catalog(
            municipality=self._municipality(),
            source="amsterdam-schema",
            assumptions=self.assumed.sentences(),
            datasets=datasets,
            roles=roles,
            relations=relations,
        )

    def _municipality(self) -> str:
        """The municipality most owners name."""
        owners = (_MUNICIPALITY.search(raw.owner) for raw in self.schema.datasets)
        named = Counter(match.group(1).strip() for match in owners if match)
        self.assumed.note("municipality: the one that most datasets name as owner")
        return named.most_common(1)[0][0] if named else "not named"

    # --- one dataset ---------------------------------------------------------------------------

    def _dataset(self, raw: SchemaDataset) -> Dataset:
        restricted = self._is_restricted(raw)
        grounds = self._grounds(raw, restricted=restricted)
        category = self._category(raw, grounds, restricted=restricted)
        level = woo.confidentiality(category, grounds) if restricted else Level.OPEN
        personal = category is not GdprCategory.NONE
        bulk = bool(_BULK.search(f"{raw.id} {raw.title}"))
        volumes = synthetic.volumes(raw.id, bulk=bulk, public=not restricted)
        self._note_assumed_fields(raw, category, level)
        team = self._team(raw)
        return Dataset(
            id=raw.id,
            title=self._title(raw),
            description=raw.description,
            owner_department=self._department(raw),
            steward=self._steward(raw),
            confidentiality=level,
            integrity=Level.HIGH if self._is_base_register(raw) else Level.NORMAL,
            availability=self._availability(raw),
            gdpr_category=category,
            lawful_basis="art. 6(1)(e) GDPR" if personal else None,
            dpia=_dpia(category),
            access_rights=AccessRights.RESTRICTED if restricted else AccessRights.PUBLIC,
            non_publication_grounds=grounds,
            readers=self._readers(raw),
            writers=(team,),
            administrators=(team,),
            collected_by=self._collector(raw),
            volume_gb=volumes.volume_gb,
            monthly_read_gb=volumes.monthly_read_gb,
            monthly_egress_gb=volumes.monthly_egress_gb,
            storage=StorageKind.OBJECT if bulk else StorageKind.BLOCK,
            interfaces=self._interfaces(raw, bulk=bulk, public=not restricted),
            synthetic=synthetic.FIELDS,
        )

    def _is_restricted(self, raw: SchemaDataset) -> bool:
        unscoped = [p for p in raw.parts if p.grounds and not p.scopes]
        if unscoped:
            self.assumed.note(
                "access_rights: a part with a ground for non-publication but no scope counts as "
                "restricted",
                raw.id,
            )
        if not raw.says_who_may_read:
            self.assumed.note("access_rights: without auth, restricted is assumed", raw.id)
        return not raw.says_who_may_read or any(part.restricted for part in raw.parts)

    def _grounds(self, raw: SchemaDataset, *, restricted: bool) -> tuple[str, ...]:
        """Grounds as stated; where none is an article of the Woo, private life is added."""
        written = [ground for part in raw.parts for ground in part.grounds]
        grounds = {woo.normalised(ground) for ground in written}
        for ground in sorted(grounds):
            if not woo.is_recognised(ground):
                self.assumed.note(
                    f'non_publication_grounds: "{ground}" is no article of the Woo and is kept '
                    "as it is written; the data counts as personal",
                    raw.id,
                )
        if restricted and not any(map(woo.is_recognised, grounds)):
            self.assumed.note(
                f"non_publication_grounds: {woo.ASSUMED_GROUND} (private life), until the city "
                "determines a ground",
                raw.id,
            )
            grounds.add(woo.ASSUMED_GROUND)
        return tuple(sorted(grounds))

    def _category(
        self, raw: SchemaDataset, grounds: tuple[str, ...], *, restricted: bool
    ) -> GdprCategory:
        if not restricted:
            return GdprCategory.NONE
        whole = not raw.says_who_may_read or any(
            part.restricted and part.level != "field" for part in raw.parts
        )
        words = " ".join([raw.id, raw.title, raw.description, *raw.words])
        return woo.gdpr_category(grounds, words, whole_part=whole)

    def _note_assumed_fields(
        self, raw: SchemaDataset, category: GdprCategory, level: Level
    ) -> None:
        note = self.assumed.note
        seed = f'"{synthetic.SEED}"'
        note(f"{', '.join(synthetic.FIELDS)}: synthetic, lognormal from the seed {seed}", raw.id)
        name = level.name.lower()
        note(f"confidentiality: {name}, from access scopes and grounds", raw.id)
        note(f"gdpr_category: {category.value}, from grounds and words in titles", raw.id)
        if category is not GdprCategory.NONE:
            note("lawful_basis: a public task, art. 6(1)(e) GDPR", raw.id)
        note(f"dpia: {_dpia(category).value}", raw.id)
        note("writers, administrators: the publisher's data team", raw.id)
        note("high_value: no; duties, technologies: none; replicas: 1; current_site: none", raw.id)

    def _title(self, raw: SchemaDataset) -> str:
        if not raw.title:
            self.assumed.note("title: the id, where the schema has none", raw.id)
        return raw.title or raw.id

    def _publisher(self, raw: SchemaDataset) -> str | None:
        """The name of a known publisher."""
        known = raw.publisher != UNKNOWN_PUBLISHER and raw.publisher in self.schema.publishers
        return self.schema.publishers[raw.publisher] if known else None

    def _department(self, raw: SchemaDataset) -> str | None:
        publisher = self._publisher(raw)
        if publisher is not None:
            self.assumed.note("owner_department: the publisher's data team", raw.id)
            return publisher
        self.assumed.note("owner_department: the owner, where the publisher is unknown", raw.id)
        return raw.owner or None

    def _steward(self, raw: SchemaDataset) -> str | None:
        """Whoever grants access; failing that the creator, the contact, the data team."""
        candidates = {
            "authorizationGrantor": raw.grantor,
            "creator, where nobody grants access": raw.creator,
            "contact point, where no creator is named": raw.contact,
            "publisher's data team, where nobody else is named": self._publisher(raw) or "",
        }
        for source, name in candidates.items():
            if not _UNNAMED.match(name):
                self.assumed.note(f"steward: the {source}", raw.id)
                return name
        return None

    def _is_base_register(self, raw: SchemaDataset) -> bool:
        return bool(_BASE_REGISTER.search(f"{raw.title} {raw.description}"))

    def _availability(self, raw: SchemaDataset) -> Level:
        if self._is_base_register(raw):
            self.assumed.note("integrity, availability: high for base registers", raw.id)
            return Level.HIGH
        served = "with" if raw.served_by_api else "without"
        level = Level.NORMAL if raw.served_by_api else Level.BASIC
        name = level.name.lower()
        self.assumed.note(f"integrity: normal; availability: {name} {served} an API", raw.id)
        return level

    def _readers(self, raw: SchemaDataset) -> tuple[str, ...]:
        scopes = [scope for part in raw.parts for scope in part.scopes]
        profiles = self.schema.profile_readers.get(raw.id, ())
        return tuple(sorted({s for s in (*scopes, *profiles) if s.upper() != PUBLIC_SCOPE}))

    def _collector(self, raw: SchemaDataset) -> CollectorKind:
        authority = bool(_AUTHORITIES.search(raw.creator))
        kind = CollectorKind.AUTHORITY if authority else CollectorKind.MUNICIPALITY
        self.assumed.note(f"collected_by: {kind.value}, judged by the creator's name", raw.id)
        return kind

    def _interfaces(self, raw: SchemaDataset, *, bulk: bool, public: bool) -> tuple[Interface, ...]:
        if bulk:
            self.assumed.note("storage, interfaces: object storage by S3 for bulk files", raw.id)
            return (Interface.S3,)
        self.assumed.note(
            "storage, interfaces: PostgreSQL on block storage, an OGC API for geometry that is "
            "served, files over HTTPS for public data and where there are exports",
            raw.id,
        )
        found = [Interface.POSTGRESQL]
        found += [Interface.OGC_API] if raw.has_geometry and raw.served_by_api else []
        found += [Interface.HTTPS_FILES] if public or raw.has_exports else []
        return tuple(found)

    # --- roles and relations -------------------------------------------------------------------

    def _team(self, raw: SchemaDataset) -> str:
        return f"{TEAM}{raw.publisher or UNKNOWN_PUBLISHER}"

    def _roles(self, datasets: tuple[Dataset, ...]) -> tuple[Role, ...]:
        """One role for each scope, used or not, and one for each data team in use."""
        cleared: dict[str, Level] = {}
        for dataset in datasets:
            for role in (*dataset.readers, *dataset.writers, *dataset.administrators):
                level = dataset.confidentiality or Level.OPEN
                cleared[role] = max(level, cleared.get(role, Level.BASIC))
        roles = {
            scope.id: self._role(scope.id, scope.name, scope.owner, cleared)
            for scope in self.schema.scopes
            if scope.id.upper() != PUBLIC_SCOPE
        }
        for name in sorted(cleared.keys() - roles.keys()):
            team = name.removeprefix(TEAM)
            if team == name:
                self.assumed.note("roles: a scope is used that no file describes", name, of="role")
            title = self.schema.publishers.get(team, team)
            roles[name] = self._role(name, title, team if team != name else "", cleared)
        return tuple(roles[name] for name in sorted(roles))

    def _role(self, name: str, title: str, publisher: str, cleared: dict[str, Level]) -> Role:
        department = self.schema.publishers.get(publisher)
        self.assumed.note("roles: country NL; workplaces at no site", name, of="role")
        self.assumed.note(
            "roles: cleared for the highest confidentiality the role already works with",
            name,
            of="role",
        )
        clearance = cleared.get(name, Level.BASIC)
        return Role(id=name, title=title, department=department, country="NL", clearance=clearance)

    def _relations(self, datasets: tuple[Dataset, ...]) -> tuple[DerivedFrom, ...]:
        volumes = {dataset.id: dataset.volume_gb for dataset in datasets}
        found: list[DerivedFrom] = []
        for raw in self.schema.datasets:
            for source in sorted(raw.derived_from):
                if source not in volumes:
                    self.assumed.note(
                        "relations: derived from a dataset outside the catalogue, left out", raw.id
                    )
                    continue
                self.assumed.note("relations: monthly_transfer_gb is synthetic", raw.id)
                amount = synthetic.transfer_gb(raw.id, source, volumes[source])
                found.append(DerivedFrom(derived=raw.id, source=source, monthly_transfer_gb=amount))
        return tuple(found)

    def _note_what_is_left_out(self) -> None:
        for raw in self.schema.datasets:
            if raw.references:
                self.assumed.note(
                    "relations: fields that point into another dataset are references, not "
                    "lineage, and are left out",
                    raw.id,
                )
        if self.schema.nested:
            listed = ", ".join(self.schema.nested)
            self.assumed.note(
                f"datasets: only datasets/<folder>/dataset.json is read; left out are the nested "
                f"folders {listed}",
                *self.schema.nested,
                of="nested folder",
            )


def _dpia(category: GdprCategory) -> Dpia:
    if category is GdprCategory.NONE:
        return Dpia.NONE
    return Dpia.FULL if category.rank >= GdprCategory.CRIMINAL.rank else Dpia.PRE_SCAN
