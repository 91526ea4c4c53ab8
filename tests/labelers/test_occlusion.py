"""The sentences behind a label, with an engine that knows words."""

from __future__ import annotations

import sys
from pathlib import Path

import hilum
from hilum.core.records import RowStatus, Section
from hilum.core.vocabulary import State
from hilum.labelers import ReportSpans, get_labeler
from hilum.labelers._occlusion import MOST_PARTS, MOST_PASSES
from hilum.models.encoder_spec import visualchexbert_spec

sys.path.insert(0, str(Path(__file__).parent))
from test_neural import ByHand

WORDS = {
    "edema": ("Edema", [0, 4, 0, 0]),
    "resolved": ("Edema", [0, 0, 6, 0]),
    "normal": ("No Finding", [0, 2]),
    "tiny": ("Fracture", [0, 0.05, 0, 0]),
    "dense": ("Lung Opacity", [0, 1.2, 0, 0]),
}


def explained(text, *, sections=(), words=WORDS, **options):
    engine = ByHand(**words)
    labeler = get_labeler("chexbert", weights=engine, **options)
    reports = [ReportSpans(text, sections)]
    [labels] = labeler.explain_batch(reports, labeler.label_batch(reports))
    return labels, engine


def words_behind(text, finding, **options):
    labels, _ = explained(text, **options)
    return [text[e.start : e.end] for e in labels.deciding(finding)]


def test_the_sentence_that_made_the_label_is_its_evidence():
    text = "Heart is normal. There is edema today. Lines are in place."
    labels, engine = explained(text)
    [evidence] = labels.deciding("Edema")
    assert text[evidence.start : evidence.end] == "There is edema today"
    assert evidence == evidence._replace(
        state=State.POSITIVE, entry="chexbert/occlusion", cue="", cue_start=-1, cue_end=-1,
        sentence_start=evidence.start, sentence_end=evidence.end, section="body",
    )  # fmt: skip
    assert words_behind(text, "No Finding") == ["Heart is normal"]
    assert engine.seen[2:] == [
        "There is edema today. Lines are in place.",
        "Heart is normal. Lines are in place.",
        "Heart is normal. There is edema today.",
    ]


def test_evidence_is_for_the_state_that_was_given():
    labels, _ = explained("There was edema. It has resolved.")
    [evidence] = labels.evidence
    assert evidence.state is State.NEGATIVE
    assert evidence.start == 17
    assert labels["Edema"] is State.NEGATIVE


def test_labels_states_and_probabilities_stay_as_they_were():
    engine = ByHand(**WORDS)
    labeler = get_labeler("chexbert", weights=engine)
    reports = [ReportSpans("edema. normal."), ReportSpans(""), ReportSpans("Clear.")]
    plain = labeler.label_batch(reports)
    assert all(one.evidence == () for one in plain)
    done = labeler.explain_batch(reports, plain)
    assert [(x.states, x.probabilities, x.status) for x in done] == [
        (x.states, x.probabilities, x.status) for x in plain
    ]
    assert done[1].status is RowStatus.EMPTY
    assert [len(x.evidence) for x in done] == [2, 0, 0]


def test_where_sentences_stand_in_for_each_other_the_clearest_alone_is_given():
    text = "Lines. Some edema, and normal. There is edema. More edema."
    words = {**WORDS, "There": ("Edema", [0, 1, 0, 0])}
    labels, engine = explained(text, words=words)
    assert [(text[e.start : e.end], e.entry) for e in labels.deciding("Edema")] == [
        ("There is edema", "chexbert/alone")
    ]
    assert [e.entry for e in labels.deciding("No Finding")] == ["chexbert/occlusion"]
    assert engine.seen[-4:] == ["Lines.", "Some edema, and normal.", "There is edema.", "More edema."]


def test_at_most_three_sentences_the_strongest_in_the_order_of_the_text():
    text = "One dense. Two dense dense. Three. Four dense. Five dense."
    words = {f"{n}": ("Lung Opacity", [0, size, 0, 0]) for n, size in
             (("One", 0.4), ("Two", 0.9), ("Four", 0.8), ("Five", 0.6))}  # fmt: skip
    assert words_behind(text, "Lung Opacity", words=words) == ["Two dense dense", "Four dense", "Five dense"]


def test_offsets_are_of_the_original_text_and_sections_stay_apart():
    text = "FINDINGS: Lines.\n\n1. Mild edema.\n2. Heart is normal. IMPRESSION: edema."
    cut = [text.index(w) for w in ("Lines", "IMPRESSION")]
    sections = (Section("findings", cut[0], cut[1] - 1), Section("impression", len(text) - 6, len(text)))
    labels, engine = explained(text, sections=sections, words={**WORDS, "edema": ("Edema", [0, 1.5, 0, 0])})
    found = [(e.section, text[e.start : e.end]) for e in labels.deciding("Edema")]
    assert found
    assert all(words in ("Mild edema", "edema") for _, words in found)
    assert engine.seen[0] == "Lines. 1. Mild edema. 2. Heart is normal. edema."


def test_long_reports_are_explained_in_parts_and_the_work_is_bounded():
    text = "Lines are in place. " * 300 + "There is edema. " + "Lines are in place. " * 300
    labels, engine = explained(text)
    assert len(engine.seen) <= 2 + 2 * MOST_PARTS
    [evidence] = labels.deciding("Edema")
    assert "There is edema" in text[evidence.start : evidence.end]
    assert evidence.end - evidence.start < len(text) / 20
    _, engine = explained(text.replace("place. ", "place | "))
    assert sum(1 + seen.count("|") for seen in engine.seen[1:]) <= 2 * MOST_PASSES + 2 * 601


def test_zeros_of_image_labels_have_no_sentence():
    engine = ByHand(visualchexbert_spec(), edema=("Edema", [5]), other=("Fracture", [-9]))
    engine.words["Lines"] = ("Edema", [-3])
    labeler = get_labeler("visualchexbert", weights=engine)
    labels = hilum.label("Some edema. Lines.", labeler=labeler, evidence=True)
    assert labels["Edema"] is State.POSITIVE
    assert {e.finding for e in labels.evidence if e.state is State.NEGATIVE} == set()
    assert [e.start for e in labels.deciding("Edema")] == [0]


def test_evidence_of_a_model_is_made_when_it_is_asked_for():
    labeler = get_labeler("chexbert", weights=ByHand(**WORDS))
    assert hilum.label("Some edema.", labeler=labeler).evidence == ()
    assert len(hilum.label("Some edema.", labeler=labeler, evidence=True).evidence) == 1
    assert len(hilum.label("Some edema.").evidence) == 1  # rules
