"""What counts as a heading, what belongs to its body, and which sections are taken. All text is invented."""

from __future__ import annotations

import pytest

from hilum.core.errors import InputError, LexiconError
from hilum.text._headings import compile_headings, headings, normal_form
from hilum.text.sections import find_sections, parse_sections, select_sections


def found(text: str) -> list[tuple[str, str]]:
    return [(s.name, text[s.start : s.end]) for s in find_sections(text)]


def taken(text: str, which: str, headless_as: str | None = None) -> list[str]:
    return [text[s.start : s.end] for s in select_sections(text, which, headless_as=headless_as)]


MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___ year old with ?effusion  // eval
 for effusion

 TECHNIQUE:  PA and lateral

 COMPARISON:  ___

 FINDINGS:

 The heart is large.
 LUNGS: clear
 Pleura: no effusion

 IMPRESSION:

 1. Cardiomegaly.
 2. No effusion.

 NOTIFICATION:  Told to Dr. ___ by phone.
"""


def test_mimic_style() -> None:
    assert found(MIMIC) == [
        ("examination", "CHEST (PA AND LAT)"),
        ("indication", "___ year old with ?effusion  // eval\n for effusion"),
        ("technique", "PA and lateral"),
        ("comparison", "___"),
        ("findings", "The heart is large.\n LUNGS: clear\n Pleura: no effusion"),
        ("impression", "1. Cardiomegaly.\n 2. No effusion."),
        ("notification", "Told to Dr. ___ by phone."),
    ]


def test_chexpert_numbered_impression_on_one_line() -> None:
    text = "IMPRESSION:  1. single ap view shows a tube. 2. no change. END OF IMPRESSION: SUMMARY:2-ABNORMAL"
    assert found(text)[:2] == [
        ("impression", "1. single ap view shows a tube. 2. no change."),
        ("other", ""),
    ]


@pytest.mark.parametrize(
    "heading",
    [
        "IMPRESSION:",
        "Impression:",
        "impression:",
        " IMPRESSION :",
        "IMPRESSION\n",
        "Impression\n",
        "impression -",
        "IMPRESSION --",
        "Impression \u2013",
        "Impression/Recommendation:",
        "IMPRESSION\uff1a",
        "\tIMPRESSION:\t",
        "\xa0Impression\xa0:",
        "CONCLUSION\n",
        "Conclusion(s):",
        "OPINION:",
        "SUMMARY\r\n",
        "**Impression:**",
        "## IMPRESSION\n",
        "IMPRESSION (PRELIMINARY):",
        "XXXX IMPRESSION:",
        "IMPRESSION ___:",
        "IMPRESSON:",
        "[**Date**] IMPRESSION:",
        "IMPRESSION & PLAN:",
        "Final impression:",
        "IMPRESSION",
    ],
)
def test_spellings_of_impression(heading: str) -> None:
    text = f"The lungs are clear.\n{heading} No acute disease."
    assert found(text)[-1] == ("impression", "No acute disease.")
    assert taken(text, "impression") == ["No acute disease."]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("CLINICAL DETAILS:", "indication"),
        ("Reason for exam:", "indication"),
        ("Clinical Information", "indication"),
        ("HISTORY:", "history"),
        ("COMPARISON 12/3/2012:", "comparison"),
        ("TECHNIQUE:", "technique"),
        ("EXAM:", "examination"),
        ("RECOMMENDATION(S):", "recommendation"),
        ("Addendum:", "addendum"),
        ("WET READ:", "preliminary"),
        ("PRELIMINARY REPORT", "preliminary"),
        ("NOTIFICATION:", "notification"),
        ("FINDINGS AND IMPRESSION:", "findings and impression"),
        ("Findings/Impression:", "findings and impression"),
        ("Report:", "findings"),
        ("Electronically signed by:", "signature"),
        ("PATIENT NAME:", "other"),
    ],
)
def test_canonical_names(heading: str, name: str) -> None:
    text = f"{heading}\nsome words here\nIMPRESSION: Normal."
    assert found(text) == [(name, "some words here"), ("impression", "Normal.")]


@pytest.mark.parametrize(
    "sentence",
    [
        "This gives the impression of a nodule.",
        "Findings are consistent with edema.",
        "No findings: none.",
        "FINDINGS COULD REPRESENT OLD DISEASE.",
        "There are no acute cardiopulmonary\nfindings",
        "The heart is large, with the\nimpression: stable",
        "In comparison: larger.",
        "My impression: a nodule.",
        "The following findings: a nodule.",
        "LUNGS: clear. HEART: normal.",
        "Chest: clear. Left knee: normal.",
        "Taken at 10:30. Ratio 1:2.",
        "Comparison is made to the prior study.",
        "HISTORY OF SMOKING",
        "A mass - impression of growth - is seen.",
        "Note: rotated.",
        "Seen again is the\nimpression\nof a line.",
    ],
)
def test_no_heading_inside_a_sentence(sentence: str) -> None:
    assert found(sentence) == [("body", sentence)]
    assert not parse_sections(sentence).has_headings


@pytest.mark.parametrize(
    "heading",
    [
        "LUNGS",
        "Cardiomediastinal silhouette",
        "BONES",
        "Lines/tubes",
        "QUALITY OF LIFE",
        "Image quality",
        "CHEST X-RAY",
        "Note",
    ],
)
@pytest.mark.parametrize("section", ["FINDINGS", "IMPRESSION"])
def test_sub_headings_stay_in_their_section(section: str, heading: str) -> None:
    body = f"Two views.\n{heading}: something. {heading}: more."
    assert found(f"INDICATION: Cough.\n{section}:\n{body}")[-1] == (section.lower(), body)


def test_heading_in_the_middle_of_a_line() -> None:
    assert found("Lungs clear. IMPRESSION: no disease") == [
        ("body", "Lungs clear."),
        ("impression", "no disease"),
    ]
    assert [n for n, _ in found("history: cough comparison: none findings: clear impression: normal")] == [
        "history",
        "comparison",
        "findings",
        "impression",
    ]


def test_remark_on_comparison_does_not_swallow_findings() -> None:
    text = "FINDINGS: Comparison: ___. The heart is large.\nIMPRESSION: Cardiomegaly."
    assert found(text)[0] == ("findings", "Comparison: ___. The heart is large.")


def test_view_as_heading_holds_findings_only_where_there_are_no_others() -> None:
    text = "CHEST, PA AND LATERAL: The lungs are clear.\n\nIMPRESSION: Normal."
    assert found(text) == [("findings", "The lungs are clear."), ("impression", "Normal.")]
    text = "PA AND LATERAL CHEST: rule out bad pneumonia\nFINDINGS: Clear."
    assert found(text) == [("examination", "rule out bad pneumonia"), ("findings", "Clear.")]
    assert found("PORTABLE CHEST: ___\nIMPRESSION: Normal.")[0] == ("examination", "___")


def test_anatomy_after_a_header_begins_findings() -> None:
    text = "INDICATION: cough\nLUNGS: clear\nHEART: large"
    assert found(text) == [("indication", "cough"), ("findings", "LUNGS: clear\nHEART: large")]


def test_unheaded_paragraph_after_the_last_header_is_body_and_labeled() -> None:
    text = "HISTORY: Cough.\r\n\r\nTwo views show clear lungs.\r\n\r\nIMPRESSION: Normal."
    assert found(text) == [
        ("history", "Cough."),
        ("body", "Two views show clear lungs."),
        ("impression", "Normal."),
    ]
    assert taken(text, "both") == ["Two views show clear lungs.", "Normal."]
    assert taken(text, "findings") == []


def test_empty_bodies_are_found_but_not_selected() -> None:
    text = "FINDINGS:\nIMPRESSION:\n\n"
    assert found(text) == [("findings", ""), ("impression", "")]
    assert [taken(text, which) for which in ("impression", "findings", "both", "all")] == [[], [], [], []]


def test_selection() -> None:
    text = "WET READ: Old.\nFINAL REPORT\nHISTORY: Cough.\nFINDINGS: A.\nIMPRESSION: B.\nADDENDUM: C.\n"
    text += "IMPRESSION: D."
    assert taken(text, "impression") == ["B.", "D."]
    assert taken(text, "findings") == ["A."]
    assert taken(text, "both") == ["A.", "B.", "C.", "D."]
    assert taken(text, "all") == ["Old.", "Cough.", "A.", "B.", "C.", "D."]
    assert taken("FINDINGS AND IMPRESSION: E.", "impression") == ["E."]
    assert taken("WET READ: Old.\nHISTORY: Cough.", "both") == ["Old."]


def test_headless_text() -> None:
    text = "  The lungs are clear.\n"
    assert taken(text, "both") == taken(text, "all") == ["The lungs are clear."]
    assert taken(text, "impression") == taken(text, "findings") == []
    assert taken(text, "impression", "impression") == ["The lungs are clear."]
    assert taken(text, "findings", "impression") == []
    assert taken("Clear.\nIMPRESSION: Normal.", "impression", "impression") == ["Normal."]
    assert find_sections("") == find_sections(" \r\n\t\xa0") == []


def test_unknown_choice_is_refused() -> None:
    with pytest.raises(InputError, match=r"'conclusion'.*impression, findings, both, all"):
        select_sections("x", "conclusion")


def test_shipped_headings_and_their_normal_form() -> None:
    assert normal_form(" Findings/Impression (CT) [**2001-1-1**] ___ 3") == "findings and impression"
    assert normal_form("12/3/2012 X-RAY XXXX") == "x ray"
    assert all(phrase == normal_form(phrase) for phrase in headings().known)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[heading", "no valid TOML"),
        ('[[heading]]\nname = "x"\nrole = "big"', "role is 'big'; allowed: content"),
        ('[[heading]]\nname = "x"\nrole = "header"\nphrases = "y"', "not a list of texts"),
        ('[[heading]]\nname = "x"\nrole = "header"\nphrases = ["12"]', "'12' has no letters"),
        (
            '[[heading]]\nname="x"\nrole="header"\n[[heading]]\nname="y"\nrole="header"\nphrases=["x"]',
            "under 'x' and 'y'",
        ),
        ('[[heading]]\nname = "x"\nrole = "header"', "no heading with name"),
        ('[[heading]]\nname = "findings and impression"\nrole = "content"', r"\[subheadings\] anatomy"),
    ],
)
def test_bad_heading_data_names_file_and_entry(toml: str, message: str) -> None:
    with pytest.raises(LexiconError, match=f"my.toml.*{message}"):
        compile_headings(toml, "my.toml")
