"""Ten thousand broken catalogues: each is a catalogue or a list of defects, and nothing else.

Small documents of every form are cut, doubled, spliced and spoilt, the same way in every run; a
failing case is named by its form and number. What is built to take memory or time without end is
tried in a process of its own that may not take much of either.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models import Catalog
from placement.catalog import load_catalog, load_lineage, with_lineage
from placement.cli.app import app
from placement.errors import BadInput
from tests import builders

ROOT = Path(__file__).resolve().parents[2]
TURTLE = """@prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> .
@prefix foaf: <http://xmlns.com/foaf/0.1/> .
<https://city.example/trees> a dcat:Dataset ; dct:title "Trees"@en , \"\"\"B\u00e4ume\"\"\"@de ;
  dct:accessRights <http://publications.europa.eu/resource/authority/access-right/RESTRICTED> ;
  dct:publisher [ foaf:name "Parks" ] ; dct:source <https://city.example/roads> ;
  dct:license <https://creativecommons.org/licenses/by/4.0/> ;
  dcat:distribution [ dcat:byteSize 1500000000 ; dct:format "CSV" ; dcat:accessURL <x y> ] .
<https://city.example/roads> a dcat:Dataset ; dct:license [ dct:title "own" ] .
""".replace("<x y>", "<https://city.example/a.csv>")
NTRIPLES = """<https://c.example/a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .
<https://c.example/a> <http://purl.org/dc/terms/title> "Tr\\u00e9es"@en .
<https://c.example/a> <http://purl.org/dc/terms/license> _:b .
_:b <http://purl.org/dc/terms/title> "own" .
"""  # noqa: E501
XML = """<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dcat="http://www.w3.org/ns/dcat#" xmlns:dct="http://purl.org/dc/terms/">
 <dcat:Dataset rdf:about="https://city.example/trees"><dct:title xml:lang="en">Trees</dct:title>
  <dct:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/>
  <dct:publisher rdf:parseType="Resource"><dct:title>Parks</dct:title></dct:publisher>
  <dcat:distribution><dcat:Distribution rdf:nodeID="d"><dcat:byteSize
   rdf:datatype="http://www.w3.org/2001/XMLSchema#decimal">7</dcat:byteSize></dcat:Distribution>
  </dcat:distribution></dcat:Dataset>
