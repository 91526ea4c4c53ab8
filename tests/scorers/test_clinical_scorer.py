from __future__ import annotations

import math

import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import Score
from hilum.metrics.clinical import PRESETS
from hilum.scorers import get_scorer

REFERENCES = [
    "No pleural effusion. Mild cardiomegaly.",
    "Small left pleural effusion. Possible pneumonia.",
    "Lungs are clear. No edema.",
]
CANDIDATES = ["No pleural effusion.", "Small left pleural effusion. Pneumonia.", "Lungs are clear."]


def values(scores: list[Score]) -> dict[str, float]:
    return {s.name: s.value for s in scores if not s.finding}  # type: ignore[attr-defined]


def test_uncertain_is_what_the_preset_says() -> None:
    """Pneumonia is possible in the reference and there in the candidate."""
    f1 = {name: values(get_scorer("clinical", preset=name).score(REFERENCES, CANDIDATES)) for name in PRESETS}
    assert f1["f1chexbert"]["clinical_f1_micro_14"] > f1["r2gen"]["clinical_f1_micro_14"]
    assert f1["f1chexbert"]["clinical_f1_micro_14"] == f1["uncertain-to-one"]["clinical_f1_micro_14"]
    assert f1["r2gen"]["clinical_f1_micro_14"] == f1["uncertain-to-zero"]["clinical_f1_micro_14"]
    assert len({scores["clinical_f1_macro_14"] for scores in f1.values()}) > 3


def test_names_ranges_and_findings() -> None:
    scores = get_scorer("clinical").score(REFERENCES, CANDIDATES, per_sample=True)
    named = {s.name for s in scores}
    assert {"clinical_f1_micro_14", "clinical_f1_example_5", "clinical_accuracy_14"} <= named
    findings = [s for s in scores if s.finding]  # type: ignore[attr-defined]
    assert len(findings) == 4 * 14
    [effusion] = [s for s in findings if s.name == "clinical_recall" and s.finding == "Pleural Effusion"]  # type: ignore[attr-defined]
    assert (effusion.value, effusion.support) == (1.0, 1)  # type: ignore[attr-defined]
    fracture = [s for s in findings if s.finding == "Fracture"]  # type: ignore[attr-defined]
    assert [math.isnan(s.value) for s in fracture] == [True, True, True, False]
    for s in scores:
        assert s.preset == "f1chexbert, rules"
        if "example" in s.name or "exact_match" in s.name:
            assert s.per_sample is not None
            assert s.value == pytest.approx(sum(s.per_sample) / 3)


def test_what_counts_as_zero_is_said() -> None:
    by_name = {s.name: s for s in get_scorer("clinical").score(REFERENCES, CANDIDATES)}
    assert "findings, which count as 0" in by_name["clinical_f1_macro_14"].note  # type: ignore[attr-defined]
    left = {
        s.name: s for s in get_scorer("clinical", preset="uncertain-to-one").score(REFERENCES, CANDIDATES)
    }
    assert "which are left out" in left["clinical_f1_macro_14"].note  # type: ignore[attr-defined]
    nothing = get_scorer("clinical").score(["Lungs are clear."], [""])
    by_name = {s.name: s for s in nothing}
    assert by_name["clinical_f1_micro_5"].value == 0.0
    assert "5 of 5 findings" in by_name["clinical_f1_micro_5"].note  # type: ignore[attr-defined]


def test_another_vocabulary_has_its_own_number_and_no_five() -> None:
    named = {s.name for s in get_scorer("clinical", vocabulary="nih14").score(REFERENCES, CANDIDATES)}
    assert "clinical_f1_micro_15" in named
    assert "clinical_f1_micro_5" in named


def test_sections_are_chosen_as_in_label() -> None:
    reference = "INDICATION: Edema. FINDINGS: No edema. IMPRESSION: Pleural effusion."
    options = {
        section: values(get_scorer("clinical", section=section).score([reference], ["Pleural effusion."]))
        for section in ("impression", "both", "all")
    }
    assert options["impression"]["clinical_exact_match_14"] == 1.0
    assert options["both"]["clinical_exact_match_14"] == 1.0
    assert options["all"]["clinical_exact_match_14"] == 0.0


def test_wrong_options_and_inputs_are_told() -> None:
    with pytest.raises(UnknownNameError, match="f1chexbert"):
        get_scorer("clinical", preset="chexbert")
    with pytest.raises(UnknownNameError, match="labeler"):
        get_scorer("clinical", labeler="rule")
    with pytest.raises(InputError, match="section"):
        get_scorer("clinical", section="conclusion")
    with pytest.raises(InputError, match="1 of 2 samples"):
        get_scorer("clinical").score([("a", "b"), "c"], ["a", "c"])
    with pytest.raises(InputError, match="3 references and 2"):
        get_scorer("clinical").score(REFERENCES, CANDIDATES[:2])
    with pytest.raises(InputError, match="no pairs"):
        get_scorer("clinical").score([], [])


def test_progress_ends_with_all() -> None:
    seen: list[tuple[int, int]] = []
    get_scorer("clinical").score(
        REFERENCES, CANDIDATES, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (3, 3)


@pytest.mark.parametrize("preset", PRESETS)
def test_wrongly_denied_and_affirmed_findings_lower_every_average(preset: str) -> None:
    """Under every preset; the contract tests do the same for the one that is used without asking."""
    references = [
        "Heart size is normal. No pleural effusion.",
        "Small left pleural effusion.",
        "Mild edema. Pleural effusion. Consolidation.",
        "The heart is enlarged. Possible pneumonia.",
    ]
    wrong = ["Heart size is normal. Pleural effusion.", "No pleural effusion.", *references[2:]]
    scorer = get_scorer("clinical", preset=preset)
    before, after = (values(scorer.score(references, given)) for given in (references, wrong))
    assert [key for key in before if not after[key] < before[key]] == []
