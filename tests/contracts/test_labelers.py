"""What every labeler promises, whoever wrote it: run for each name that `LABELERS` knows."""

from __future__ import annotations

import inspect
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hilum.core.records import Labels, Section
from hilum.core.vocabulary import State
from hilum.labelers import LABELERS, Labeler, ReportSpans, get_labeler, traits_of
from hilum.labelers._base import Explainer

MODELS = str(Path(__file__).parents[1] / "models")

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


NEURAL = [name for name in LABELERS.names() if "weights" in inspect.signature(LABELERS.get(name)).parameters]
LANGUAGE = [
    name for name in LABELERS.names() if "endpoint" in inspect.signature(LABELERS.get(name)).parameters
]
SLOW_READS = 3_000
"""Characters of a text for a language model: several windows, without a minute of reading."""

CLOSE = 1e-5
"""How near probabilities must come to each other when a text is read in another batch."""


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Tiny invented weights for each labeler that needs some."""
    sys.path.insert(0, MODELS)
    import torch
    from tiny_language_model import tiny_language_model
    from tiny_report_encoder import tiny_folder

    from hilum.models.encoder_spec import spec_for

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield {
        name: tiny_folder(tmp_path_factory.mktemp(name), spec_for("chexpert14", kind=name)) for name in NEURAL
    } | {name: tiny_language_model(tmp_path_factory.mktemp(name), context=2048) for name in LANGUAGE}
    torch.set_num_threads(before)


@cache
def built(name: str, weights: str | None) -> Labeler:
    return get_labeler(name, **options_of(name, weights))


def options_of(name: str, weights: str | None) -> dict[str, Any]:
    if weights is None:
        return {}
    asked = (
        {"model": weights, "prompt": "brief", "context": 400} if name in LANGUAGE else {"weights": weights}
    )
    return {**asked, "device": "cpu", "threads": 1}


@pytest.fixture(params=LABELERS.names())
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the labeler is built with."""
    if request.param not in (*NEURAL, *LANGUAGE):
        return {"name": request.param}
    return {
        "name": request.param,
        **options_of(request.param, str(request.getfixturevalue("weights")[request.param])),
    }


@pytest.fixture
def labeler(options: dict[str, Any]) -> Labeler:
    return built(options["name"], options.get("weights", options.get("model")))


def explained(labeler: Labeler, given: Sequence[ReportSpans]) -> list[Labels]:
    """Labels with evidence, from labelers that make it on request too."""
    labels = labeler.label_batch(given)
    return labeler.explain_batch(given, labels) if isinstance(labeler, Explainer) else labels


def of_images(labeler: Labeler) -> bool:
    """Whether every label is 1 or 0, whatever the report says."""
    return "labels_of" in labeler.stamp


def assert_same(found: Sequence[Labels], expected: Sequence[Labels]) -> None:
    """All but the last digits of probabilities is equal."""
    assert [(x.states, x.evidence, x.status) for x in found] == [
        (x.states, x.evidence, x.status) for x in expected
    ]
    for one, two in zip(found, expected, strict=True):
        if one.probabilities is None or two.probabilities is None:
            assert one.probabilities == two.probabilities
        else:
            assert one.probabilities == pytest.approx(two.probabilities, abs=CLOSE)


def text_for(labeler: Labeler, text: str) -> str:
    return text[:SLOW_READS] if labeler.name in LANGUAGE else text


def reports(labeler: Labeler) -> list[ReportSpans]:
    text = "HISTORY: Edema. FINDINGS: No effusion. IMPRESSION: Mild edema."
    cut = [text.index(word) for word in ("No effusion", "IMPRESSION", "Mild")]
    sections = (Section("findings", cut[0], cut[1]), Section("impression", cut[2], len(text)))
    return [*(ReportSpans(text_for(labeler, odd)) for odd in ODD.values()), ReportSpans(text, sections)]


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
    [labels] = labeler.label_batch([ReportSpans(text_for(labeler, text))])
    assert labels.vocabulary == labeler.vocabulary
    assert len(labels.states) == len(labeler.vocabulary)
    assert all(isinstance(state, State) for state in labels.states)


