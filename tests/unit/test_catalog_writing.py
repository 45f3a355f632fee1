from __future__ import annotations

import json
import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from placement.catalog import load_catalog, load_register, write_json
from placement.errors import BadInput
from tests import builders


def test_what_is_written_is_read_again_unchanged(tmp_path):
    catalog = builders.catalog(builders.dataset(monthly_read_gb=Decimal("0.000001")))
    register = builders.register(builders.site(egress_price_eur_per_gb=Decimal("1E+2")))
    write_json(catalog, tmp_path / "catalog.json")
    write_json(register, tmp_path / "sites.json")
    assert load_catalog(tmp_path / "catalog.json") == catalog
    assert load_register(tmp_path / "sites.json") == register


def test_fields_keep_their_order_and_decimals_their_value(tmp_path):
    path = tmp_path / "catalog.json"
    write_json(builders.catalog(builders.dataset(monthly_read_gb=Decimal("1E+1"))), path)
    text = path.read_text()
    assert list(json.loads(text))[:2] == ["format", "municipality"]
    assert json.loads(text)["datasets"][0]["monthly_read_gb"] == "10"
    assert text.endswith("}\n")


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_permissions(tmp_path):
    path = tmp_path / "catalog.json"
    before = os.umask(0o027)
    try:
        write_json(builders.catalog(), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_json(builders.catalog(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_json(builders.catalog(), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert load_catalog(tmp_path / "real.json") == builders.catalog()


def test_folders_devices_and_missing_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (
        tmp_path,
        tmp_path / "pipe",
        tmp_path / "absent" / "x.json",
        Path("/dev/null"),
        loop,
    ):
        with pytest.raises(BadInput, match="cannot be written"):
            write_json(builders.catalog(), path)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_write_that_fails_halfway_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "catalog.json"
    path.write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match="No space left on device"):
        write_json(builders.catalog(), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["catalog.json"]
