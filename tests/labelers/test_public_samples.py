"""Reports like the four public samples of the CheXpert labeler; two are quoted in the project's first issue."""

from __future__ import annotations

import pytest

from hilum.core.vocabulary import CSV_CODES
from hilum.labelers import ReportSpans, get_labeler

SAMPLES = [
    pytest.param(
        "Heart size normal and lungs are clear. No edema or pneumonia. No effusion",
        {"No Finding": 1, "Cardiomegaly": 0, "Edema": 0, "Pneumonia": 0, "Pleural Effusion": 0},
        id="normal",
    ),
    pytest.param(
        "1. Patchy airspace disease within the lingula, may reflect atelectasis or consolidation.",
        {"Lung Opacity": 1, "Consolidation": -1, "Atelectasis": -1},
        id="one finding, two causes",
    ),
    pytest.param(
        "1. The endotracheal tube and the feeding tube are unchanged.\n"
        "2. Lung volumes stay low, with mild pulmonary edema and small effusions on both sides.\n"
        "3. Bibasilar opacities, which could be atelectasis or pneumonia.",
        {
            "Support Devices": 1,
            "Edema": 1,
            "Pleural Effusion": 1,
            "Lung Opacity": 1,
            "Atelectasis": -1,
            "Pneumonia": -1,
        },
        id="devices and hedged causes",
    ),
    pytest.param(
        "1. Interval placement of a right chest tube, with resolution of the right pneumothorax.\n"
        "2. Stable cardiomegaly. No evidence of pulmonary edema.\n"
        "3. Old left rib fractures.",
        {"Support Devices": 1, "Pneumothorax": 0, "Cardiomegaly": 1, "Edema": 0, "Fracture": 1},
        id="resolved and old",
    ),
]


@pytest.mark.parametrize(("text", "expected"), SAMPLES)
def test_sample(text: str, expected: dict[str, int]) -> None:
    [labels] = get_labeler("rules").label_batch([ReportSpans(text)])
    given = {name: CSV_CODES[state] for name, state in labels.as_dict().items()}
    assert {name: code for name, code in given.items() if code is not None} == expected
