"""The phantom: the same from one seed, no disagreement without causes, and what is told is what is said."""

from __future__ import annotations

import hashlib

import pytest

from hilum.core.errors import InputError, LexiconError, UnknownNameError
from hilum.core.imaging import Study, View
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.datasets._phantom.film import KINDS
from hilum.datasets._phantom.patient import make_patient, patients, signs_of
from hilum.datasets._phantom.study import PhantomOptions, make_study
from hilum.datasets._phantom.tables import CAUSES, RATES, compile_rates
from hilum.datasets._speech.generated import generate_reports
from hilum.datasets.phantom import Phantom, build, causes_of
from hilum.labelers import ReportSpans, get_labeler
from hilum.text.sections import select_sections

SAID = (State.POSITIVE, State.UNCERTAIN)


def made(n: int, causes: tuple[str, ...] = CAUSES, seed: int = 5) -> list[Study]:
    return list(build(seed=seed, n=n, causes=causes, draw=False).studies())


def facts(study: Study) -> tuple[object, ...]:
    labels = {source: found.states for source, found in study.labels.items()}
    views = [(i.id, i.view) for i in study.images]
    return (
        study.id,
        study.report,
        labels,
        views,
        study.priors,
        study.age_years,
        study.race,
        dict(study.meta),
    )


@pytest.fixture(scope="module")
def studies() -> list[Study]:
    return made(600)


def test_a_study_depends_on_seed_patient_and_visit_alone(studies: list[Study]) -> None:
    assert [facts(s) for s in made(50)] == [facts(s) for s in studies[:50]]
    assert [facts(s) for s in made(50, seed=6)] != [facts(s) for s in studies[:50]]
    places = {
        f"P{number:06d}-{v + 1:02d}": (number, v) for number, taken in patients(5, 600) for v in range(taken)
    }
    for study in studies[100:600:97]:
        number, visit = places[study.id]
        options = PhantomOptions(seed=5, draw=False)
        assert facts(make_study(options, make_patient(5, number), visit)) == facts(study)


def test_without_causes_the_report_says_what_is_drawn() -> None:
    for study in made(500, causes=()):
        image = [s in SAID for s in study.labels["image"].states]
        assert image == [s in SAID for s in study.labels["report"].states]
        assert image == [s in SAID for s in study.labels["whole report"].states]
        assert causes_of(study) == {}


@pytest.mark.parametrize("cause", CAUSES)
def test_one_cause_alone_makes_only_its_own_disagreements(cause: str) -> None:
    found = {c for study in made(500, causes=(cause,)) for _, c in causes_of(study).values()}
    assert found <= {cause, "follows"}
    assert cause in found


def test_a_cause_changes_nothing_but_its_own() -> None:
    """Image truth and patients stay; only No Finding follows the device rule."""
    for one, other in zip(made(80, causes=()), made(80), strict=True):
        assert one.labels["image"].states[1:] == other.labels["image"].states[1:]
        assert (one.id, one.age_years, one.sex, one.priors) == (
            other.id,
            other.age_years,
            other.sex,
            other.priors,
        )


def test_every_disagreement_has_a_cause_and_the_right_side(studies: list[Study]) -> None:
    for study in studies:
        found = causes_of(study)
        image, report = study.labels["image"].as_dict(), study.labels["report"].as_dict()
        for name in CHEXPERT14.names:
            seen, said = image[name] in SAID, report[name] in SAID
            assert (name in found) == (seen != said)
            if seen != said:
                assert found[name][0] == ("image" if seen else "report")
                assert found[name][1] in (*CAUSES, "follows")


def test_image_truth_is_what_is_in_the_film_and_parents_follow() -> None:
    for number in range(120):
        patient = make_patient(2, number)
        for visit in patient.visits:
            drawn = {s.finding for s in signs_of(patient, visit)}
            expected = drawn | {p for name in drawn for p in CHEXPERT14.ancestors(name)}
            there = {n for n, level in zip(CHEXPERT14.names, visit.levels, strict=True) if level > 0}
            assert there == expected
            assert all(s.kind in KINDS[s.finding] and 0 < s.severity <= 1 for s in signs_of(patient, visit))


