"""Open-I XML: folders and archives, hostile files refused, MeSH never read."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.core.records import RowStatus
from hilum.tables import open_reports, openi_xml
from hilum.tables.openi_xml import parse_report

OPENI = Path(__file__).parents[2].parent / "shared" / "data" / "openi" / "NLMCXR_reports.tgz"


def _xml(
    uid: str, *, findings: str = "Lungs clear.", impression: str = "Normal.", mesh: str = "normal"
) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="{uid}"/><Abstract>'
        f'<AbstractText Label="COMPARISON">None.</AbstractText><AbstractText Label="INDICATION"/>'
        f'<AbstractText Label="FINDINGS">{findings}</AbstractText>'
        f'<AbstractText Label="IMPRESSION">{impression}</AbstractText>'
        f"</Abstract><MeSH><major>{mesh}</major></MeSH></eCitation>"
    ).encode()


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<eCitation><uId id="CXR6"/><AbstractText Label="FINDINGS">&b;</AbstractText></eCitation>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<eCitation><uId id="CXR7"/><AbstractText Label="FINDINGS">&x;</AbstractText></eCitation>"""


def _tar(path: Path, members: dict[str, bytes], *, extra: list[tarfile.TarInfo] | None = None) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as archive:
        for info in extra or []:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_text_is_composed_of_the_sections_that_are_not_empty() -> None:
    uid, text, problem = parse_report(_xml("CXR1"))
    assert (uid, problem) == ("CXR1", "")
    assert text == "COMPARISON: None.\nFINDINGS: Lungs clear.\n\nIMPRESSION: Normal."


def test_mesh_tags_change_nothing() -> None:
    assert parse_report(_xml("CXR1", mesh="Cardiomegaly/mild")) == parse_report(_xml("CXR1", mesh=""))


def test_folder_and_archive_give_the_same_rows_in_natural_order(tmp_path: Path) -> None:
    members = {f"reports/{i}.xml": _xml(f"CXR{i}", findings=f"Nodule {i}.") for i in (10, 2, 1)}
    for name, data in members.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    from_folder = list(open_reports(tmp_path / "reports").rows())
    assert [r.cells[0] for r in from_folder] == ["CXR1", "CXR2", "CXR10"]
    for name in ("a.tgz", "a.tar.gz", "a.tar"):
        assert list(open_reports(_tar(tmp_path / name, members)).rows()) == from_folder


def test_hostile_and_broken_xml_is_unreadable_and_the_others_are_kept(tmp_path: Path) -> None:
    files = {
        "1": _xml("CXR1"),
        "6": BOMB,
        "7": EXTERNAL,
        "8": b"<eCitation><uId",
        "9": b"",
        "10": _xml("CXR10"),
    }
    for stem, data in files.items():
        (tmp_path / f"{stem}.xml").write_bytes(data)
    rows = list(open_reports(tmp_path).rows())
    assert [r.cells[0] for r in rows] == ["CXR1", "6", "7", "8", "9", "CXR10"]
    assert [r.status for r in rows] == [None, *[RowStatus.UNREADABLE] * 4, None]
    assert "never follows" in rows[1].problem
    assert "never follows" in rows[2].problem
    assert "not well-formed" in rows[3].problem
    archive = _tar(tmp_path / "a.tgz", {f"{k}.xml": v for k, v in files.items()})
    source = open_reports(archive)
    assert list(source.rows()) == rows
    assert source.notes == ["4 files are unreadable; each row says why"]


def test_plain_doctype_is_no_attack() -> None:
    data = _xml("CXR1").replace(b"<eCitation>", b"<!DOCTYPE eCitation><eCitation>")
    assert parse_report(data)[0] == "CXR1"


def test_wrong_encoding_is_mended_and_said(tmp_path: Path) -> None:
    (tmp_path / "1.xml").write_bytes(_xml("CXR1", findings="Größe").decode().encode("latin-1"))
    row = next(open_reports(tmp_path).rows())
    assert row.text is not None
    assert "Größe" in row.text
    assert "Windows-1252" in row.problem


