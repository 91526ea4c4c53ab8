from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hilum.analyses._audit_estimates import MEASURES, estimates, judge, linear, together
from hilum.analyses._audit_files import (
    UNANSWERED,
    Answers,
    Sample,
    answers_json,
    labels_digest,
    read_answers,
    read_sample,
)
from hilum.analyses._audit_strata import NORMAL, OTHER, UNCERTAIN, make_strata
from hilum.analyses._audit_tables import estimate_of
from hilum.analyses.audit import AuditedFile, audit_page, draw_sample, form_page, places_of
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LEFT_OUT, LabelMatrix
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.metrics.labels import confusion, f1, macro, micro, precision, recall
from hilum.stats.sampling import allocate, draw

FINDINGS = ("Edema", "Fracture", "Pneumonia", "No Finding")
ALL = np.arange(4)


def labels_of(states, ids=()) -> LabelMatrix:
    return LabelMatrix("ward.csv", CHEXPERT14, FINDINGS, ids, np.asarray(states, dtype=np.int8))


def invented(n=600, seed=1) -> tuple[LabelMatrix, np.ndarray]:
    """Labels of n invented reports, and what they truly say, as states."""
    rng = rng_for(seed, "ward")
    truth = (rng.random((n, 3)) < [0.15, 0.03, 0.08]).astype(np.int8)
    flips = rng.random((n, 3)) < np.where(truth == 1, 0.15, 0.01)
    said = np.where(flips, 1 - truth, truth)
    said = np.where((rng.random((n, 3)) < 0.02) & (said == 0), State.UNCERTAIN, said)

    def with_normal(cells):
        normal = ~np.isin(cells, [State.POSITIVE, State.UNCERTAIN]).any(axis=1)
        return np.column_stack([cells, normal]).astype(np.int8)

    ids = tuple(f"s{i}" for i in range(n))
    return labels_of(with_normal(said), ids), with_normal(truth)


def file_of(labels: LabelMatrix) -> AuditedFile:
    n = len(labels)
    parts = tuple((("findings", f"Invented report {i}."),) for i in range(n))
    return AuditedFile(labels, tuple(range(1, n + 1)), parts, {"section": "both", "hilum": "0"})


def read_as(file: AuditedFile, sample: Sample, truth: np.ndarray, reader="a") -> Answers:
    return Answers(reader, truth[places_of(file, sample)].astype(np.int8))


# Strata


def test_a_report_belongs_to_its_rarest_positive_finding() -> None:
    p, u, b = State.POSITIVE, State.UNCERTAIN, State.BLANK
    rows = [[p, b, b, b]] * 5 + [[p, p, b, b], [b, u, p, b], [b, u, b, b], [b, b, b, b], [b, b, b, p]] * 2
    strata = make_strata(labels_of(rows), 100)
    names = [strata.names[h] for h in strata.of_N]
    assert names[4:10] == [
        "positive: Edema", "positive: Fracture", "positive: Pneumonia", UNCERTAIN, OTHER, NORMAL,
    ]  # fmt: skip
    assert strata.names == (
        "positive: Fracture", "positive: Pneumonia", "positive: Edema", UNCERTAIN, OTHER, NORMAL,
    )  # fmt: skip
    assert strata.sizes_H.tolist() == [2, 2, 5, 2, 2, 2]


