"""Generated reports: the same from one seed, states by construction, and the rules nearly always agree."""

from __future__ import annotations

import copy
import math
import re
import tomllib
from collections import Counter
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from hilum.core.errors import InputError, LexiconError, UnknownNameError
from hilum.core.vocabulary import CHEXPERT14, NIH14, State, Vocabulary
from hilum.datasets._speech import grammar
from hilum.datasets._speech.generated import (
    Claim,
    GeneratedReport,
    ReportOptions,
    agreement,
    generate_reports,
    labeled_text,
    states_of,
)
from hilum.datasets._speech.templates import Draws, compile_choice, compile_template
from hilum.labelers import get_labeler

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK


@pytest.fixture(scope="module")
def reports() -> list[GeneratedReport]:
    return list(generate_reports(800, seed=4))


def test_a_report_depends_on_seed_and_number_alone(reports: list[GeneratedReport]) -> None:
    assert list(generate_reports(30, seed=4)) == reports[:30]
    assert list(generate_reports(30, seed=5)) != reports[:30]
    assert len({r.id for r in reports}) == len(reports)
    assert len({r.text for r in reports}) > 0.97 * len(reports)


def test_both_vocabularies_get_the_same_texts(reports: list[GeneratedReport]) -> None:
    other = list(generate_reports(50, seed=4, vocabulary=NIH14))
    assert [r.text for r in other] == [r.text for r in reports[:50]]
    assert all(len(r.states) == len(NIH14) for r in other)


def test_states_are_what_the_claims_add_up_to(reports: list[GeneratedReport]) -> None:
    for report in reports:
        assert report.states == states_of(report.claims, CHEXPERT14)
        assert report.text.strip()


def test_the_strongest_claim_is_the_state_and_no_finding_is_worked_out() -> None:
    def said(*claims: tuple[str, State]) -> dict[str, State]:
        given = [Claim(name, state, "") for name, state in claims]
        return dict(zip(CHEXPERT14.names, states_of(given, CHEXPERT14), strict=True))

    found = said(("Edema", NEGATIVE), ("Edema", UNCERTAIN), ("Fracture", NEGATIVE))
    assert (found["Edema"], found["Fracture"], found["No Finding"]) == (UNCERTAIN, NEGATIVE, BLANK)
    assert said(("Support Devices", POSITIVE))["No Finding"] is POSITIVE
    assert said(("", POSITIVE))["No Finding"] is BLANK
    assert said(("", NEGATIVE))["No Finding"] is POSITIVE


def test_every_state_of_every_finding_occurs() -> None:
    many = list(generate_reports(6000, seed=2))
    counts = Counter((name, s) for r in many for name, s in zip(CHEXPERT14.names, r.states, strict=True))
    for finding in CHEXPERT14.findings:
        wanted = {"none": (POSITIVE, BLANK), "device": (POSITIVE, NEGATIVE, BLANK)}.get(
            finding.role, tuple(State)
        )
        assert all(counts[finding.name, s] >= 15 for s in wanted), (finding.name, counts)


@pytest.mark.parametrize("vocabulary", [CHEXPERT14, NIH14], ids=lambda v: v.name)
def test_the_rules_agree_with_the_construction(vocabulary: Vocabulary) -> None:
    clean = list(generate_reports(600, seed=21, vocabulary=vocabulary, options=ReportOptions(noise=0)))
    found = agreement(clean, get_labeler("rules", vocabulary=vocabulary.name))
    assert found.cells == 600 * len(vocabulary)
    assert found.share >= 0.996
    assert len(found.disagreements) == found.cells - found.agreeing


def test_agreement_of_no_report_is_not_a_number() -> None:
    assert math.isnan(agreement([], get_labeler("rules")).share)


def test_styles_and_sections(reports: list[GeneratedReport]) -> None:
    joined = "\n".join(r.text for r in reports)
    for sign in ("FINDINGS:", "IMPRESSION:", "INDICATION:", "XXXX", "___", "1. ", "FINAL REPORT"):
        assert sign in joined
    only = list(generate_reports(40, seed=1, options=ReportOptions(styles={"terse": 1.0})))
    assert all("IMPRESSION" not in r.text.upper() for r in only)
    assert all(labeled_text(r).sections or "\n" not in r.text for r in only)


def test_templates_leave_no_sign_behind(reports: list[GeneratedReport]) -> None:
    bare = [re.sub(r"\[\*\*.*?\*\*\]", "", r.text) for r in reports]
    assert not [t for t in bare if re.search(r"[\[\]{}|]|\ba a\b|  a an ", t)]


