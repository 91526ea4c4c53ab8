"""Sentences whose label must flip with their wording, for every finding and several phrases of each.

Each text is read with and without its full stop. What makes no sense of a finding ("a pacemaker has cleared")
is left out by `LEFT_OUT`, in sight.
"""

from __future__ import annotations

import pytest

from hilum.core.vocabulary import SHIPPED, State
from hilum.labelers import Labeler, ReportSpans, get_labeler

PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "chexpert14": {
        "Enlarged Cardiomediastinum": ("mediastinal widening", "widening of the mediastinum"),
        "Cardiomegaly": ("cardiomegaly", "cardiac enlargement", "enlargement of the heart"),
        "Lung Opacity": ("opacity", "infiltrate", "airspace disease", "airspace opacities", "lung scarring"),
        "Lung Lesion": ("nodule", "lung mass", "pulmonary nodules", "cavitary lesion"),
        "Edema": ("edema", "pulmonary edema", "vascular congestion", "heart failure", "interstitial oedema"),
        "Consolidation": ("consolidation", "airspace consolidation", "lobar consolidation"),
        "Pneumonia": ("pneumonia", "infection", "infectious process", "bronchopneumonia"),
        "Atelectasis": (
            "atelectasis",
            "lobar collapse",
            "basilar atelectasis",
            "collapse of the left lower lobe",
        ),
        "Pneumothorax": ("pneumothorax", "apical pneumothorax", "pneumothoraces"),
        "Pleural Effusion": ("pleural effusion", "effusions", "pleural fluid", "left effusion"),
        "Pleural Other": ("pleural thickening", "pleural plaques", "pleural scarring", "fibrothorax"),
        "Fracture": ("fracture", "rib fractures", "clavicle fracture", "compression fracture"),
        "Support Devices": ("pacemaker", "chest tube", "central venous catheter", "endotracheal tube"),
    },
    "nih14": {
        "Atelectasis": ("atelectasis", "lobar collapse"),
        "Cardiomegaly": ("cardiomegaly", "cardiac enlargement"),
        "Effusion": ("pleural effusion", "effusions", "pleural fluid"),
        "Infiltration": ("infiltrate", "infiltration"),
        "Mass": ("mass", "lung mass"),
        "Nodule": ("nodule", "pulmonary nodules"),
        "Pneumonia": ("pneumonia", "bronchopneumonia"),
        "Pneumothorax": ("pneumothorax", "pneumothoraces"),
        "Consolidation": ("consolidation", "airspace consolidation"),
        "Edema": ("edema", "pulmonary oedema"),
        "Emphysema": ("emphysema", "pulmonary emphysema"),
        "Fibrosis": ("fibrosis", "pulmonary fibrosis"),
        "Pleural_Thickening": ("pleural thickening",),
        "Hernia": ("hiatal hernia", "diaphragmatic hernia"),
    },
}

