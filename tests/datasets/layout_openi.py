"""Invented reports and images in the layout of Open-I."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from tiny_png import write_png

REPORTS = {
    "1": ("The lungs are clear.", "No acute disease.", ("CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001")),
    "2": ("Small left pleural effusion.", "Left effusion.", ("CXR2_IM-0652-1001",)),
    "3": ("", "", ()),
    "10": ("Right basilar atelectasis.", "", ("CXR10_IM-0003-1001", "CXR10_IM-0003-1002-0001")),
}  # fmt: skip
NIH = "Atelectasis,Cardiomegaly,Effusion,Infiltration,Mass,Nodule,Pneumonia,Pneumothorax,Consolidation,Edema,Emphysema"
GOLD = f"""\
filename,{NIH},Fibrosis,Pleural_Thickening,Hernia,normal
CXR1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1
CXR10,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0
CXR2,0,0,1,0,0,0,0,0,0,0,0,0,0,0,0
"""
LABELER = """\
report_id,filename,Atelectasis,Cardiomegaly,Pleural Effusion,No Finding
1,1_IM-0001-4001.dcm.png,,0.0,,1.0
2,2_IM-0652-1001.dcm.png,,,1.0,
10,10_IM-0003-1001.dcm.png,-1.0,,,
"""
VIEWS = """\
uid,filename,projection
1,1_IM-0001-4001.dcm.png,Frontal
1,1_IM-0001-3001.dcm.png,Lateral
2,2_IM-0652-1001.dcm.png,Frontal
10,10_IM-0003-1001.dcm.png,Frontal
"""
SPLIT = {
    "train": [{"id": "CXR2_IM-0652", "report": "", "image_path": [], "split": "train"}],
    "test": [{"id": "CXR1_1_IM-0001", "report": "", "image_path": [], "split": "test"}],
}


def xml(number: str) -> bytes:
    """One report file."""
    findings, impression, images = REPORTS[number]
    named = "".join(f'<parentImage id="{name}"><figureId>F1</figureId></parentImage>' for name in images)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{number}"/><Abstract>'
        f'<AbstractText Label="INDICATION"/><AbstractText Label="FINDINGS">{findings}</AbstractText>'
        f'<AbstractText Label="IMPRESSION">{impression}</AbstractText></Abstract>'
        f"<MeSH><major>Hernia</major></MeSH>{named}</eCitation>"
    ).encode()


def write(root: Path) -> None:
    """The archive of reports, all images, and every table."""
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as archive:
        for number in REPORTS:
            member = tarfile.TarInfo(f"ecgen-radiology/{number}.xml")
            member.size = len(xml(number))
            archive.addfile(member, io.BytesIO(xml(number)))
    for _, _, images in REPORTS.values():
        for name in images:
            write_png(root / "images" / f"{name}.png")
    (root / "mesh_gold_dev.csv").write_text(GOLD)
    (root / "chexpert_labeler_on_findings_dev.csv").write_text(LABELER)
    (root / "projections.csv").write_text(VIEWS)
    (root / "r2gen_annotation.json").write_text(json.dumps(SPLIT))
