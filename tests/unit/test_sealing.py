"""Secrets in the database cannot be read without a key that is not there."""

from __future__ import annotations

import os

import pytest

from placement.errors import BadInput, StoreError
from placement.keys import sealing_keys
from placement.provision.sealing import Seal

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_what_is_sealed_opens_for_what_it_is_about():
    seal = Seal(os.urandom(32))
    assert seal.open(seal.seal(SECRET, "sub_1"), "sub_1") == SECRET
    assert seal.open(seal.seal("", "sub_1"), "sub_1") == ""
    assert seal.open(seal.seal("geheim: ÿ€𝄞", "sub_1"), "sub_1") == "geheim: ÿ€𝄞"


def test_what_is_sealed_shows_nothing_and_is_never_the_same_twice():
    seal = Seal(b"k" * 32)
    first, second = seal.seal(SECRET, "sub_1"), seal.seal(SECRET, "sub_1")
    assert first != second
    assert SECRET[6:] not in first
    assert first.startswith(f"sealed:v1:{seal.key_id}:")
    assert "kkkk" not in repr(seal)
    assert len({seal.key_id, Seal(b"l" * 32).key_id}) == 2


@pytest.mark.parametrize("about", ["sub_2", "sub_1 ", "", "SUB_1"])
def test_it_does_not_open_for_anything_else(about):
    seal = Seal(bytes(32))
    with pytest.raises(StoreError, match="cannot be opened"):
        seal.open(seal.seal(SECRET, "sub_1"), about)


def test_one_letter_changed_and_it_does_not_open():
    seal = Seal(bytes(32))
    sealed = seal.seal(SECRET, "sub_1")
    for at in range(len(sealed)):
        other = "A" if sealed[at] != "A" else "B"
        with pytest.raises(StoreError) as refused:
            seal.open(sealed[:at] + other + sealed[at + 1 :], "sub_1")
        assert SECRET not in str(refused.value)
        assert sealed[-20:] not in str(refused.value)


@pytest.mark.parametrize(
    "sealed", ["", "x", ":::", SECRET, "sealed:v1", "sealed:v2:a:b", "sealed:v1:a:b:c", "é:é:é:é"]
)
def test_what_was_never_sealed_does_not_open(sealed):
    with pytest.raises(StoreError, match="sub_1"):
        Seal(bytes(32)).open(sealed, "sub_1")


def test_what_is_cut_short_does_not_open():
    seal = Seal(bytes(32))
    sealed = seal.seal(SECRET, "sub_1")
    head = sealed.rpartition(":")[0]
    for rest in ("", "AAAA", "AAAAAAAAAAAAAAAA", "?", "é"):
        with pytest.raises(StoreError):
            seal.open(f"{head}:{rest}", "sub_1")


def test_a_new_key_seals_and_an_older_one_still_opens():
    old, new = os.urandom(32), os.urandom(32)
    sealed = Seal(old).seal(SECRET, "sub_1")
    rotated = Seal(new, old)
    assert rotated.open(sealed, "sub_1") == SECRET
    assert rotated.key_id == Seal(new).key_id
    assert Seal(new).open(rotated.seal(SECRET, "sub_1"), "sub_1") == SECRET
    with pytest.raises(StoreError, match="a key that is not here"):
        Seal(new).open(sealed, "sub_1")


def test_a_key_has_32_bytes():
    for wrong in (b"", b"x" * 31, b"x" * 33):
        with pytest.raises(ValueError, match="32 bytes"):
            Seal(wrong)
        with pytest.raises(ValueError, match="32 bytes"):
            Seal(bytes(32), wrong)


# -- the key's file -----------------------------------------------------------------------------


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "keys" / "secrets.key"
    keys = sealing_keys(path)
    assert [len(key) for key in keys] == [32]
    assert path.stat().st_mode & 0o777 == 0o600
    assert sealing_keys(path) == keys


def test_a_key_moved_aside_still_opens(tmp_path):
    path = tmp_path / "secrets.key"
    old = Seal(*sealing_keys(path))
    sealed = old.seal(SECRET, "sub_1")
    (tmp_path / "secrets.old").mkdir()
    path.rename(tmp_path / "secrets.old" / "2026.key")
    rotated = Seal(*sealing_keys(path))
    assert rotated.key_id != old.key_id
    assert rotated.open(sealed, "sub_1") == SECRET


def test_a_key_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    path = tmp_path / "secrets.key"
    sealing_keys(path)
    path.chmod(0o640)
    with pytest.raises(BadInput, match="others can read this file"):
        sealing_keys(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(BadInput, match="not a key of 32 bytes"):
        sealing_keys(path)