def test_rates_decide_what_is_there() -> None:
    none = ReportOptions(rates=dict.fromkeys(grammar.grammar().concepts, 0.0))
    quiet = list(generate_reports(200, seed=3, options=none))
    assert not [r for r in quiet if POSITIVE in r.states[1:-1] or UNCERTAIN in r.states]
    often = list(generate_reports(300, seed=3, options=ReportOptions(rates={"hernia": 0.9}, noise=0)))
    assert sum("hernia" in r.text.lower() for r in often) > 120


def test_noise_can_be_left_out() -> None:
    slips = {s for some in grammar.grammar().slips.values() for s in some} - {
        "pleura",
        "w/o",
        "norma",
        "cath",
    }
    clean = " ".join(r.text for r in generate_reports(400, seed=6, options=ReportOptions(noise=0))).lower()
    noisy = " ".join(r.text for r in generate_reports(400, seed=6)).lower()
    assert not [s for s in slips if re.search(rf"\b{s}\b", clean)]
    assert [s for s in slips if re.search(rf"\b{s}\b", noisy)]


def test_bad_choices_are_told() -> None:
    with pytest.raises(UnknownNameError, match="hernia"):
        ReportOptions(rates={"hernai": 0.5})
    with pytest.raises(UnknownNameError, match="style"):
        ReportOptions(styles={"letter": 1.0})
    with pytest.raises(InputError, match="0 to 1"):
        ReportOptions(rates={"hernia": 2.0})
    with pytest.raises(InputError, match="weight above 0"):
        ReportOptions(styles={"terse": 0.0})
    with pytest.raises(InputError, match="noise"):
        ReportOptions(noise=-1)
    with pytest.raises(InputError, match="-1 reports"):
        generate_reports(-1, seed=0)
    with pytest.raises(UnknownNameError, match="vocabulary"):
        generate_reports(1, seed=0, vocabulary=Vocabulary("own", CHEXPERT14.findings[:3]))


# ---- the files -------------------------------------------------------------------------------------------------


@pytest.fixture
def data() -> dict[str, Any]:
    folder = files("hilum.datasets._speech") / "phrases"
    read = {n: tomllib.loads((folder / f"{n}.toml").read_text("utf-8")) for n in grammar.FILES}
    return copy.deepcopy(read)


def test_a_bad_entry_is_told_with_its_file(data: dict[str, Any]) -> None:
    data["concepts"]["concept"][0]["presnt"] = ["m x"]
    with pytest.raises(LexiconError, match=r"concepts\.toml, heart.*present"):
        grammar.compile_grammar(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("role", "tool", "role 'tool'"),
        ("rate", 3, "from 0 to 1"),
        ("causes", ["spine"], "cause 'spine'"),
        ("chexpert14", {"findings": ["Oedemas"]}, "Oedema"),
        ("says", ["a [b"], r"'\['"),
        ("says", ["a {sidee}"], "sidee.*side"),
        ("says", [], "empty"),
    ],
)
def test_what_can_be_wrong_with_a_concept(
    data: dict[str, Any], key: str, value: object, message: str
) -> None:
    data["concepts"]["concept"][0][key] = value
    with pytest.raises(LexiconError, match=message):
        grammar.compile_grammar(data)


@pytest.mark.parametrize("text", ["a ] b", "a | b", "a { b", "[a", "{a b}"])
def test_templates_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="has a"):
        compile_template(text)


def test_weights_and_alternatives() -> None:
    draws = Draws(np.random.default_rng(0))
    known = grammar.grammar()
    choice = compile_choice(["3: [a|b]", "c"])
    counts = Counter(known.say(choice.draw(draws), draws) for _ in range(4000))
    assert set(counts) == {"a", "b", "c"}
    assert counts["c"] == pytest.approx(1000, abs=120)
    assert counts["a"] == pytest.approx(1500, abs=150)


def test_a_context_claims_nothing_and_changes_no_state() -> None:
    plain = list(generate_reports(200, seed=4, options=ReportOptions(noise=0)))
    around = list(generate_reports(200, seed=4, options=ReportOptions(noise=0, context=1, context_words=60)))
    assert [r.states for r in plain] == [r.states for r in around]
    words = [sum(len(r.text.split()) for r in some) for some in (plain, around)]
    assert words[1] > 1.2 * words[0]
    rules = get_labeler("rules", vocabulary="chexpert14")
    assert agreement(around, rules).share > 0.99
    with pytest.raises(InputError, match="context"):
        ReportOptions(context=1.5)