def test_archive_members_that_reach_outside_are_refused_and_counted(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link.xml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    device = tarfile.TarInfo("dev.xml")
    device.type = tarfile.CHRTYPE
    members = {
        "../evil.xml": _xml("EVIL"),
        "/abs.xml": _xml("ABS"),
        "a/../../b.xml": _xml("B"),
        "1.xml": _xml("CXR1"),
    }
    source = open_reports(_tar(tmp_path / "a.tgz", members, extra=[link, device]))
    assert [r.cells[0] for r in source.rows()] == ["CXR1"]
    assert sorted(source.notes) == [
        "2 archive members that are links, devices or sparse are refused",
        "3 archive members with an absolute name or .. are refused",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["a.tgz"]
    assert not (tmp_path.parent / "evil.xml").exists()


def test_large_members_are_refused_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openi_xml, "MAX_MEMBER", 2000)
    members = {"1.xml": _xml("CXR1"), "2.xml": _xml("CXR2", findings="x" * 3_000_000), "3.xml": _xml("CXR3")}
    source = open_reports(_tar(tmp_path / "a.tgz", members))
    assert [r.cells[0] for r in source.rows()] == ["CXR1", "CXR3"]
    assert "larger than" in source.notes[0]


def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openi_xml, "MAX_UNPACKED", 1 << 20)
    info = tarfile.TarInfo("zeros.bin")
    info.size = 4 << 20
    with pytest.raises(InputError, match="unpacks to more than"):
        open_reports(_tar(tmp_path / "a.tgz", {"1.xml": _xml("CXR1")}, extra=[info]))


def test_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1.xml")
        info.pax_headers = {"comment": "x" * (3 << 20)}
        archive.addfile(info, io.BytesIO(b""))
    with pytest.raises(InputError, match="a header has more than"):
        open_reports(tmp_path / "a.tgz")


def test_truncated_archive_keeps_its_good_reports(tmp_path: Path) -> None:
    members = {f"{i}.xml": _xml(f"CXR{i}", findings=f"Nodule {i * 7919}.") for i in range(1, 400)}
    path = _tar(tmp_path / "a.tgz", members)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = open_reports(path)
    rows = list(source.rows())
    assert 50 < len(rows) < 399
    assert all(r.status is None for r in rows)
    assert "truncated or damaged" in source.notes[0]


def test_several_gzip_members_in_one_archive(tmp_path: Path) -> None:
    whole = gzip.decompress(
        _tar(tmp_path / "a.tgz", {"1.xml": _xml("CXR1"), "2.xml": _xml("CXR2")}).read_bytes()
    )
    (tmp_path / "b.tgz").write_bytes(gzip.compress(whole[:700]) + gzip.compress(whole[700:]))
    source = open_reports(tmp_path / "b.tgz")
    assert [r.cells[0] for r in source.rows()] == ["CXR1", "CXR2"]
    assert source.notes == []


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b broken", b"\0" * 2048])
def test_file_that_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(data)
    with pytest.raises(InputError, match=r"holds no Open-I \.xml file"):
        open_reports(tmp_path / "a.tgz")


@pytest.mark.skipif(not OPENI.exists(), reason="the Open-I reports (shared data) are not here")
def test_all_open_i_reports(tmp_path: Path) -> None:
    source = open_reports(OPENI)
    rows = list(source.rows())
    assert len(rows) == source.row_count_hint() == 3955
    assert source.notes == []
    assert all(r.status is None and not r.problem for r in rows)
    assert sum(not (r.text or "").strip() for r in rows) == 28
    assert [r.cells[0] for r in rows[:3]] == ["CXR1", "CXR2", "CXR3"]
    with tarfile.open(OPENI) as archive:
        for member in archive:
            if member.isreg() and re.search(r"/\d\d?\.xml$", member.name):
                file = archive.extractfile(member)
                assert file is not None
                (tmp_path / Path(member.name).name).write_bytes(file.read())
    few = list(open_reports(tmp_path).rows())
    assert few == rows[: len(few)]
    assert len(few) > 90