POSITIVE = (
    "{X}.",
    "There {is} {x}.",
    "Mild {x} {is} seen.",
    "Persistent {x}.",
    "{X} {is} again noted.",
    "{X} {is} unchanged.",
    "Findings consistent with {x}.",
    "No change in {x}.",
    "No significant interval change in the {x}.",
    "{X} {has} improved but {is} still present.",
    "{X} {has} not resolved.",
    "Not only {x} but also a granuloma.",
    "No fever but {x} {is} seen.",
    "CHEST: {X}.",
    "No fever\n{X}\nNo cough.",
    "1. No fever 2. {X} 3. No cough.",
)
NEGATIVE = (
    "No {x}.",
    "There {is} no {x}.",
    "No evidence of {x}.",
    "No radiographic evidence for {x}.",
    "Without {x}.",
    "Without evidence of {x}.",
    "{X} {is} not seen.",
    "{X} {is} not identified.",
    "No {x} {is} seen.",
    "{X} {is} absent.",
    "Absence of {x}.",
    "Negative for {x}.",
    "Free of {x}.",
    "{X} {has} resolved.",
    "Interval resolution of {x}.",
    "Previously seen {x} {has} cleared.",
    "{X} {is} no longer seen.",
    "Artifact rather than {x}.",
    "No fever, cough, or {x}.",
    "There {is} neither {x} nor fever.",
    "Not suggestive of {x}.",
    "The study does not show {x}.",
    "{X}: none.",
    "{X} {has} been ruled out.",
    "CHEST: No {x}.",
    "CHEST: No fever or {x}.",
    "There {is} no evidence of\n{x}.",
)
UNCERTAIN = (
    "Possible {x}.",
    "Probable {x}.",
    "Likely {x}.",
    "Questionable {x}.",
    "Suspected {x}.",
    "{X} {is} possible.",
    "{X} {is} suspected.",
    "{X} cannot be excluded.",
    "{X} {is} not excluded.",
    "{X} {is} not ruled out.",
    "{X} can't be entirely excluded.",
    "Cannot rule out {x}.",
    "Cannot exclude {x}.",
    "It is not possible to exclude {x}.",
    "{X} versus artifact.",
    "Artifact versus {x}.",
    "{X} vs. artifact.",
    "{X} or a granuloma.",
    "This may represent {x}.",
    "This could reflect {x}.",
    "This might be {x}.",
    "Concerning for {x}.",
    "Suspicious for {x}.",
    "Suggestive of {x}.",
    "{X}?",
    "CHEST: Possible {x}.",
    "This may\nrepresent {x}.",
)

_GOES_AWAY = (
    "{X} {has} resolved.",
    "Interval resolution of {x}.",
    "Previously seen {x} {has} cleared.",
    "{X} {has} not resolved.",
    "{X} {has} improved but {is} still present.",
)
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "Fracture": _GOES_AWAY,  # bone heals, and a healed fracture is a fracture
    "Support Devices": (*_GOES_AWAY, "Mild {x} {is} seen.", "Findings consistent with {x}.", "Likely {x}."),
    "Hernia": _GOES_AWAY,
    "Emphysema": _GOES_AWAY,
    "Fibrosis": _GOES_AWAY,
}
"""Finding -> templates that nobody writes of it."""


def text_of(template: str, phrase: str) -> str:
    plural = phrase.endswith("s") and not phrase.endswith(("is", "ss"))
    verbs = {"is": "are", "has": "have"} if plural else {"is": "is", "has": "has"}
    return template.format(x=phrase, X=phrase[0].upper() + phrase[1:], **verbs)


@pytest.fixture(scope="module", params=PHRASES)
def labeler(request: pytest.FixtureRequest) -> Labeler:
    return get_labeler("rules", vocabulary=request.param)


@pytest.mark.parametrize("vocabulary", PHRASES)
def test_every_finding_has_templates(vocabulary: str) -> None:
    noun = SHIPPED[vocabulary]
    assert [n for n in noun.names if n != noun.no_finding] == list(PHRASES[vocabulary])
    assert all(set(left) < {*POSITIVE, *NEGATIVE, *UNCERTAIN} for left in LEFT_OUT.values())


@pytest.mark.parametrize(
    ("expected", "template"),
    [
        pytest.param(state, template, id=f"{state.name.lower()}: {template}")
        for state, templates in (
            (State.POSITIVE, POSITIVE),
            (State.NEGATIVE, NEGATIVE),
            (State.UNCERTAIN, UNCERTAIN),
        )
        for template in templates
    ],
)
def test_wording_decides_the_state(labeler: Labeler, expected: State, template: str) -> None:
    wrong = []
    for finding, phrases in PHRASES[labeler.vocabulary.name].items():
        if template in LEFT_OUT.get(finding, ()):
            continue
        texts = [text_of(template, phrase) for phrase in phrases]
        texts += [text.rstrip(".") for text in texts]
        states = [labels[finding] for labels in labeler.label_batch([ReportSpans(t) for t in texts])]
        wrong += [f"{finding} {s.name}: {t}" for s, t in zip(states, texts, strict=True) if s != expected]
    assert not wrong, f"{len(wrong)} texts are not {expected.name}:\n" + "\n".join(wrong)
