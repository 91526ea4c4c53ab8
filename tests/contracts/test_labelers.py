"""What every labeler promises, whoever wrote it: run for each name that `LABELERS` knows."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from functools import cache

import pytest

from hilum.core.records import Labels, Section
from hilum.core.vocabulary import State
from hilum.labelers import LABELERS, Labeler, ReportSpans, get_labeler

ODD = {
    "empty": "",
    "white space": " \n\t\r\n\u00a0",
    "NUL": "No\x00edema\x00",
    "long": "No pleural effusion, edema or pneumothorax. Possible small nodule. " * 1500,
    "one word": "x" * 100_000,
    "emoji": "\U0001f600 No edema \U0001f3e5. Small effusion \U0001fac1",
    "right to left": "\u05d0\u05d1\u05d2 No edema. \u202e\u0635\u062f\u0631 effusion",
    "letters that grow in lower case": "\u0130\u0130\u0130 NO EDEMA. \u0130 EFFUSION",
    "lone surrogate": "No edema \ud800 effusion",
    "marks only": "...,,,;;;???///((([[[**]]])))",
    "masked": "XXXX ___ [**Name**] edema [**",
    "plain": "Heart size is normal. No pleural effusion. Possible left lower lobe pneumonia.",
}


@cache
def built(name: str) -> Labeler:
    return get_labeler(name)


@pytest.fixture(params=LABELERS.names())
def labeler(request: pytest.FixtureRequest) -> Labeler:
    return built(request.param)


def reports() -> list[ReportSpans]:
    text = "HISTORY: Edema. FINDINGS: No effusion. IMPRESSION: Mild edema."
    cut = [text.index(word) for word in ("No effusion", "IMPRESSION", "Mild")]
    sections = (Section("findings", cut[0], cut[1]), Section("impression", cut[2], len(text)))
    return [*(ReportSpans(text) for text in ODD.values()), ReportSpans(text, sections)]


def test_it_is_called_as_it_is_named(labeler: Labeler) -> None:
    assert labeler.name in LABELERS.names()
    assert len(labeler.vocabulary) > 0


def test_its_stamp_says_what_made_the_labels(labeler: Labeler) -> None:
    assert {"labeler", "version", "vocabulary", "convention"} <= set(labeler.stamp)
    assert all(isinstance(k, str) and isinstance(v, str) and v for k, v in labeler.stamp.items())
    assert labeler.stamp["labeler"] == labeler.name
    assert labeler.stamp["vocabulary"] == labeler.vocabulary.name


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_it_never_raises_for_a_text(labeler: Labeler, text: str) -> None:
    [labels] = labeler.label_batch([ReportSpans(text)])
    assert labels.vocabulary == labeler.vocabulary
    assert len(labels.states) == len(labeler.vocabulary)
    assert all(isinstance(state, State) for state in labels.states)


def test_no_report_gives_no_labels(labeler: Labeler) -> None:
    assert labeler.label_batch([]) == []


def test_order_and_batch_do_not_matter(labeler: Labeler) -> None:
    given = reports()
    alone = [labeler.label_batch([report])[0] for report in given]
    assert labeler.label_batch(given) == alone
    places = list(range(len(given)))
    random.Random(3).shuffle(places)
    assert labeler.label_batch([given[i] for i in places]) == [alone[i] for i in places]
    assert labeler.label_batch(given * 3) == alone * 3


def test_a_second_labeler_gives_the_same_bytes(labeler: Labeler) -> None:
    one, two = (get_labeler(labeler.name) for _ in range(2))
    assert pickle.dumps(one.label_batch(reports())) == pickle.dumps(two.label_batch(reports()))
    assert one.stamp == two.stamp


def test_evidence_points_into_the_text_and_its_section(labeler: Labeler) -> None:
    for report in reports():
        [labels] = labeler.label_batch([report])
        bodies = {s.name: s for s in report.sections or (Section("body", 0, len(report.text)),)}
        for e in labels.evidence:
            body = bodies[e.section]
            assert body.start <= e.sentence_start <= e.start < e.end <= e.sentence_end <= body.end
            assert (
                (e.cue_start, e.cue_end) == (-1, -1)
                if not e.cue
                else body.start <= e.cue_start < e.cue_end <= body.end
            )
            assert e.finding == "" or e.finding in labels.vocabulary.names
            assert e.entry


def test_each_label_has_evidence_that_decided_it(labeler: Labeler) -> None:
    seen = set()
    for labels in labeler.label_batch(reports()):
        for finding, state in zip(labels.vocabulary.findings, labels.states, strict=True):
            if state is not State.BLANK and finding.role != "none":
                assert labels.deciding(finding.name), finding.name
                seen.add(state)
    assert seen == {State.POSITIVE, State.NEGATIVE, State.UNCERTAIN}


def test_no_finding_is_never_negative_or_uncertain(labeler: Labeler) -> None:
    name = labeler.vocabulary.no_finding
    for labels in labeler.label_batch(reports()):
        assert name is None or labels[name] in (State.POSITIVE, State.BLANK)


def test_labels_travel_to_and_from_worker_processes(labeler: Labeler) -> None:
    labels = labeler.label_batch(reports())
    assert pickle.loads(pickle.dumps(labels)) == labels


def test_it_is_built_from_its_name_in_another_process(labeler: Labeler) -> None:
    text = ODD["plain"]
    code = (
        "import sys; from hilum.labelers import ReportSpans, get_labeler\n"
        "[labels] = get_labeler(sys.argv[1]).label_batch([ReportSpans(sys.argv[2])])\n"
        "print([int(state) for state in labels.states])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, labeler.name, text], capture_output=True, text=True, check=True
    )
    labels: Labels = labeler.label_batch([ReportSpans(text)])[0]
    assert done.stdout.strip() == str([int(state) for state in labels.states])
