"""Paraphrases of training rows are made with the lexicon of the labels that are trained."""

from __future__ import annotations

import re
from pathlib import Path

from hilum.labelers import ReportSpans, get_labeler
from hilum.recipes.labeler import recipe
from hilum.train.augmentation import paraphrases

TEXTS = [f"{n} cm. Diffuse emphysema. Hiatal hernia. Pulmonary fibrosis." for n in range(60)]
SENTENCES = re.compile(r"\d+ cm\. Diffuse (.+?)\. (.+?)\. (.+?)\.")
SYNONYMS = (
    {"emphysema", "bullous emphysema", "centrilobular emphysema", "paraseptal emphysema"},
    {"hiatal hernia", "hiatus hernia", "diaphragmatic hernia", "intrathoracic stomach"},
    {"pulmonary fibrosis", "lung fibrosis", "interstitial fibrosis", "honeycombing"},
)


def made(vocabulary: str) -> list[list[str]]:
    config = recipe("mini")(
        Path("out"), Path("a.csv"), labels=Path("a.csv"), vocabulary=vocabulary, paraphrase="synonyms"
    )
    return paraphrases(TEXTS, config)


def test_synonyms_of_nih14_findings_come_from_its_own_lexicon() -> None:
    found = [text for own in made("nih14") for text in own]
    parts = zip(*(SENTENCES.fullmatch(text).groups() for text in found), strict=True)  # type: ignore[union-attr]
    for said, wanted in zip(parts, SYNONYMS, strict=True):
        assert wanted <= {one.lower() for one in said}
    labeler = get_labeler("rules", vocabulary="nih14")
    labels = labeler.label_batch([ReportSpans(text) for text in (TEXTS[0], *found)])
    assert {one.states for one in labels} == {labels[0].states}


def test_findings_outside_the_vocabulary_keep_their_words() -> None:
    assert not any(made("chexpert14"))