@pytest.mark.parametrize("sample", [16, 24, 32, 40, 48])
def test_a_small_sample_has_few_strata_and_all_reports_are_in_one(sample: int) -> None:
    labels, _ = invented()
    strata = make_strata(labels, sample)
    assert len(strata.names) <= max(2, sample // 8)
    assert strata.sizes_H.sum() == len(labels)
    assert (strata.sizes_H > 0).all()
    assert len(set(strata.names)) == len(strata.names)


def test_without_a_column_for_normal_there_is_no_stratum_for_it() -> None:
    labels, _ = invented()
    assert OTHER not in make_strata(labels.select(FINDINGS[:3]), 200).names


# Estimates


def judged_of(labels_NF, truth_NF, *, strata=None, sample=None, seed=0, answered=None):
    of_N = np.zeros(len(labels_NF), dtype=np.intp) if strata is None else strata
    sizes = np.bincount(of_N)
    rows = (
        np.arange(len(of_N))
        if sample is None
        else draw(of_N, allocate(sizes, sample), rng=rng_for(seed, "judged"))
    )
    truth = truth_NF[rows]
    answered = np.ones(truth.shape, dtype=bool) if answered is None else answered
    return judge(labels_NF, truth, answered, rows_n=rows, sizes_H=sizes, strata_n=of_N[rows])


@pytest.mark.parametrize("policy", ["uncertain-to-zero", "uncertain-to-one", "uncertain-ignored"])
def test_all_reports_judged_give_the_measures_themselves(policy: str) -> None:
    labels, truth = invented()
    unsure = truth.copy()
    unsure[::17, :3] = State.UNCERTAIN
    a, b = labels.binary(policy), labels_of(unsure).binary(policy)
    judged = judged_of(a, b, strata=make_strata(labels, 100).of_N)
    counts = confusion(b, a)
    for place in range(4):
        found = estimates(judged, linear(judged, [place]))
        expected = [float(m(counts)[place]) for m in (precision, recall, f1)]
        assert [e.value for e in found] == pytest.approx(expected)
        assert all(e.high - e.low < 1e-12 for e in found)
    together_all = estimates(judged, linear(judged, ALL))
    assert [e.value for e in together_all] == pytest.approx(
        [float(m(micro(counts))[0]) for m in (precision, recall, f1)]
    )
    mean = estimates(judged, together([linear(judged, [place]) for place in ALL]))
    assert mean[MEASURES.index("f1")].value == pytest.approx(float(macro(f1(counts))))


def test_what_is_not_defined_is_none() -> None:
    labels = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=np.int8)
    truth = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=np.int8)
    judged = judged_of(labels, truth)
    only_labels, only_truth, neither = (estimates(judged, linear(judged, [place])) for place in range(3))
    assert [None if e is None else e.value for e in only_labels] == [0, None, 0]
    assert [None if e is None else e.value for e in only_truth] == [None, 0, 0]
    assert neither == (None, None, None)
    unsampled = judge(
        labels, truth[2:], np.ones((2, 3), bool), rows_n=np.array([2, 3]), sizes_H=np.array([4]),
        strata_n=np.array([0, 0]),
    )  # fmt: skip
    assert estimates(unsampled, linear(unsampled, [0])) == (None, None, None)


def test_extreme_estimates_have_intervals_too() -> None:
    labels, _ = invented()
    binary = labels.binary()[:, :1]
    right, wrong = (judged_of(binary, t, sample=100) for t in (binary, 1 - binary))
    for one, value in ((right, 1.0), (wrong, 0.0)):
        for estimate in estimates(one, linear(one, [0])):
            assert estimate is not None
            assert estimate.value == pytest.approx(value)
            assert estimate.high - estimate.low > 0.02


def test_estimates_are_nearly_unbiased_and_intervals_cover() -> None:
    labels, truth = invented(1_500)
    a, b = labels.binary()[:, :3], truth[:, :3]
    strata = make_strata(labels, 150).of_N
    counts = confusion(b, a)
    true = np.array([float(m(micro(counts))[0]) for m in (precision, recall, f1)])
    found = np.array(
        [
            estimates(j, linear(j, range(3)))
            for j in (judged_of(a, b, strata=strata, sample=150, seed=seed) for seed in range(300))
        ]
    )
    assert found[:, :, 0].mean(axis=0) == pytest.approx(true, abs=0.012)
    covered = ((found[:, :, 1] <= true) & (true <= found[:, :, 2])).mean(axis=0)
    assert (covered > 0.90).all()


def test_answers_missing_at_random_keep_the_weights_right() -> None:
    labels, truth = invented(1_500)
    a, b = labels.binary()[:, :3], truth[:, :3]
    strata = make_strata(labels, 200).of_N
    values = []
    for seed in range(120):
        full = judged_of(a, b, strata=strata, sample=200, seed=seed)
        answered = rng_for(seed, "left").random((200, 1)) < 0.6
        part = judged_of(a, b, strata=strata, sample=200, seed=seed, answered=np.repeat(answered, 3, axis=1))
        assert part.design.sizes_H.sum() == full.design.sizes_H.sum() == len(labels)
        values.append([estimates(j, linear(j, range(3)))[2].value for j in (full, part)])
    whole, some = np.mean(values, axis=0)
    assert some == pytest.approx(whole, abs=0.015)


def test_a_finding_that_was_answered_in_part_of_the_reports() -> None:
    labels, truth = invented()
    a, b = labels.binary()[:, :3], truth[:, :3]
    answered = np.ones(b.shape, dtype=bool)
    answered[::2, 1] = False
    answered[:, 2] = False
    judged = judged_of(a, b, answered=answered)
    assert judged.asked_F.tolist() == [True, True, False]
    counts = confusion(np.where(answered, b, LEFT_OUT), a)
    assert estimates(judged, linear(judged, [1]))[0].value == pytest.approx(float(precision(counts)[1]))
    assert estimates(judged, linear(judged, [2])) == (None, None, None)


