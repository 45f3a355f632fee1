"""A small city and a small price list in the forms that importers read, varied in tests."""

from __future__ import annotations

import json

import pytest

from placement.catalog import load_catalog, load_register
from placement.errors import BadInput

MUNICIPAL = {"city/north", "city/south", "intermunicipal/cloud"}


class City:
    """A small city in Amsterdam's form, written file by file."""

    def __init__(self, root):
        self.root = root
        self.put("publishers/MOBI.json", {"id": "MOBI", "name": "Team Mobility"})
        self.put("publishers/publishers.json", {"MOBI": {"id": "MOBI"}})
        self.scope("FP/MDW")

    def put(self, relative, document):
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        return path

    def scope(self, name):
        document = {"id": name, "name": f"Scope {name}", "owner": {"$ref": "publishers/MOBI"}}
        self.put(f"scopes/MOBI/{name.replace('/', '_').lower()}.json", document)

    def dataset(self, folder="trees", *, table=None, version=None, **changes):
        entry = {
            "tables": [{"id": "t", "$ref": "t/v1"}],
            "enableAPI": True,
        } | (version or {})
        document = {
            "id": folder,
            "title": folder.title(),
            "owner": "Gemeente Testdam",
            "creator": "bronhouder onbekend",
            "publisher": {"$ref": "/publishers/MOBI"},
            "auth": "OPENBAAR",
            "authorizationGrantor": "n.v.t.",
            "defaultVersion": "v1",
            "versions": {"v1": entry},
        } | changes
        self.put(f"datasets/{folder}/dataset.json", document)
        table = {"id": "t", "schema": {"properties": {"name": {"type": "string"}}}} | (table or {})
        self.put(f"datasets/{folder}/t/v1.json", table)
        return document

    def catalog(self):
        return load_catalog(self.root, "amsterdam-schema")

    def only(self):
        (dataset,) = self.catalog().datasets
        return dataset

    def defects(self):
        with pytest.raises(BadInput) as caught:
            self.catalog()
        assert all(d.file.startswith(str(self.root)) for d in caught.value.defects)
        return [
            (d.file.removeprefix(f"{self.root}/"), d.record, d.field, d.message)
            for d in caught.value.defects
        ]


class Listing:
    """A price list of one provider, varied in tests."""

    def __init__(self, folder):
        self.folder = folder
        self.terms = {
            "acme": {
                "name": "Acme Cloud",
                "country": "DE",
                "type": "managed",
                "locations": ["de-fra1"],
                "certifications": ["ISO27001"],
                "egress_free_tb": 0,
            }
        }
        self.offers = {
            "acme": {
                "object_storage": {"price_per_gb_monthly": 0.02, "type": "S3-compatible"},
                "block_storage": {"price_per_gb_monthly": 0.1},
                "egress": {"price_per_gb": 0.05},
            }
        }
        self.last_updated = "2026-08-17T00:00:00.000Z"

    def register(self):
        listed = {"last_updated": self.last_updated, "providers": self.offers}
        (self.folder / "providers.json").write_text(json.dumps(self.terms))
        (self.folder / "normalized.json").write_text(json.dumps(listed))
        return load_register(self.folder, "eu-cloud-prices")

    def sites(self):
        return {s.id: s for s in self.register().sites if s.id not in MUNICIPAL}

    def only(self):
        (site,) = self.sites().values()
        return site

    def operator(self):
        return {o.id: o for o in self.register().operators}["acme"]

    def defects(self):
        with pytest.raises(BadInput) as caught:
            self.register()
        return [
            (d.file.rpartition("/")[2], d.record, d.field, d.message) for d in caught.value.defects
        ]