</rdf:RDF>"""
JSON_LD = json.dumps(
    {
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "title": {"@id": "dct:title", "@language": "en"},
        },
        "@graph": [
            {
                "@id": "https://city.example/trees",
                "@type": ["dcat:Dataset"],
                "title": "Trees",
                "dct:license": {"@id": "https://creativecommons.org/licenses/by/4.0/"},
                "dcat:distribution": [{"dcat:byteSize": {"@value": "7", "@type": "dct:x"}}],
                "dct:source": {"@list": [{"@id": "https://city.example/roads"}]},
            },
            {"@id": "https://city.example/roads", "@type": "dcat:Dataset"},
        ],
    }
)
CKAN = json.dumps(
    {
        "success": True,
        "result": {
            "results": [
                {
                    "name": "trees",
                    "title": "Trees",
                    "private": False,
                    "license_id": "cc-by",
                    "organization": {"name": "parks", "title": "Parks"},
                    "extras": [{"key": "uri", "value": "https://city.example/trees"}],
                    "resources": [{"url": "https://x.example/a", "format": "CSV", "size": 12}],
                    "relationships_as_subject": [{"type": "derives_from", "object": "roads"}],
                },
                {"name": "roads", "private": True},
            ]
        },
    }
)
_NAMES = [[{"namespace": "pg", "name": name}] for name in "ab"]
EVENTS = "\n".join(
    json.dumps(
        {
            "eventType": state,
            "run": {"runId": "r"},
            "job": {"namespace": "n", "name": "j"},
            "inputs": _NAMES[0],
            "outputs": [_NAMES[1][0] | {"facets": {"columnLineage": {"fields": {}}}}],
        }
    )
    for state in ("START", "COMPLETE")
)
FORMS = {
    "turtle": (TURTLE, "dcat-ap", ".ttl", 1800),
    "n-triples": (NTRIPLES, "dcat-ap", ".nt", 1200),
    "rdf-xml": (XML, "dcat-ap", ".rdf", 2000),
    "json-ld": (JSON_LD, "dcat-ap", ".jsonld", 1500),
    "sniffed": (TURTLE, "dcat-ap", ".data", 500),
    "ckan": (CKAN, "ckan", ".json", 1500),
    "openlineage": (EVENTS, "openlineage", ".jsonl", 1500),
}
CITY = builders.catalog(builders.dataset("a"), builders.dataset("b"))
PIECES = [
    b"<", b">", b'"', b"'", b".", b";", b"[", b"]", b"{", b"}", b"(", b")", b"&", b"&x;", b"&#0;",
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x8c\xb3",
    b"\\u0000", b"\\ud800", b"\\", b"\n", b"\r", b"\t", b"@", b"@context", b"@id", b"@value",
    b"@list", b"@base", b"@reverse", b"@graph", b"@type", b"@json", b"null", b"true", b"1e999",
    b"NaN", b"-1", b"9" * 40, b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"<!--", b"-->", b"<![CDATA[",
    b"<?x?>", b"rdf:li", b"rdf:ID", b"rdf:parseType", b"Collection", b"Literal", b"xml:base",
    b"file:///etc/passwd", b"http://[", b"_:", b"^^", b"a a a", b"\xe2\x80\xa8", b" " * 50,
]  # fmt: skip


def spoilt(content, dice):
    """One to four changes: insert, cut, double, swap a byte, splice, or replace a token."""
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(content) + 1)
        end = min(len(content), start + dice.randint(1, 30))
        match dice.randrange(6):
            case 0:
                content = content[:start] + dice.choice(PIECES) + content[start:]
            case 1:
                content = content[:start] + content[end:]
            case 2:
                content = content[:end] + content[start:]
            case 3:
                content = content[:start] + bytes([dice.randrange(256)]) + content[start + 1 :]
            case 4:
                other = dice.randrange(len(content) + 1)
                content = content[:start] + content[other : other + 40] + content[end:]
            case _:
                words = content.split(b'"')
                words[dice.randrange(len(words))] = dice.choice(PIECES)
                content = b'"'.join(words)
    return content


def read(path, form):
    if form == "openlineage":
        return with_lineage(CITY, load_lineage(path))
    return load_catalog(path, form)


def answer(path, form, case):
    try:
        return read(path, form), ()
    except BadInput as error:
        return None, error.defects
    except Exception as error:
        raise AssertionError(f"{case}: {path.read_bytes()!r}") from error


@pytest.mark.parametrize("name", FORMS)
def test_every_broken_document_is_a_catalogue_or_defects(name, tmp_path):
    text, form, suffix, cases = FORMS[name]
    path = tmp_path / f"catalog{suffix}"
    path.write_text(text, encoding="utf-8")
    assert isinstance(read(path, form), Catalog), "what is not broken is read"
    read_well = 0
    for case in range(cases):
        path.write_bytes(spoilt(text.encode(), random.Random(f"{name} {case}")))
        found, defects = answer(path, form, f"{name}, case {case}")
        read_well += isinstance(found, Catalog)
        assert isinstance(found, Catalog) or defects, case
        assert all(d.file == str(path) and str(d).isprintable() for d in defects), case
    assert 0 < read_well < cases


def test_there_are_ten_thousand_cases():
    assert sum(cases for *_, cases in FORMS.values()) == 10_000


@pytest.mark.parametrize("name", [name for name in FORMS if name != "openlineage"])
def test_the_command_ends_with_two_and_one_clear_error(name, tmp_path):
    text, form, suffix, _ = FORMS[name]
    path = tmp_path / f"catalog{suffix}"
    path.write_bytes(text.encode()[:-30] + b"\xff\x00")
    answer = CliRunner().invoke(app, ["import", form, str(path), "--out", str(tmp_path / "x")])
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output
    assert str(path) in answer.output.replace("\n", "")
    assert not (tmp_path / "x").exists()


# --- bombs -------------------------------------------------------------------------------------

LEVELS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BOMBS = {
    "billion laughs": (
        ".rdf",
        "dcat-ap",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{LEVELS}]><x>&l11;</x>'.encode(),
    ),
    "quadratic entity": (
        ".rdf",
        "dcat-ap",
        b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 100_000 + b'">]><x>' + b"&a;" * 100_000 + b"</x>",
    ),
    "outside entity": (
        ".rdf",
        "dcat-ap",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///dev/zero">]><x>&a;</x>',
    ),
    "outside document type": (".xml", "dcat-ap", b'<!DOCTYPE x SYSTEM "/dev/zero"><x/>'),
    "parameter entity": (
        ".rdf",
        "dcat-ap",
        b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]><x/>',
    ),
    "deep XML": (".rdf", "dcat-ap", b"<a>" * 2_000_000),
    "deep JSON-LD": (".jsonld", "dcat-ap", b'{"a":' * 2_000_000),
    "deep lists": (".json", "ckan", b"[" * 5_000_000),
    "deep events": (".jsonl", "openlineage", b'{"job":' * 2_000_000),
    "deep Turtle": (".ttl", "dcat-ap", b"<a:a> <a:b> " + b"[ <a:b> " * 300_000),
    "deep collection": (".ttl", "dcat-ap", b"<a:a> <a:b> " + b"(" * 1_000_000),
    "long prefix": (
        ".ttl",
        "dcat-ap",
        b"@prefix " + b"p" * 2_000_000 + b": <x:" + b"y" * 2_000_000 + b"> .",
    ),
    "long number": (".json", "ckan", b'[{"name":"a","resources":[{"size":' + b"9" * 5_000_000),
    "outside context": (".jsonld", "dcat-ap", b'{"@context": "http://127.0.0.1:9/x", "@id": "a"}'),
    "outside import": (
        ".jsonld",
        "dcat-ap",
        b'{"@context": {"@import": "http://127.0.0.1:9/x"}, "@id": "a"}',
    ),
    "context inside a term": (
        ".jsonld",
        "dcat-ap",
        b'{"@context": {"t": {"@id": "a:b", "@context": "http://127.0.0.1:9/x"}}, "t": {}}',
    ),
    "a zip archive": (".rdf", "dcat-ap", b"PK\x03\x04" + bytes(100_000)),
    "gzip": (".ttl", "dcat-ap", b"\x1f\x8b\x08" + bytes(100_000)),
    "gzip as CKAN": (".json", "ckan", b"\x1f\x8b\x08" + bytes(100_000)),
    "YAML aliases": (
        ".json",
        "ckan",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    ),
    "YAML aliases as events": (".jsonl", "openlineage", b"a: &a [x]\nb: [*a, *a]\n"),
}
ALONE = """
import resource, sys
from pathlib import Path
from placement.catalog import load_catalog, load_lineage
from placement.errors import BadInput
import rdflib, rdflib.plugins.parsers.jsonld, rdflib.plugins.parsers.notation3
path, form, spare = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + spare
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
try:
    load_lineage(path) if form == "openlineage" else load_catalog(path, form)
except BadInput as error:
    print(error)
    sys.exit(2)
sys.exit(0)
"""
SPARE_BYTES = 256 * 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds its memory so")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_bounded_memory(name, tmp_path):
    suffix, form, content = BOMBS[name]
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(content)
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, str(path), form, str(SPARE_BYTES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 2, (ended.returncode, ended.stderr[-2000:])
    assert ended.stderr == ""
    assert len(ended.stdout) < 1_000
    assert "memory" not in ended.stdout.lower()


def test_the_limit_of_that_process_is_real(tmp_path):
    code = ALONE.replace("try:", "bytearray(spare * 2)\ntry:")
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "ckan", str(SPARE_BYTES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert "MemoryError" in ended.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY or ended.returncode


def test_files_that_are_too_large_are_not_read_whole(tmp_path):
    path = tmp_path / "large.rdf"
    with path.open("wb") as stream:
        stream.truncate(3 * 2**30)
    for form in ("dcat-ap", "ckan", "openlineage"):
        with pytest.raises(BadInput, match="is larger than"):
            read(path, form)
