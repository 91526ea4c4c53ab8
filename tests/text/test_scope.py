"""What words do to the findings in their reach: one small sentence, one exact output."""

from __future__ import annotations

from functools import cache

import pytest

from hilum.labelers import ReportSpans, get_labeler

SHORT = {
    "Enlarged Cardiomediastinum": "mediastinum", "Cardiomegaly": "heart", "Lung Opacity": "opacity",
    "Lung Lesion": "lesion", "Pleural Effusion": "effusion", "Pleural Other": "pleura", "Support Devices": "device",
}  # fmt: skip
SIGN = {1: "+", 2: "-", 3: "?"}


labeler = cache(lambda vocabulary: get_labeler("rules", vocabulary=vocabulary))


def read(text: str, vocabulary: str = "chexpert14") -> str:
    """States as "edema- effusion+", in the order of the vocabulary, without No Finding."""
    [labels] = labeler(vocabulary).label_batch([ReportSpans(text)])
    return " ".join(
        SHORT.get(name, name.lower()) + SIGN[state]
        for name, state in labels.as_dict().items()
        if state and name != "No Finding"
    )


SENTENCES = {
    "vs. with its full stop": ("Atelectasis vs. pneumonia.", "pneumonia? atelectasis?"),
    "no resolution": ("No resolution of the effusion.", "effusion+"),
    "not without": ("Not without effusion.", "effusion+"),
    "a question mark that begins the text": ("?pneumonia", "pneumonia?"),
    "a question mark after a full stop": ("Opacity. ? Pneumonia.", "opacity+ pneumonia?"),
    "likely mild": ("Likely mild edema.", "edema?"),
    "a mention that begins with its modifier": (
        "No pneumothorax, stable cardiomegaly.",
        "heart+ pneumothorax-",
    ),
    "heart size is normal": ("The heart size is normal.", "heart-"),
    "normal before the heart": ("Normal heart size.", "heart-"),
    "one predicate for two structures": (
        "Heart size and mediastinal contours are normal.",
        "mediastinum- heart-",
    ),
    "two predicates for two structures": (
        "Heart is enlarged and the mediastinum is normal.",
        "mediastinum- heart+",
    ),
    "not enlarged": ("The heart is not enlarged.", "heart-"),
    "not normal is enlarged": ("Heart size is not normal.", "heart+"),
    "a structure alone says nothing": ("The heart.", ""),
    "a stable structure says nothing": ("The heart is stable.", ""),
    "borderline heart size": ("Borderline heart size.", "heart?"),
    "borderline cardiomegaly is affirmed": ("Borderline cardiomegaly.", "heart+"),
    "upper limits of normal": ("Heart size is at the upper limits of normal.", "heart?"),
    "no evidence of": ("No evidence of edema.", "edema-"),
    "no radiographic evidence of": ("There is no radiographic evidence of edema.", "edema-"),
    "rather than": ("Atelectasis rather than pneumonia.", "pneumonia- atelectasis+"),
    "cannot be excluded": ("Pneumonia cannot be excluded.", "pneumonia?"),
    "cannot exclude": ("Cannot exclude pneumonia.", "pneumonia?"),
    "can't rule out": ("We can\u2019t rule out pneumonia.", "pneumonia?"),
    "not excluded is not excluded": ("Pneumonia is not excluded.", "pneumonia?"),
    "excluded": ("Pneumonia is excluded.", "pneumonia-"),
    "resolved": ("The effusion has resolved.", "effusion-"),
    "not resolved": ("The effusion has not resolved.", "effusion+"),
    "resolved before": ("Resolved effusion.", "effusion-"),
    "previously seen X has cleared": ("Previously seen edema has cleared.", "edema-"),
    "interval resolution of": ("Interval resolution of edema.", "edema-"),
    "improved is still there": ("The edema has improved.", "edema+"),
    "without focal A or B": ("Lungs without focal consolidation or effusion.", "consolidation- effusion-"),
    "with A, without B": ("Opacity with atelectasis, without effusion.", "opacity+ atelectasis+ effusion-"),
    "a negated list over commas and or": (
        "No consolidation, effusion, edema, or pneumothorax.",
        "edema- consolidation- pneumothorax- effusion-",
    ),
    "a negated list over and": ("No effusion and pneumothorax.", "pneumothorax- effusion-"),
    "a negated list over slashes": ("No effusion/pneumothorax.", "pneumothorax- effusion-"),
    "a list negated after it": (
        "Effusion, edema and pneumothorax are not seen.",
        "edema- pneumothorax- effusion-",
    ),
    "the list ends where a finding is described": (
        "No pneumothorax, small effusion.",
        "pneumothorax- effusion+",
    ),
    "a described finding before an or stays in the list": (
        "No pneumothorax, large effusion, or edema.",
        "edema- pneumothorax- effusion-",
    ),
    "no X but Y": ("No effusion but edema.", "edema+ effusion-"),
    "no X but no Y": ("No effusion but no edema.", "edema- effusion-"),
    "however": ("No effusion, however there is edema.", "edema+ effusion-"),
    "a new clause": ("No effusion and there is edema.", "edema+ effusion-"),
    "a semicolon ends the sentence": ("No effusion; edema.", "edema+ effusion-"),
    "not only": ("Not only edema but effusion.", "edema+ effusion+"),
    "neither nor": ("Neither edema nor effusion.", "edema- effusion-"),
    "tip projects over": ("The tube tip projects over the heart.", "device+"),
    "a catheter ends in": ("The catheter terminates in the right atrium.", "device+"),
    "no change in is no negation": ("No change in the effusion.", "effusion+"),
    "unchanged from the prior study": ("Effusion, unchanged from the prior study.", "effusion+"),
    "no change since the prior study": ("Edema without significant change since the prior.", "edema+"),
    "no new X compared with a prior study": ("Compared with the prior, no new effusion.", "effusion-"),
    "a prior is not available": ("No prior. Edema.", "edema+"),
    "versus makes both sides possible": ("Atelectasis versus pneumonia.", "pneumonia? atelectasis?"),
    "vs makes both sides possible": ("Atelectasis vs pneumonia.", "pneumonia? atelectasis?"),
    "or makes both sides possible": ("Atelectasis or pneumonia.", "pneumonia? atelectasis?"),
    "a described thing, two causes": (
        "Opacity, atelectasis versus pneumonia.",
        "opacity+ pneumonia? atelectasis?",
    ),
    "may reflect A or B": (
        "Opacity may reflect atelectasis or pneumonia.",
        "opacity+ pneumonia? atelectasis?",
    ),
    "double negation": ("The effusion has not resolved. The edema is not ruled out.", "edema? effusion+"),
    "a heading as a sentence": ("LUNGS: clear. HEART: enlarged.", "heart+"),
    "a heading and its answer": ("EFFUSION: None.", "effusion-"),
    "a heading and a negated finding": ("PLEURA: No effusion.", "effusion-"),
    "a question": ("Pneumonia?", "pneumonia?"),
    "a question mark before": ("Opacity ?pneumonia", "opacity+ pneumonia?"),
    "the indication is no finding": ("Evaluate for pneumonia.", ""),
    "history is no finding": ("History of pneumonia.", ""),
    "positive wins": ("No effusion. Possible effusion. Effusion.", "effusion+"),
    "uncertain wins over negative": ("No effusion. Possible effusion.", "effusion?"),
    "a wrapped line": ("No pleural\n   effusion.", "effusion-"),
    "numbered": ("1. No effusion 2. Edema", "edema+ effusion-"),
    "a missing full stop": ("No effusion\nEdema is seen", "edema+ effusion-"),
    "a removed word": ("No XXXX effusion.", "effusion-"),
    "upper case": ("NO EFFUSION", "effusion-"),
    "the effusion of another place": ("Pericardial effusion.", ""),
}


@pytest.mark.parametrize(("text", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_reading(text: str, expected: str) -> None:
    assert read(text) == expected