def test_no_report_gives_no_labels(labeler: Labeler) -> None:
    assert labeler.label_batch([]) == []


def test_order_and_batch_do_not_matter(labeler: Labeler) -> None:
    given = reports(labeler)
    alone = [labeler.label_batch([report])[0] for report in given]
    assert_same(labeler.label_batch(given), alone)
    places = list(range(len(given)))
    random.Random(3).shuffle(places)
    assert_same(labeler.label_batch([given[i] for i in places]), [alone[i] for i in places])
    assert_same(labeler.label_batch(given * 3), alone * 3)


def test_probabilities_are_there_when_the_labeler_says_so(labeler: Labeler) -> None:
    for report, labels in zip(reports(labeler), labeler.label_batch(reports(labeler)), strict=True):
        if not traits_of(labeler).probabilities or not report.text.strip():
            assert labels.probabilities is None
        else:
            assert labels.probabilities is not None
            assert len(labels.probabilities) == len(labeler.vocabulary)
            assert all(0 <= p <= 1 for p in labels.probabilities)


def test_evidence_on_request_changes_nothing_else(labeler: Labeler) -> None:
    plain = labeler.label_batch(reports(labeler))
    for before, after in zip(plain, explained(labeler, reports(labeler)), strict=True):
        assert (before.states, before.probabilities, before.status) == (
            after.states,
            after.probabilities,
            after.status,
        )


def test_a_second_labeler_gives_the_same_bytes(options: dict[str, Any]) -> None:
    one, two = (get_labeler(**options) for _ in range(2))
    given = reports(one)
    assert pickle.dumps(one.label_batch(given)) == pickle.dumps(two.label_batch(given))
    assert one.stamp == two.stamp


def test_evidence_points_into_the_text_and_its_section(labeler: Labeler) -> None:
    for report, labels in zip(reports(labeler), explained(labeler, reports(labeler)), strict=True):
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
    silent = (State.BLANK, State.NEGATIVE) if of_images(labeler) else (State.BLANK,)
    for labels in explained(labeler, reports(labeler)):
        for finding, state in zip(labels.vocabulary.findings, labels.states, strict=True):
            if state not in silent and finding.role != "none":
                assert labels.deciding(finding.name), finding.name
                seen.add(state)
    assert seen == ({State.POSITIVE} if of_images(labeler) else set(State) - {State.BLANK})


def test_no_finding_is_never_negative_or_uncertain(labeler: Labeler) -> None:
    name = labeler.vocabulary.no_finding
    if of_images(labeler):
        pytest.skip("labels of images are 1 or 0 for every finding")
    for labels in labeler.label_batch(reports(labeler)):
        assert name is None or labels[name] in (State.POSITIVE, State.BLANK)


def test_labels_travel_to_and_from_worker_processes(labeler: Labeler) -> None:
    labels = labeler.label_batch(reports(labeler))
    assert pickle.loads(pickle.dumps(labels)) == labels


def test_all_are_built_from_their_names_in_another_process(weights: dict[str, Path]) -> None:
    text, names = ODD["plain"], LABELERS.names()
    given = [{"name": n, **options_of(n, str(weights[n]) if n in weights else None)} for n in names]
    code = (
        "import json, sys; from hilum.labelers import ReportSpans, get_labeler\n"
        "for options in json.loads(sys.argv[1]):\n"
        "    [labels] = get_labeler(**options).label_batch([ReportSpans(sys.argv[2])])\n"
        "    print([int(state) for state in labels.states])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given), text], capture_output=True, text=True, check=True
    )
    here = [get_labeler(**options).label_batch([ReportSpans(text)])[0] for options in given]
    assert done.stdout.splitlines() == [str([int(state) for state in labels.states]) for labels in here]
