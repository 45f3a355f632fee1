from __future__ import annotations

import os
from decimal import Decimal

import pytest

from placement.catalog.strict_json import read_json
from placement.errors import BadInput


def _defects(path):
    with pytest.raises(BadInput) as caught:
        read_json(path)
    assert all(defect.file == str(path) for defect in caught.value.defects)
    return [(d.record, d.field, d.message) for d in caught.value.defects]


def _write(tmp_path, content):
    path = tmp_path / "input.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_fractions_are_exact_decimals(tmp_path):
    path = _write(tmp_path, '{"price": 0.1, "large": 12345678901234567.123, "count": 3}')
    assert read_json(path) == {
        "price": Decimal("0.1"),
        "large": Decimal("12345678901234567.123"),
        "count": 3,
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark; plain UTF-8 is expected"),
        ('{"a": 1}'.encode("utf-16"), "starts with a byte order mark; plain UTF-8 is expected"),
        (b'{"a":\n"\xff"}', "is not UTF-8: byte 8, on line 2"),
        (b"[" * 200_000, "is nested too deeply"),
        (
            b"{",
            "is not JSON: Expecting property name enclosed in double quotes at line 1, column 2",
        ),
        (b"{} {}", "is not JSON: Extra data at line 1, column 4"),
        (b'{"a": "\x1b"}', "is not JSON: Invalid control character at at line 1, column 8"),
    ],
)
def test_unreadable_content_is_one_defect_of_the_file(tmp_path, content, message):
    assert _defects(_write(tmp_path, content)) == [("", "", message)]


def test_all_oddities_are_reported_with_their_place(tmp_path):
    path = _write(
        tmp_path,
        '{"a": NaN, "a": 1, "datasets": [{"id": "bomen", "volume_gb": -Infinity},'
        ' {"volume_gb": 1e999, "title": "\\ud800"}], "n": ' + "9" * 5000 + "}",
    )
    assert _defects(path) == [
        ("", "", 'the key "a" appears more than once'),
        ("", "n", "the number 99999999999999999999... is out of range"),
        ("dataset 2", "title", "the text holds a control character or half a surrogate pair"),
        ("dataset 2", "volume_gb", "the number 1e999 is out of range"),
        ("dataset bomen", "volume_gb", "-Infinity is not a number"),
    ]


def test_a_whole_surrogate_pair_is_a_character(tmp_path):
    assert read_json(_write(tmp_path, r'{"a": "\ud83c\udf33", "b": "x\ny"}')) == {
        "a": "\N{DECIDUOUS TREE}",
        "b": "x\ny",
    }


@pytest.mark.parametrize("escape", [r"\u001b[2J", r"\u0000", r"\b", r"\u009b", r"\u0085"])
def test_control_characters_never_reach_a_terminal(tmp_path, escape):
    ((_, field, message),) = _defects(_write(tmp_path, f'{{"a": "{escape}"}}'))
    assert field == "a"
    assert message.isprintable()


def test_a_key_is_shown_without_its_control_characters(tmp_path):
    defects = _defects(_write(tmp_path, r'{"\u001b[2J": 1, "\u001b[2J": 2}'))
    assert len(defects) == 2
    assert all("".join(defect).isprintable() for defect in defects)


def test_a_folder_a_missing_file_and_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert _defects(tmp_path) == [("", "", "is a folder; a file is expected")]
    assert _defects(tmp_path / "absent") == [("", "", "does not exist")]
    assert _defects(tmp_path / "pipe") == [("", "", "is not a regular file")]


def test_an_overlong_path_is_a_defect(tmp_path):
    ((_, _, message),) = _defects(tmp_path / ("x" * 5000))
    assert message in ("does not exist", "cannot be read: File name too long")


def test_a_link_to_itself_is_a_defect(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert len(_defects(loop)) == 1


def test_a_file_beyond_the_cap_is_not_read(tmp_path):
    path = _write(tmp_path, "[" + "0," * 100 + "0]")
    with pytest.raises(BadInput, match="is larger than 50 bytes"):
        read_json(path, max_bytes=50)