def test_one_report_judged_is_too_few() -> None:
    labels, truth = invented()
    answered = np.zeros((600, 4), dtype=bool)
    answered[3] = True
    with pytest.raises(InputError, match="1 of the 600 reports"):
        judged_of(labels.binary(), truth, answered=answered)


# Sample and answers


def test_a_sample_is_the_same_again_and_another_with_another_seed(tmp_path: Path) -> None:
    file = file_of(invented()[0])
    one, again, other = draw_sample(file, 60), draw_sample(file, 60), draw_sample(file, 60, seed=1)
    assert one.to_json() == again.to_json()
    assert one.id != other.id
    assert sum(s.reports for s in one.strata) == 600
    assert sum(s.drawn for s in one.strata) == len(one.drawn) == 60
    assert all(s.weight >= 1 for s in one.strata)
    (tmp_path / "sample.json").write_text(one.to_json(), encoding="utf-8")
    assert read_sample(tmp_path / "sample.json") == one


def test_reports_of_one_stratum_do_not_stand_together() -> None:
    drawn = draw_sample(file_of(invented()[0]), 100).drawn
    same = sum(a.stratum == b.stratum for a, b in pairwise(drawn))
    assert same < 75
    assert [one.row for one in drawn] != sorted(one.row for one in drawn)


def test_too_small_a_sample_is_an_error_and_too_large_a_one_takes_all() -> None:
    file = file_of(invented()[0])
    with pytest.raises(InputError, match="least is 20"):
        draw_sample(file, 10)
    assert len(draw_sample(file, 10_000).drawn) == 600


def test_the_form_shows_nothing_of_the_labels() -> None:
    """Two files that differ in a label alone, and the same draw: the same form but for its name."""
    labels, _ = invented()
    file = file_of(labels)
    sample = draw_sample(file, 40)
    states = labels.states_NF.copy()
    states[places_of(file, sample), 0] = State.POSITIVE
    other = file_of(replace(labels, states_NF=states))
    moved = replace(sample, digest=other.digest)
    assert form_page(file, sample).replace(sample.id, "ID") == form_page(other, moved).replace(moved.id, "ID")
    assert "checked" not in form_page(file, sample).split("<script>")[0].split("</style>")[1]


def test_another_text_or_label_is_another_digest() -> None:
    labels, _ = invented(20)
    texts = [f"report {i}" for i in range(20)]
    states = labels.states_NF.copy()
    states[3, 1] = State.UNCERTAIN
    one = labels_digest(labels, texts)
    assert one == labels_digest(labels, list(texts))
    assert one != labels_digest(replace(labels, states_NF=states), texts)
    assert one != labels_digest(labels, ["report 0report 1", *texts[2:], ""])


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    file = file_of(invented()[0])
    sample = draw_sample(file, 40)
    other = file_of(invented(seed=2)[0])
    with pytest.raises(InputError, match="not those that the sample was drawn from"):
        places_of(other, sample)


def write(path: Path, **changes: object) -> Path:
    record = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = file_of(invented()[0])
    sample = draw_sample(file, 40)
    states = rng_for(0, "answers").integers(UNANSWERED, 4, (40, 4)).astype(np.int8)
    states[5] = UNANSWERED
    path = tmp_path / "a.json"
    path.write_text(answers_json(sample, states, reader="one"), encoding="utf-8")
    read = read_answers(path, sample)
    assert read.reader == "one"
    assert (read.states_nF == states).all()
    assert read.notes == ()


