from __future__ import annotations

import numpy as np
import pytest
from invented import matrix

from hilum.analyses._reasons import Reason, disagreements, read_mentions
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import CHEXPERT14

FINDINGS = ("Lung Opacity", "Edema", "Pleural Effusion")
SECTIONED = "COMPARISON: None. FINDINGS: {}\nIMPRESSION: {}"


def reason_of(states: str, truth: tuple[int, ...], *, finding: str, text: str | None = None) -> Reason | None:
    report = matrix(FINDINGS, [states])
    mentions = read_mentions([text], CHEXPERT14) if text is not None else None
    found = disagreements(report, np.array([truth], dtype=np.int8), mentions)
    return next((d.reason for d in found if FINDINGS[d.finding] == finding), None)


def test_agreement_and_cells_left_out_are_no_disagreement() -> None:
    assert disagreements(matrix(FINDINGS, ["pn."]), np.array([[1, 0, LEFT_OUT]], dtype=np.int8)) == []


def test_a_positive_child_explains_a_blank_or_uncertain_parent_that_the_image_shows() -> None:
    assert reason_of(".p.", (1, 1, 0), finding="Lung Opacity") is Reason.CHILD
    assert reason_of("up.", (1, 1, 0), finding="Lung Opacity") is Reason.CHILD


def test_a_positive_child_explains_nothing_when_the_image_is_negative() -> None:
    assert reason_of("pp.", (0, 1, 0), finding="Lung Opacity") is Reason.REST


@pytest.mark.parametrize("truth", [0, 1])
def test_uncertain_is_its_own_reason_whatever_the_image_shows(truth: int) -> None:
    assert reason_of("..u", (0, 0, truth), finding="Pleural Effusion") is Reason.UNCERTAIN


def test_without_a_text_blank_is_never_mentioned_and_negative_is_rest() -> None:
    assert reason_of("...", (0, 0, 1), finding="Pleural Effusion") is Reason.NEVER
    assert reason_of("..n", (0, 0, 1), finding="Pleural Effusion") is Reason.REST


def test_a_finding_that_only_the_findings_section_names() -> None:
    text = SECTIONED.format("Small left effusion.", "No acute disease.")
    assert reason_of("...", (0, 0, 1), finding="Pleural Effusion", text=text) is Reason.FINDINGS_ONLY


def test_a_finding_that_the_findings_section_denies_is_not_mentioned_there() -> None:
    text = SECTIONED.format("No effusion.", "No acute disease.")
    assert reason_of("...", (0, 0, 1), finding="Pleural Effusion", text=text) is Reason.REST


def test_a_label_worded_against_an_earlier_study() -> None:
    text = SECTIONED.format("Lungs are clear.", "Decreased pulmonary edema, nearly resolved.")
    assert reason_of(".p.", (0, 0, 0), finding="Edema", text=text) is Reason.PRIOR
    text = SECTIONED.format("Lungs are clear.", "Pulmonary edema. Unchanged heart size.")
    assert reason_of(".p.", (0, 0, 0), finding="Edema", text=text) is Reason.REST


def test_words_of_comparison_stand_as_whole_words() -> None:
    text = SECTIONED.format("", "Edema of the renewed kind.")
    assert reason_of(".p.", (0, 0, 0), finding="Edema", text=text) is Reason.REST


def test_a_finding_that_no_section_names() -> None:
    text = SECTIONED.format("Heart size is normal.", "No acute disease.")
    assert reason_of("...", (0, 0, 1), finding="Pleural Effusion", text=text) is Reason.NEVER


def test_a_mention_in_the_history_is_no_mention() -> None:
    text = "HISTORY: Known effusion.\nIMPRESSION: Normal chest."
    assert reason_of("...", (0, 0, 1), finding="Pleural Effusion", text=text) is Reason.NEVER


def test_every_disagreement_has_one_reason_and_reports_without_text_keep_their_place() -> None:
    report = matrix(FINDINGS, ["...", "pnu", "..."])
    truth = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 0]], dtype=np.int8)
    mentions = read_mentions([None, "", "Lung opacity in the right base, unchanged."], CHEXPERT14)
    assert mentions[0] is None
    assert mentions[1] is None
    found = disagreements(report, truth, mentions)
    assert [(d.study, d.finding) for d in found] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
    assert found[-1].reason is Reason.PRIOR
