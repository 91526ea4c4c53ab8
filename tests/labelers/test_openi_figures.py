"""The figures of docs/claims.md on the real Open-I data; skipped where ../shared/data is absent."""

from __future__ import annotations

import csv
import io
import re
import sys
import tarfile
from pathlib import Path

import pytest

from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers import ReportSpans
from hilum.labelers.rules import build
from hilum.tables import open_reports

ROOT = Path(__file__).resolve().parents[2]
OPENI = ROOT.parent / "shared" / "data" / "openi"
REPORTS = OPENI / "NLMCXR_reports.tgz"
pytestmark = pytest.mark.skipif(not REPORTS.exists(), reason="the Open-I data is not in ../shared/data")
sys.path.insert(0, str(ROOT / "benchmarks"))


def without_mesh(archive: Path, into: Path) -> Path:
    with tarfile.open(archive) as old, tarfile.open(into, "w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            if file is None:
                continue
            body = re.sub(rb"<MeSH>.*?</MeSH>", b"<MeSH/>", file.read(), flags=re.DOTALL)
            info = tarfile.TarInfo(member.name)
            info.size = len(body)
            new.addfile(info, io.BytesIO(body))
    return into


def test_emptying_the_mesh_tags_changes_no_label(tmp_path: Path) -> None:
    labeler = build(vocabulary="nih14")
    bare = without_mesh(REPORTS, tmp_path / "bare.tgz")
    with tarfile.open(REPORTS) as archive:
        assert any(b"<MeSH>" in archive.extractfile(m).read() for m in archive if m.isfile())  # type: ignore[union-attr]
    told = [
        labeler.label_batch([ReportSpans(row.text or "") for row in open_reports(path).rows()])
        for path in (REPORTS, bare)
    ]
    assert len(told[0]) == 3955
    assert told[0] == told[1]


def test_f1_on_the_unread_split_of_the_human_labels() -> None:
    import numpy as np

    from _common import read_openi
    from openi_gold import score, split_ids

    labeler = build(vocabulary="nih14")
    with (OPENI / "mesh_gold_dev.csv").open(newline="", encoding="utf-8") as f:
        gold = {row["filename"]: row for row in csv.DictReader(f)}
    reports = {f"CXR{r.id}": r for r in read_openi(REPORTS)}
    names = [n for n in labeler.vocabulary.names if n != labeler.vocabulary.no_finding]
    ids = split_ids(list(gold), "unread")
    said = np.array([
        labeler.yes_or_no(labeler.label_batch([ReportSpans(f"{reports[i].findings}\n\n{reports[i].impression}")])[0])
        for i in ids
    ], dtype=bool)  # fmt: skip
    columns = [labeler.vocabulary.index(n) for n in names]
    true = np.array([[gold[i][n] == "1" for n in names] for i in ids])
    micro = score(said[:, columns], true, names)["micro"]
    assert len(ids) == 1080
    assert isinstance(micro, dict)
    assert micro["f1"] >= 0.92


def test_reading_check_stays_within_the_agreement_of_the_readers() -> None:
    from reading_check import f1, labels_of, reading

    a, b = reading("a"), reading("b")
    ours, _ = labels_of(REPORTS, {i for i, _ in a})
    assert len(a) == 100 * len(CHEXPERT14)
    for truth in (a, b):
        for state in (State.POSITIVE, State.NEGATIVE):
            assert f1(ours, truth, state) >= f1(a, b, state) - 0.03
        assert f1(ours, truth, State.UNCERTAIN) >= 0.85


def test_kappa_with_the_chexpert_labeler_is_higher_under_its_own_convention() -> None:
    from collections import Counter

    from _common import read_openi
    from hilum.core.vocabulary import state_from_csv
    from openi_gold import kappa, label_all

    findings = {r.id: r.findings for r in read_openi(REPORTS)}
    with (OPENI / "chexpert_labeler_on_findings_dev.csv").open(newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["report_id"] in findings]
    texts = [findings[r["report_id"]] for r in rows]
    house, chexpert = (label_all(build(convention=c), texts) for c in ("house", "chexpert"))
    treated = {
        n for n in CHEXPERT14.names if any(x[n] is not y[n] for x, y in zip(house, chexpert, strict=True))
    }
    assert treated == {"No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Support Devices"}
    for name in treated:
        theirs = [state_from_csv(r[name]) for r in rows]
        ours = [
            kappa(Counter(zip((x[name] for x in said), theirs, strict=True))) for said in (house, chexpert)
        ]
        assert ours[1] > ours[0], name