def test_answers_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    file = file_of(invented()[0])
    sample = draw_sample(file, 40)
    path = tmp_path / "a.json"
    path.write_text(answers_json(sample, np.ones((40, 4), dtype=np.int8)), encoding="utf-8")
    good = path.read_text(encoding="utf-8")
    write(path, answers={"1": {"Edema": "maybe"}, "99": {"Edema": "positive"}, "2": {"Edema": "positive"}})
    [note] = read_answers(path, sample).notes
    assert "2 answers could not be used" in note
    write(path, sample="f" * 16)
    with pytest.raises(InputError, match="answers to the form 'ffffffffffffffff'"):
        read_answers(path, sample)
    path.write_text(good, encoding="utf-8")
    with pytest.raises(InputError, match="no answers in it"):
        read_answers(write(path, answers={}), sample)
    with pytest.raises(InputError, match="its format is 'other'"):
        read_answers(write(path, format="other"), sample)
    path.write_text("no json", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_answers(path, sample)
    with pytest.raises(InputError, match="There is no"):
        read_answers(tmp_path / "none.json", sample)


def test_a_changed_sample_is_told(tmp_path: Path) -> None:
    sample = draw_sample(file_of(invented()[0]), 40)
    path = tmp_path / "sample.json"
    for change in ({"seed": 5}, {"drawn": []}, {"findings": ["Edema"]}):
        path.write_text(sample.to_json(), encoding="utf-8")
        with pytest.raises(InputError, match="changed"):
            read_sample(write(path, **change))
    path.write_text(sample.to_json(), encoding="utf-8")
    with pytest.raises(InputError, match="changed: KeyError"):
        read_sample(write(path, strata=[{}]))


# The page


def test_the_page_has_estimates_counts_strata_and_errors() -> None:
    labels, truth = invented()
    file = file_of(labels)
    sample = draw_sample(file, 120)
    page = audit_page(file, sample, [read_as(file, sample, truth)])
    found = estimate_of(page.table("findings"), "all together", "f1")
    assert found is not None
    assert found.low < found.value < found.high
    true = float(f1(micro(confusion(truth[:, :3], labels.binary()[:, :3])))[0])
    assert found.value == pytest.approx(true, abs=0.1)
    assert [row[0] for row in page.table("findings").rows[:4]] == list(FINDINGS)
    assert "No Finding is not part of micro and macro" in page.table("findings").note
    assert sum(int(row[2]) for row in page.table("strata").rows) == 120
    assert page.warnings == ()
    assert page.stamp["policy"] == "uncertain-to-zero"
    errors = next(block for block in page.blocks() if block.name == "errors-1")
    assert "is labelled" in errors.examples[0].heading
    assert errors.examples[0].text.startswith("findings: Invented report")
    assert page == audit_page(file, sample, [read_as(file, sample, truth)])


def test_two_readers_and_their_agreement() -> None:
    labels, truth = invented()
    file = file_of(labels)
    sample = draw_sample(file, 80)
    one, two = read_as(file, sample, truth, "a"), read_as(file, sample, truth, "b")
    states = two.states_nF.copy()
    states[0, 0] = State.POSITIVE if states[0, 0] != State.POSITIVE else State.BLANK
    page = audit_page(file, sample, [one, replace(two, states_nF=states)])
    row = page.table("agreement-1-2").rows[0]
    assert row[:2] == ("Edema", 80)
    assert row[2] == pytest.approx(79 / 80)
    assert 0.5 < float(row[3]) < 1
    assert page.table("agreement-1-2").rows[1][3] == pytest.approx(1)
    assert page.table("findings-2").title.startswith("Labels of the whole file against b")


def test_incomplete_answers_are_counted_and_told() -> None:
    labels, truth = invented()
    file = file_of(labels)
    sample = draw_sample(file, 120)
    states = truth[places_of(file, sample)].astype(np.int8)
    states[40:] = UNANSWERED
    states[30:40, 0] = UNANSWERED
    states[:, 1] = UNANSWERED
    page = audit_page(file, sample, [Answers("a", states)])
    told = " ".join(page.warnings)
    assert "a answered nothing on Fracture." in told
    assert "a answered 30 of 120 reports in full and 10 in part" in told
    assert "judged 40 reports" in told
    rows = {row[0]: row for row in page.table("findings").rows}
    assert rows["Fracture"][1:] == (None, None, None)
    assert "Fracture was not answered" in page.table("findings").note
    assert estimate_of(page.table("findings"), "all together", "f1") is not None


def test_an_unknown_policy_is_told() -> None:
    labels, truth = invented()
    file = file_of(labels)
    sample = draw_sample(file, 40)
    with pytest.raises(UnknownNameError, match="uncertain-to-one"):
        audit_page(file, sample, [read_as(file, sample, truth)], policy="uncertain-to-on")


def test_the_policy_moves_uncertain_labels() -> None:
    labels, truth = invented()
    file = file_of(labels)
    sample = draw_sample(file, 120)
    pages = {
        policy: audit_page(file, sample, [read_as(file, sample, truth)], policy=policy)
        for policy in ("uncertain-to-zero", "uncertain-to-one", "uncertain-ignored")
    }
    counts = {policy: [row[1] for row in page.table("counts").rows] for policy, page in pages.items()}
    assert counts["uncertain-to-one"][0] > counts["uncertain-to-zero"][0] == counts["uncertain-ignored"][0]
