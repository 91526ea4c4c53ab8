from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import f1_score, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from hilum.analyses._labelers_inputs import load, shared_findings
from hilum.analyses._labelers_values import PRESETS, resample, scores, weighted_f1
from hilum.analyses.labelers import LabelersStudy, labelers, published
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.matrix import LabelMatrix
from hilum.core.results import Estimate, ResultFigure, ResultPage
from hilum.core.vocabulary import CHEXPERT14, CSV_CODES, NIH14, State, Vocabulary

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from llm_labeler_tables import LABELERS, TABLE_1

POS, NEG, UNC, BLANK = State.POSITIVE, State.NEGATIVE, State.UNCERTAIN, State.BLANK
FINDINGS = ("No Finding", "Edema", "Pneumonia", "Fracture")
ROWS = 120


def states(seed: int, shape: tuple[int, int], chances: Sequence[float] = (0.4, 0.3, 0.2, 0.1)) -> np.ndarray:
    return np.random.default_rng(seed).choice(4, size=shape, p=chances).astype(np.int8)


def noisy(truth: np.ndarray, seed: int, share: float) -> np.ndarray:
    wrong = np.random.default_rng(seed).random(truth.shape) < share
    return np.where(wrong, states(seed + 1, truth.shape), truth)


def write(
    path: Path, values: np.ndarray, *, findings: Sequence[str] = FINDINGS, ids: Sequence[str] | None = None
) -> Path:
    keys = ids if ids is not None else [f"s{row}" for row in range(len(values))]
    lines = [",".join(("id", *findings))]
    for key, row in zip(keys, values, strict=True):
        codes = [CSV_CODES[State(int(v))] for v in row]
        lines.append(",".join([key, *("" if c is None else str(c) for c in codes)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> LabelersStudy:
    tmp_path = tmp_path_factory.mktemp("labels")
    truth = states(0, (ROWS, len(FINDINGS)))
    return LabelersStudy(
        gold=write(tmp_path / "gold.csv", truth),
        labels=(
            ("good", write(tmp_path / "good.csv", noisy(truth, 1, 0.1))),
            ("poor", write(tmp_path / "poor.csv", noisy(truth, 3, 0.5))),
        ),
        replicates=50,
    )


@pytest.fixture(scope="module")
def page(study: LabelersStudy) -> ResultPage:
    return labelers(study)


def column(page: ResultPage, table: str, key: str) -> list[object]:
    found = page.table(table)
    place = [c.key for c in found.columns].index(key)
    return [row[place] for row in found.rows]


def number(value: object) -> float:
    return value.value if isinstance(value, Estimate) else float(value)  # type: ignore[arg-type]


# --- weighted F1 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [(POS, NEG, UNC), (POS, NEG)])
def test_presets_are_scikit_learns_weighted_f1(tasks: tuple[State, ...]) -> None:
    truth, said = states(0, (200, 3)), states(5, (200, 3))
    for preset, labels in (("blank-as-class", [BLANK, *tasks]), ("blank-excluded", list(tasks))):
        expected = [
            f1_score(truth[:, f], said[:, f], labels=labels, average="weighted", zero_division=0.0)
            for f in range(3)
        ]
        np.testing.assert_allclose(
            weighted_f1(truth, said, preset=preset, states=tasks), expected, atol=1e-12
        )
    expected = [
        np.mean(
            [
                f1_score(truth[:, f] == s, said[:, f] == s, average="weighted", zero_division=0.0)
                for s in tasks
            ]
        )
        for f in range(3)
    ]
    np.testing.assert_allclose(
        weighted_f1(truth, said, preset="task-mean", states=tasks), expected, atol=1e-12
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_weights_of_rows_are_rows_written_more_often(preset: str) -> None:
    truth, said = states(0, (30, 2)), states(5, (30, 2))
    counts = np.random.default_rng(0).integers(0, 4, size=(3, 30))
    found = weighted_f1(truth, said, preset=preset, states=(POS, NEG), weights_BN=counts.astype(float))
    for row, count in zip(found, counts, strict=True):
        again = weighted_f1(
            np.repeat(truth, count, axis=0), np.repeat(said, count, axis=0), preset=preset, states=(POS, NEG)
        )
        np.testing.assert_allclose(row, again, atol=1e-12)


def test_blank_counts_only_where_the_preset_says_so() -> None:
    truth = np.array([[BLANK]] * 98 + [[POS], [NEG]], dtype=np.int8)
    said = np.array([[BLANK]] * 98 + [[POS], [POS]], dtype=np.int8)
    found = {p: float(weighted_f1(truth, said, preset=p, states=(POS, NEG))[0]) for p in PRESETS}
    assert found["blank-as-class"] > 0.98
    assert found["blank-excluded"] == pytest.approx((2 / 3) / 2)
    assert found["blank-excluded"] < found["blank-as-class"]


def test_a_finding_that_the_gold_never_mentions_is_not_defined_unless_blank_counts() -> None:
    truth, said = np.zeros((5, 1), dtype=np.int8), np.full((5, 1), POS, dtype=np.int8)
    assert np.isnan(weighted_f1(truth, said, preset="blank-excluded", states=(POS, NEG))[0])
    assert weighted_f1(truth, said, preset="blank-as-class", states=(POS, NEG))[0] == 0


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UnknownNameError, match="blank-excluded"):
        weighted_f1(states(0, (3, 1)), states(0, (3, 1)), preset="blank-exclude", states=(POS,))


# --- findings and rows -------------------------------------------------------------------------------------


def test_two_vocabularies_share_findings_by_name_and_alias() -> None:
    same = NIH14.counterparts(CHEXPERT14)
    assert same["Effusion"] == "Pleural Effusion"
    assert same["No Finding"] == "No Finding"
    assert "Mass" not in same
    assert len(same) == 8
    assert {b: a for a, b in same.items()} == CHEXPERT14.counterparts(NIH14)


def matrix(name: str, vocabulary: Vocabulary, findings: Sequence[str]) -> LabelMatrix:
    return LabelMatrix(name, vocabulary, tuple(findings), (), np.zeros((1, len(findings)), dtype=np.int8))


def test_what_a_vocabulary_does_not_know_is_left_out_and_told() -> None:
    gold = matrix("gold", NIH14, ("Effusion", "Mass", "Edema"))
    other = matrix("other", CHEXPERT14, ("Edema", "Pleural Effusion", "Fracture"))
    findings, told = shared_findings(gold, [other])
    assert findings == ("Effusion", "Edema")
    assert "Mass" in told[0]
    assert "Fracture" in told[1]


def test_a_column_that_a_labeler_should_have_is_an_error_that_names_it() -> None:
    gold = matrix("gold", CHEXPERT14, ("Edema", "Fracture", "Pneumonia"))
    other = matrix("other", CHEXPERT14, ("Edema", "Pneumonia"))
    with pytest.raises(InputError, match=r"other has no column for Fracture.*--findings 'Edema,Pneumonia'"):
        shared_findings(gold, [other])
    assert shared_findings(gold, [other], wanted=("edema", "Pneumonia")) == (("Edema", "Pneumonia"), [])


def test_wanted_findings_go_by_alias_and_must_be_there() -> None:
    gold = matrix("gold", CHEXPERT14, ("Edema", "Pleural Effusion"))
    assert shared_findings(gold, [gold], wanted=("Effusion",))[0] == ("Pleural Effusion",)
    with pytest.raises(UnknownNameError, match="Fracture"):
        shared_findings(gold, [gold], wanted=("Fracture",))
    with pytest.raises(UnknownNameError, match="Edema"):
        shared_findings(gold, [gold], wanted=("Edemas",))


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(InputError, match="share no finding"):
        shared_findings(matrix("gold", NIH14, ("Mass",)), [matrix("other", CHEXPERT14, ("Edema",))])


def test_order_of_rows_and_columns_does_not_matter(study: LabelersStudy, tmp_path: Path) -> None:
    first = load(study)
    compared = first.compared
    turned = np.random.default_rng(0).permutation(ROWS)
    labels = tuple(
        (
            m.source,
            write(
                tmp_path / f"{m.source}_turned.csv",
                m.states_NF[turned][:, ::-1],
                findings=FINDINGS[::-1],
                ids=[f"s{row}" for row in turned],
            ),
        )
        for m in compared.labelers
    )
    again = load(LabelersStudy(gold=study.gold, labels=labels)).compared
    for a, b in zip(compared.labelers, again.labelers, strict=True):
        np.testing.assert_array_equal(a.states_NF, b.states_NF)


def test_only_rows_that_all_have_are_compared(study: LabelersStudy, tmp_path: Path) -> None:
    short = write(tmp_path / "short.csv", states(9, (40, 4)), ids=[f"s{row}" for row in range(20, 60)])
    loaded = load(LabelersStudy(gold=study.gold, labels=(*study.labels, ("short", short))))
    assert len(loaded.compared.gold) == 40
    assert loaded.compared.gold.ids[0] == "s20"
    assert [row[-2:] for row in loaded.sources] == [(120, 40), (120, 40), (120, 40), (40, 40)]


def test_keys_can_be_named_per_file_and_compared_by_number(tmp_path: Path) -> None:
    truth = states(0, (30, 4))
    gold = write(tmp_path / "gold.csv", truth, ids=[f"CXR{row}" for row in range(30)])
    other = tmp_path / "other.csv"
    other.write_text(
        write(tmp_path / "plain.csv", truth, ids=[f"{row}" for row in range(30)])
        .read_text(encoding="utf-8")
        .replace("id,", "mine,", 1),
        encoding="utf-8",
    )
    study = LabelersStudy(
        gold=gold, labels=(("other", other),), keys=(("other", "mine"),), match_keys="number"
    )
    assert len(load(study).compared.gold) == 30
    with pytest.raises(UnknownNameError, match="source for --key"):
        load(LabelersStudy(gold=gold, labels=(("other", other),), keys=(("others", "mine"),)))


@pytest.mark.parametrize("names", [("a", "a"), ("gold",)])
def test_names_of_labelers_are_their_own(study: LabelersStudy, names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="2 sources are called"):
        load(LabelersStudy(gold=study.gold, labels=tuple((n, study.labels[0][1]) for n in names)))


def test_no_labeler_is_an_error(study: LabelersStudy) -> None:
    with pytest.raises(InputError, match="No labeler"):
        load(LabelersStudy(gold=study.gold, labels=()))


# --- the page ----------------------------------------------------------------------------------------------


def test_scores_on_the_page_are_scikit_learns(study: LabelersStudy, page: ResultPage) -> None:
    compared = load(study).compared
    gold_NF = compared.gold.states_NF
    for labeler in compared.labelers:
        expected = [
            f1_score(gold_NF[:, f], labeler.states_NF[:, f], labels=list(State), average="weighted")
            for f in range(4)
        ]
        found = [number(v) for v in column(page, "weighted_f1_all", labeler.source)]
        np.testing.assert_allclose(found[:4], expected, atol=1e-12)
        assert found[4] == pytest.approx(np.mean(expected))
        assert found[5] == pytest.approx(np.mean(expected[1:]))
    assert column(page, "weighted_f1_all", "finding")[4:] == ["Average", "Average without No Finding"]


@pytest.mark.parametrize("state", [POS, NEG, UNC])
def test_extraction_tables_are_scikit_learns(study: LabelersStudy, page: ResultPage, state: State) -> None:
    compared = load(study).compared
    table = f"extraction_{state.name.lower()}"
    for labeler in compared.labelers:
        name = labeler.source
        for place in range(4):
            *expected, support = precision_recall_fscore_support(
                compared.gold.states_NF[:, place] == state, labeler.states_NF[:, place] == state
            )
            found = [
                column(page, f"{table}_precision_recall", f"{name} precision")[place],
                column(page, f"{table}_precision_recall", f"{name} recall")[place],
                column(page, table, name)[place],
            ]
            np.testing.assert_allclose(found, [values[1] for values in expected])
            assert column(page, table, "gold")[place] == support[1]
        pooled = f1_score((compared.gold.states_NF == state).ravel(), (labeler.states_NF == state).ravel())
        assert column(page, table, name)[5] == pytest.approx(pooled)


def test_all_presets_are_shown_and_the_primary_one_first(study: LabelersStudy) -> None:
    page = labelers(LabelersStudy(study.gold, study.labels, preset="blank-excluded", replicates=20))
    shown = column(page, "presets", "preset")
    assert shown[0] == "blank-excluded (primary)"
    assert {str(name).removesuffix(" (primary)") for name in shown} == set(PRESETS)
    average = {p: number(column(page, "presets", "good")[shown.index(p)]) for p in shown[2:]}
    for preset, value in average.items():
        table = f"weighted_f1_{str(preset).replace('-', '_')}"
        assert column(page, table, "good, all certainty levels")[-1] == pytest.approx(value)
    assert number(column(page, "weighted_f1_all", "good")[4]) == column(page, "presets", "good")[0]


def test_tests_are_scipys_and_holm_is_statsmodels(study: LabelersStudy, tmp_path: Path) -> None:
    truth = load(study).compared.gold.states_NF
    third = ("third", write(tmp_path / "third.csv", noisy(truth, 7, 0.3)))
    page = labelers(LabelersStudy(study.gold, (*study.labels, third), replicates=20))
    compared = load(LabelersStudy(study.gold, (*study.labels, third))).compared
    assert compared.names == ("good", "poor", "third")
    values = scores(compared, preset="blank-as-class", level="all certainty levels")
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = {
        "t_p": [scipy_stats.ttest_rel(values[a], values[b]).pvalue for a, b in pairs],
        "wilcoxon_p": [scipy_stats.wilcoxon(values[a], values[b]).pvalue for a, b in pairs],
    }
    for key, ps in expected.items():
        np.testing.assert_allclose(column(page, "tests", key), ps)
        np.testing.assert_allclose(column(page, "tests", f"{key}_holm"), multipletests(ps, method="holm")[1])
    assert column(page, "tests", "findings") == column(page, "tests_2", "findings") == [4] * 3
    assert "positive and negative only" in page.table("tests_2").title
    assert len(page.table("tests_details").rows) == 6


def test_mcnemar_is_statsmodels(study: LabelersStudy, page: ResultPage) -> None:
    compared = load(study).compared
    right = [m.states_NF == compared.gold.states_NF for m in compared.labelers]
    ps = []
    for place in range(4):
        a, b = right[0][:, place], right[1][:, place]
        table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
        ps.append(mcnemar(table, exact=True).pvalue)
        keys = ("both_right", "first_right", "second_right", "none_right")
        assert [column(page, "mcnemar", key)[place] for key in keys] == [*table[0], *table[1]]
    np.testing.assert_allclose(column(page, "mcnemar", "p"), ps)
    np.testing.assert_allclose(column(page, "mcnemar", "p_holm"), multipletests(ps, method="holm")[1])


def test_intervals_hold_the_point_and_differences_are_paired(page: ResultPage) -> None:
    for table, key in (("weighted_f1_all", "good"), ("weighted_f1_positive_negative", "poor")):
        for value in column(page, table, key):
            assert isinstance(value, Estimate)
            assert value.low <= value.value <= value.high
    differences = column(page, "differences", "good minus poor")
    good, poor = (column(page, "weighted_f1_all", name) for name in ("good", "poor"))
    for place, difference in enumerate(differences):
        assert number(difference) == pytest.approx(number(good[place]) - number(poor[place]))
    average = differences[-1]
    assert isinstance(average, Estimate)
    assert average.low > 0


def test_a_labeler_beside_itself_does_not_differ(study: LabelersStudy) -> None:
    path = study.labels[0][1]
    page = labelers(LabelersStudy(study.gold, (("one", path), ("two", path)), replicates=20))
    assert set(column(page, "tests", "t_p")) == {1.0}
    assert set(column(page, "tests", "wilcoxon_p")) == {1.0}
    assert set(column(page, "mcnemar", "p")) == {1.0}
    assert set(column(page, "differences", "one minus two")) == {Estimate(0.0, 0.0, 0.0)}


def test_a_perfect_labeler_gets_one_everywhere(study: LabelersStudy) -> None:
    page = labelers(LabelersStudy(study.gold, (("same", study.gold),), replicates=20))
    assert all(v == Estimate(1.0, 1.0, 1.0) for v in column(page, "weighted_f1_all", "same"))
    assert all(number(v) == 1 for v in column(page, "presets", "same"))
    assert all(section.heading for section in page.sections)
    with pytest.raises(KeyError):
        page.table("tests")


def test_one_finding_alone_has_scores_but_no_tests_over_findings(study: LabelersStudy) -> None:
    page = labelers(LabelersStudy(study.gold, study.labels, findings=("Edema",), replicates=20))
    assert column(page, "tests", "t_p") == column(page, "tests_2", "t_p") == [None]
    assert "no test" in page.table("tests").note
    assert column(page, "mcnemar", "finding") == ["Edema"]


def test_the_same_study_gives_the_same_page_and_another_seed_other_intervals(
    study: LabelersStudy, page: ResultPage
) -> None:
    assert labelers(study) == page
    compared = load(study).compared
    first, other = (resample(compared, preset="task-mean", replicates=9, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(first[0].point_LF, other[0].point_LF)
    assert not np.array_equal(first[0].values_BLF, other[0].values_BLF)


def test_figures_say_what_they_show(page: ResultPage) -> None:
    figures = {b.name: b for b in page.blocks() if isinstance(b, ResultFigure)}
    assert set(figures) == {"scores", "differences"}
    assert "Fracture" in figures["scores"].alt
    assert "good" in figures["differences"].alt


def test_the_lead_says_which_gold_which_score_and_what_came_out(page: ResultPage) -> None:
    lead = " ".join(page.lead)
    for words in ("gold.csv", "120 reports", "blank-as-class", "Average weighted F1", "0 is outside"):
        assert words in lead


# --- gold without uncertain or blank -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def binary_study(study: LabelersStudy, tmp_path_factory: pytest.TempPathFactory) -> LabelersStudy:
    tmp_path = tmp_path_factory.mktemp("binary")
    truth = np.where(states(0, (ROWS, 4)) == POS, POS, NEG).astype(np.int8)
    return LabelersStudy(write(tmp_path / "binary.csv", truth), study.labels, replicates=20)


def test_a_gold_of_0_and_1_is_warned_of_and_not_called_zero(binary_study: LabelersStudy) -> None:
    page = labelers(binary_study)
    assert "no uncertain and no blank labels" in page.warnings[0]
    assert "--policy uncertain-to-zero or uncertain-to-one" in page.warnings[0]
    assert column(page, "extraction_uncertain", "gold")[:4] == [0] * 4
    assert all(
        np.isnan(number(v)) for v in column(page, "extraction_uncertain_precision_recall", "good recall")[:5]
    )


@pytest.mark.parametrize("policy", ["uncertain-to-one", "uncertain-to-zero"])
def test_a_policy_makes_0_and_1_of_both_sides(binary_study: LabelersStudy, policy: str) -> None:
    page = labelers(LabelersStudy(binary_study.gold, binary_study.labels, policy=policy, replicates=20))
    compared = load(binary_study).compared
    assert policy in page.warnings[0]
    truth = compared.gold.states_NF == POS
    positive = (POS, UNC) if policy == "uncertain-to-one" else (POS,)
    said = [np.isin(m.states_NF, positive) for m in compared.labelers]
    values = []
    for labeler, cells in zip(compared.labelers, said, strict=True):
        expected = [f1_score(truth[:, f], cells[:, f]) for f in range(4)]
        values.append(expected)
        found = [number(v) for v in column(page, "f1_positive", labeler.source)]
        np.testing.assert_allclose(found[:5], [*expected, np.mean(expected)])
        np.testing.assert_allclose(column(page, "extraction_positive", labeler.source)[:4], expected)
    np.testing.assert_allclose(column(page, "tests", "t_p"), [scipy_stats.ttest_rel(*values).pvalue])
    right = [cells == truth for cells in said]
    assert column(page, "mcnemar", "first_right") == [
        int((right[0][:, f] & ~right[1][:, f]).sum()) for f in range(4)
    ]
    for table in ("presets", "weighted_f1_all", "extraction_negative"):
        with pytest.raises(KeyError):
            page.table(table)


def test_a_policy_that_leaves_cells_out_is_refused(binary_study: LabelersStudy) -> None:
    with pytest.raises(UnknownNameError, match="uncertain-to-one"):
        labelers(LabelersStudy(binary_study.gold, binary_study.labels, policy="uncertain-ignored"))


def test_averages_say_over_how_many_findings_they_go(tmp_path: Path) -> None:
    truth = states(0, (60, 3))
    truth[:, 1] = BLANK
    names = ("Edema", "Fracture", "Pneumonia")
    gold = write(tmp_path / "gold.csv", truth, findings=names)
    other = write(tmp_path / "other.csv", noisy(truth, 1, 0.3), findings=names)
    page = labelers(
        LabelersStudy(gold, (("other", other), ("gold again", gold)), preset="blank-excluded", replicates=20)
    )
    cells = column(page, "weighted_f1_all", "other")
    assert np.isnan(number(cells[1]))
    assert number(cells[3]) == pytest.approx((number(cells[0]) + number(cells[2])) / 2)
    assert "other over 2 of 3 (not defined for Fracture)" in page.table("weighted_f1_all").note
    assert column(page, "tests", "findings") == [2]
    assert 2 in column(page, "presets", "findings")


# --- published scores --------------------------------------------------------------------------------------

AS_PRINTED = "".join(line.capitalize() for line in TABLE_1.splitlines(keepends=True)).replace(
    "cardiomediastinum", "cardiomeastinum"
)
"""Names in small letters, and one misspelt, as in the paper."""


def test_table_3_of_the_llm_labeler_paper_from_its_table_1(tmp_path: Path) -> None:
    path = tmp_path / "table1.csv"
    path.write_text(f"Pathologies,{','.join(LABELERS)}\n{AS_PRINTED}", encoding="utf-8")
    page = published(path)
    assert [round(float(p), 2) for p in column(page, "tests", "t_p")[:2]] == [0.35, 0.01]  # type: ignore[arg-type]
    assert round(float(column(page, "tests", "t_p")[2]), 4) == 0.0005  # type: ignore[arg-type]
    found = column(page, "tests", "wilcoxon_p")
    assert [round(float(p), n) for p, n in zip(found, (2, 3, 3), strict=True)] == [0.14, 0.005, 0.002]  # type: ignore[arg-type]
    np.testing.assert_allclose(page.table("scores").rows[-1][1:], [0.9014, 0.9047, 0.8864], atol=5e-5)
    assert "'Average'" in page.warnings[0]
    assert {b.name for b in page.blocks() if isinstance(b, ResultFigure)} == {"scores", "differences"}