def test_the_rules_read_what_the_impression_says(studies: list[Study]) -> None:
    labeler = get_labeler("rules")
    texts = [s.report.text for s in studies if s.report is not None]
    labels = labeler.label_batch([ReportSpans(t, select_sections(t, "impression")) for t in texts])
    cells = [
        got is said
        for study, label in zip(studies, labels, strict=True)
        for got, said in zip(label.states, study.labels["report"].states, strict=True)
    ]
    assert sum(cells) / len(cells) > 0.995


def test_reports_say_that_they_are_synthetic_and_leave_no_sign_behind(studies: list[Study]) -> None:
    for study in studies:
        assert study.report is not None
        text = study.report.text
        assert "SYNTHETIC REPORT" in text
        assert "FINDINGS:" in text
        assert "IMPRESSION:" in text
        assert study.meta["synthetic"] == "yes"
        assert not any(sign in text for sign in ("[", "]", "{", "}", "|", "XXXX", "both-sided", " a a "))


def test_no_change_is_told_without_a_prior(studies: list[Study]) -> None:
    for study in studies:
        body = study.report.text.split("FINDINGS:")[1].lower() if study.report else ""
        if not study.priors:
            assert "COMPARISON: None." in (study.report.text if study.report else "")
            assert not any(
                word in body for word in ("decreased", "worsening", "prior", "interval", "unchanged")
            )


def test_sides_in_words_are_those_of_the_film() -> None:
    for study in made(300, causes=()):
        number, visit = int(study.id[1:7]), int(study.id[8:]) - 1
        patient = make_patient(5, number)
        sides = {s.side for s in signs_of(patient, patient.visits[visit]) if s.side}
        assert study.report is not None
        impression = study.report.text.split("IMPRESSION:")[1].lower()
        for side, other in (("left", "right"), ("right", "left")):
            if sides and sides == {side}:
                assert f"{other}-sided" not in impression
                assert f" {other} " not in impression


def test_visits_settings_and_splits(studies: list[Study]) -> None:
    assert {s.meta["setting"] for s in studies} == {"outpatient", "emergency", "intensive care"}
    assert {i.view for s in studies for i in s.images} == {View.PA, View.AP, View.LATERAL}
    by_patient: dict[str, set[str]] = {}
    for study in studies:
        by_patient.setdefault(study.patient, set()).add(study.split)
        assert all(p.startswith(study.patient) for p in study.priors)
    assert all(len(splits) == 1 for splits in by_patient.values())
    whole = [
        s.id for split in ("train", "valid", "test") for s in build(seed=5, n=600, draw=False).studies(split)
    ]
    assert sorted(whole) == sorted(s.id for s in studies)


def test_bad_choices_are_told() -> None:
    with pytest.raises(UnknownNameError, match="hierarchy"):
        build(causes=("hierarchie",))
    with pytest.raises(InputError, match="-1 studies"):
        build(n=-1)
    with pytest.raises(InputError, match="noise"):
        build(noise=-0.5)
    with pytest.raises(LexiconError, match="unknown causes"):
        compile_rates({"causes": {"luck": {}}, "near": {}, "outside": 0.1})
    with pytest.raises(LexiconError, match="from 0 to 1"):
        compile_rates({"causes": {RATES[0]: {"Edema": 2}}, "near": {}, "outside": 0.1})
    assert isinstance(build(), Phantom)
    assert list(build(n=0).studies()) == []


def test_slips_of_typing_leave_the_labels() -> None:
    clean, noisy = made(60), list(build(seed=5, n=60, draw=False, noise=3.0).studies())
    assert [s.labels["image"].states for s in clean] == [s.labels["image"].states for s in noisy]
    assert [s.report for s in clean] != [s.report for s in noisy]


def test_the_generated_reports_are_as_they_were() -> None:
    """The phantom shares their grammar; one seed still gives the texts that the mini model was trained on."""
    text = repr(list(generate_reports(200, seed=7)))
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "cbe1ee2270d351eb361bb12f6fb83133c77b334aa3db229507fa61c1486ca41d"
    )
