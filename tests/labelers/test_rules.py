from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.core.records import Labels, RowStatus, Section
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers import Labeler, ReportSpans, get_labeler
from hilum.labelers.rules import RuleLabeler

PHRASES = [
    "No pleural effusion", "Small effusion", "heart size is normal", "Possible PNEUMONIA", "may represent", "or",
    "edema", ",", ".", "\r\n", "\u0130", "\U0001f600", "XXXX", "[**Name**]", "is not seen", "versus", "no",
    "mediastinal contours", "unchanged", "?", ":", "but", "\x00",
]  # fmt: skip


RULES = cache(lambda: get_labeler("rules"))


@pytest.fixture(scope="module")
def labeler() -> Labeler:
    return RULES()


def label(text: str, *sections: Section) -> Labels:
    [labels] = RULES().label_batch([ReportSpans(text, sections)])
    return labels


def quotes(text: str) -> list[tuple[str, str, str]]:
    """Finding, quoted words and quoted cue of each piece of evidence."""
    return [
        (e.finding, text[e.start : e.end], text[e.cue_start : e.cue_end] if e.cue else "")
        for e in label(text).evidence
    ]


# evidence


def test_evidence_quotes_the_original_text() -> None:
    text = "There is NO  Pleural\n effusion."
    [e] = label(text).evidence
    assert e.finding == "Pleural Effusion"
    assert e.state is State.NEGATIVE
    assert text[e.start : e.end] == "Pleural\n effusion"
    assert text[e.cue_start : e.cue_end] == "There is NO"
    assert e.cue == "cues/no"
    assert e.entry == "chexpert14/effusion"
    assert e.section == "body"
    assert text[e.sentence_start : e.sentence_end].strip() == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Edema.", [("Edema", "Edema", "")]),
        ("EDEMA CANNOT BE EXCLUDED", [("Edema", "EDEMA", "CANNOT BE EXCLUDED")]),
        ("\u0130\u0130 No Edema", [("Edema", "Edema", "No")]),
        ("\U0001f600 no edema \U0001f600", [("Edema", "edema", "no")]),
        ("No\r\nedema", [("Edema", "edema", "No")]),
        ("Can\u2019t exclude edema", [("Edema", "edema", "Can\u2019t exclude")]),
        ("The Heart  Size is\nnormal.", [("Cardiomegaly", "Heart  Size", "normal")]),
        ("Plate-like atelectasis", [("Atelectasis", "Plate-like atelectasis", "")]),
    ],
)
def test_words_and_cues_are_quoted_as_written(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert quotes(text) == expected


@given(st.lists(st.sampled_from(PHRASES), max_size=25).map(" ".join) | st.text())
@settings(max_examples=150, deadline=None)
def test_offsets_lie_in_the_text_and_labels_follow_from_evidence(text: str) -> None:
    labels = label(text)
    for e in labels.evidence:
        assert 0 <= e.sentence_start <= e.start < e.end <= e.sentence_end <= len(text)
        assert (
            (e.cue_start, e.cue_end) == (-1, -1) if not e.cue else e.sentence_start <= e.cue_start < e.cue_end
        )
        assert e.cue_end <= len(text)
    for name, state in labels.as_dict().items():
        if state is not State.BLANK and name != "No Finding":
            assert labels.deciding(name)


def test_two_findings_of_one_phrase_have_evidence_each() -> None:
    assert {f for f, *_ in quotes("Hydropneumothorax.")} == {"Pneumothorax", "Pleural Effusion"}


# sections


def test_only_the_given_sections_are_labeled_with_offsets_of_the_whole_text() -> None:
    text = "HISTORY: Edema. IMPRESSION: No effusion."
    start = text.index("No effusion")
    labels = label(text, Section("impression", start, len(text)))
    assert labels["Edema"] is State.BLANK
    [e] = labels.evidence
    assert (e.section, text[e.start : e.end]) == ("impression", "effusion")


def test_a_negation_does_not_reach_into_the_next_section() -> None:
    text = "no Edema"
    assert label(text, Section("a", 0, 2), Section("b", 3, 8))["Edema"] is State.POSITIVE


@pytest.mark.parametrize("text", ["", " ", "\n\t\r\n", "\u00a0"])
def test_a_text_without_words_is_empty(text: str) -> None:
    labels = label(text)
    assert labels.status is RowStatus.EMPTY
    assert set(labels.states) == {State.BLANK}


# No Finding


@pytest.mark.parametrize(
    "text",
    [
        "Lungs are clear.", "No acute disease.", "No effusion.", "The heart is normal.", "Pacemaker.",
        "Chest tube in place. No pneumothorax.", "The effusion has resolved.", "Normal chest.",
        "Sternotomy wires are intact.", "No acute bony abnormality.", "Evaluate for pneumonia.",
    ],
)  # fmt: skip
def test_no_finding_when_nothing_abnormal_is_affirmed_or_hedged(text: str) -> None:
    assert label(text)["No Finding"] is State.POSITIVE


@pytest.mark.parametrize(
    "text",
    [
        "Edema.", "Possible edema.", "Degenerative changes of the spine.", "Calcified granuloma.", "Scoliosis.",
        "The aorta is calcified.", "Hyperinflated lungs.", "Low lung volumes.", "Hiatal hernia.", "Emphysema.",
        "Tortuous aorta.", "Borderline heart size.", "Blunting of the costophrenic angle.", "Rib deformity.",
        "Pacemaker. Possible nodule.", "Cholecystectomy clips and an elevated hemidiaphragm.",
    ],
)  # fmt: skip
def test_any_abnormality_takes_no_finding_away(text: str) -> None:
    assert label(text)["No Finding"] is State.BLANK


@pytest.mark.parametrize("vocabulary", ["chexpert14", "nih14"])
def test_abnormalities_outside_the_vocabulary_count_and_devices_do_not(vocabulary: str) -> None:
    labeler = get_labeler("rules", vocabulary=vocabulary)
    texts = ["Rib fracture.", "The mediastinum is widened.", "Pneumonia.", "Pacemaker.", "Sternotomy wires."]
    states = [labels["No Finding"] for labels in labeler.label_batch([ReportSpans(t) for t in texts])]
    assert states == [State.BLANK] * 3 + [State.POSITIVE] * 2


@given(st.lists(st.sampled_from(PHRASES), max_size=12).map(" ".join))
@settings(max_examples=60, deadline=None)
def test_no_finding_is_positive_or_blank_and_never_beside_an_abnormality(text: str) -> None:
    labels = label(text)
    assert labels["No Finding"] in (State.POSITIVE, State.BLANK)
    findings = [s for f, s in zip(CHEXPERT14.findings, labels.states, strict=True) if f.role == "finding"]
    if State.POSITIVE in findings or State.UNCERTAIN in findings:
        assert labels["No Finding"] is State.BLANK


# children and parents


def test_a_child_never_fills_its_parent() -> None:
    labels = label("Pneumonia. Cardiomegaly.")
    assert {n for n, s in labels.as_dict().items() if s} == {"Pneumonia", "Cardiomegaly"}


# yes or no


def test_uncertain_mentions_count_as_yes_by_the_policy_of_the_lexicon() -> None:
    labeler = get_labeler("rules", vocabulary="nih14")
    assert isinstance(labeler, RuleLabeler)

    def answer(text: str, finding: str) -> int:
        [labels] = labeler.label_batch([ReportSpans(text)])
        return labeler.yes_or_no(labels)[labeler.vocabulary.index(finding)]

    assert answer("Atelectasis or infiltrate.", "Atelectasis") == 1
    assert answer("This may be atelectasis.", "Atelectasis") == 0
    assert answer("Pneumonia or infiltrate.", "Pneumonia") == 0
    assert answer("Pneumonia.", "Pneumonia") == 1
    assert answer("No pneumonia.", "Pneumonia") == 0


# batches, time


def test_labels_do_not_depend_on_the_batch(labeler: Labeler) -> None:
    texts = ["No edema", "Edema.", "", "Heart", "is normal", "no", "Possible", "effusion?"] * 3
    alone = [labeler.label_batch([ReportSpans(t)])[0] for t in texts]
    assert labeler.label_batch([ReportSpans(t) for t in texts]) == alone
    assert labeler.label_batch([ReportSpans(t) for t in texts[::-1]]) == alone[::-1]
    assert labeler.label_batch([]) == []


ADVERSARIES = {
    "one sentence of negated commas": "no edema, effusion, ",
    "one list of alternatives": "edema or effusion or ",
    "versus without end": "edema versus ",
    "modifiers that wait for an or": "no edema, small ",
    "structures without predicate": "heart, mediastinum, ",
    "structures and predicates": "heart and mediastinum normal, ",
    "cues after a list": "edema and effusion not seen and ",
    "a phrase that almost fits": "pulmonary vascular pulmonary venous ",
    "one letter": "x",
    "one word": "edema ",
    "brackets": "[** ",
    "underscores": "_ ",
    "line breaks": "\n",
    "carriage returns": "edema\r\n- ",
    "question marks": "edema? ",
    "colons": "edema: no ",
    "emoji": "\U0001f600 ",
    "new words": "",
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_time_is_linear_in_the_text(
    labeler: Labeler, name: str, assert_linear: Callable[[Callable[[int], Callable[[], object]]], None]
) -> None:
    def prepare(size: int) -> Callable[[], object]:
        unit = ADVERSARIES[name]
        text = (
            (unit * (size // len(unit)))
            if unit
            else "".join(f"w{chr(97 + i % 26) * (i % 31)} " for i in range(size // 17))
        )
        return lambda: labeler.label_batch([ReportSpans(text)])

    assert_linear(prepare)


def test_a_report_of_ten_megabytes(labeler: Labeler) -> None:
    text = (
        "The heart size is normal. No pleural effusion, edema, or pneumothorax. Possible small nodule.\n"
        * 110_000
    )
    assert len(text) > 10_000_000
    start = time.process_time()
    [labels] = labeler.label_batch([ReportSpans(text)])
    assert time.process_time() - start < 20
    assert labels["Lung Lesion"] is State.UNCERTAIN
    assert len(labels.evidence) == 5 * 110_000
