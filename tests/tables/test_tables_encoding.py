"""Encodings: found over all bytes, said in the notes, no row lost."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.tables import open_reports
from hilum.tables.encoding import decode

CONTENT = "id,report\n1,Größe normal – no effusion\n2,Clear\n"


def _texts(tmp_path: Path, data: bytes) -> tuple[list[str | None], list[str]]:
    path = tmp_path / "in.csv"
    path.write_bytes(data)
    source = open_reports(path)
    return [r.text for r in source.rows()], source.notes


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CONTENT.encode("utf-8-sig"), "byte order mark"),
        (CONTENT.encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + CONTENT.encode("utf-16-be"), "UTF-16"),
        (CONTENT.encode("utf-16-le"), "UTF-16 (little endian) without"),
        (CONTENT.encode("utf-16-be"), "UTF-16 (big endian) without"),
        (CONTENT.encode("utf-32"), "UTF-32"),
        (CONTENT.encode("cp1252"), "Windows-1252"),
    ],
)
def test_encoding_is_found_and_said(tmp_path: Path, data: bytes, said: str) -> None:
    texts, notes = _texts(tmp_path, data)
    assert texts == ["Größe normal – no effusion", "Clear"]
    assert any(said in note for note in notes)


def test_plain_utf8_needs_no_note(tmp_path: Path) -> None:
    assert _texts(tmp_path, CONTENT.encode()) == (["Größe normal – no effusion", "Clear"], [])


def test_stray_bytes_in_utf8_are_replaced_one_by_one(tmp_path: Path) -> None:
    texts, notes = _texts(tmp_path, "id,report\n1,Größe – normal\n2,No ".encode() + b"\xff edema\n3,Clear\n")
    assert texts == ["Größe – normal", "No \ufffd edema", "Clear"]
    assert notes == ["the file is UTF-8 with 1 invalid bytes; only those are shown as U+FFFD"]


def test_latin1_when_windows_1252_has_no_such_character(tmp_path: Path) -> None:
    texts, notes = _texts(tmp_path, b"id,report\n1,caf\xe9 \x81\n")
    assert texts == ["café \x81"]
    assert "Latin-1" in notes[0]


def test_utf16_cut_in_the_middle_of_a_character_keeps_its_rows(tmp_path: Path) -> None:
    texts, _ = _texts(tmp_path, CONTENT.encode("utf-16")[:-1])
    assert texts[0] == "Größe normal – no effusion"
    assert len(texts) == 2


def test_decision_uses_bytes_far_into_the_file(tmp_path: Path) -> None:
    lines = b"".join(b"%d,Heart size is normal and the lungs are clear\n" % i for i in range(60_000))
    texts, notes = _texts(tmp_path, b"id,report\n" + lines + b"x,caf\xe9\n")
    assert len(lines) > 2 << 20
    assert texts[-1] == "café"
    assert "Windows-1252" in notes[0]


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_decode(data: bytes) -> None:
    text, _ = decode(data)
    assert isinstance(text, str)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
@settings(max_examples=200, deadline=None)
def test_utf8_text_comes_back(text: str) -> None:
    assert decode(text.encode())[0] == text.removeprefix("\ufeff")
