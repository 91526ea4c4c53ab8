"""Sections of public reports; skipped where the data is absent. Nothing of the data stands here."""

from __future__ import annotations

import csv
import json
import tarfile
import time
from pathlib import Path

import pytest
from defusedxml import ElementTree

from hilum.text.sections import SectionCoverage, find_sections

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FIELDS = ("COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION")
# Headings inside a field: "INDICATION: INDICATION: ..." (10), a comparison and a history inside
# an indication, a whole report pasted into an impression (2415), "Pression:" inside findings (3368).
KNOWN_MISMATCHES = {
    "1076",
    "1496",
    "2415",
    "2464",
    "2550",
    "2800",
    "3291",
    "3334",
    "3368",
    "3535",
    "3625",
    "3667",
    "3922",
    "676",
}


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{path.relative_to(DATA)}, which is not in this clone")
    return path


def openi() -> dict[str, dict[str, str]]:
    with tarfile.open(needs(DATA / "openi" / "NLMCXR_reports.tgz")) as archive:
        members = [m for m in archive if m.name.endswith(".xml")]
        read = {}
        for member in members:
            root = ElementTree.fromstring((archive.extractfile(member) or pytest.fail("no file")).read())
            read[Path(member.name).stem] = {
                a.get("Label"): (a.text or "").strip() for a in root.iter("AbstractText")
            }
    return read


def test_composed_open_i_reports_give_back_their_fields() -> None:
    reports = openi()
    mismatches, coverage, spent = set(), SectionCoverage(), 0.0
    for name, fields in reports.items():
        text = "\n".join(f"{k}: {fields[k]}" for k in FIELDS[:3]) + f"\n\nIMPRESSION: {fields['IMPRESSION']}"
        begun = time.process_time()
        got = [(s.name, text[s.start : s.end]) for s in coverage.add(text)]
        spent += time.process_time() - begun
        if got != [(k.lower(), fields[k]) for k in FIELDS]:
            mismatches.add(name)
    assert len(reports) == coverage.reports == 3955
    assert mismatches == KNOWN_MISMATCHES
    assert coverage.unrecognised_total == coverage.without_headings == 0
    assert spent / len(reports) < 5e-3


def test_headless_reports_stay_whole() -> None:
    splits = json.loads(needs(DATA / "openi" / "r2gen_annotation.json").read_text())
    reports = {entry["id"]: entry["report"] for split in splits.values() for entry in split}
    assert len(reports) == 2955
    split_up = {i for i, text in reports.items() if [s.name for s in find_sections(text)] != ["body"]}
    assert {i.split("_")[0] for i in split_up} == {"CXR3368"}  # "Pression:" is a mistyped heading


def test_clinical_notes_keep_their_imaging_part() -> None:
    with needs(DATA / "covid_notes" / "pairs.csv").open(encoding="utf-8", newline="") as file:
        notes = [row["clinical_notes"] or "" for row in csv.DictReader(file)]
    marked = [n for n in notes if "Imaging Notes:" in n]
    assert len(marked) > 50
    for note in marked:
        (findings,) = [s for s in find_sections(note) if s.name == "findings"]
        assert note[: findings.start].rstrip().endswith("Imaging Notes:")
