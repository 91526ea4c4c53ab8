from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from invented import matrix, noisy, random_truth, write_labels

from hilum.analyses.discrepancy import discrepancy
from hilum.analyses.mappings import load_mapping
from hilum.api.study_discrepancy import DiscrepancyStudy, study_discrepancy
from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.tables.labels import read_labels

FINDINGS = ("Lung Opacity", "Edema", "Pleural Effusion", "Fracture")
STUDIES = 150


def words(labels_NF: np.ndarray, negative: str) -> list[str]:
    return ["".join("p" if cell else negative for cell in row) for row in labels_NF]


def report_rows(truth_NF: np.ndarray, *, seed: int = 3) -> list[str]:
    """Noisy reports: some cells uncertain, negatives mostly blank."""
    noisy_NF = noisy(truth_NF, wrong=0.15, seed=seed)
    draw = rng_for(seed, "states").random(truth_NF.shape)
    return [
        "".join(
            "u" if d < 0.1 else "p" if cell else "n" if d < 0.3 else "."
            for cell, d in zip(row, ds, strict=True)
        )
        for row, ds in zip(noisy_NF, draw, strict=True)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("labels")
    truth = random_truth(STUDIES, len(FINDINGS))
    truth[:, 3] = 0
    truth[:4, 3] = 1
    made = {
        "image": write_labels(folder / "image.csv", matrix(FINDINGS, words(truth, "n"))),
        "report": write_labels(folder / "report.csv", matrix(FINDINGS, report_rows(truth))),
        "other": write_labels(folder / "other.csv", matrix(FINDINGS[:3], report_rows(truth[:, :3], seed=9))),
    }
    for reader in range(4):
        votes = noisy(truth, wrong=0.1, seed=20 + reader)
        made[f"reader{reader}"] = write_labels(folder / f"r{reader}.csv", matrix(FINDINGS, words(votes, "n")))
    scores = np.clip(truth * 0.5 + rng_for(1, "scores").random(truth.shape) * 0.5, 0, 1)
    lines = ["Study,Edema,Pleural Effusion"]
    lines += [f"study{place},{row[1]:.4f},{row[2]:.4f}" for place, row in enumerate(scores)]
    (folder / "model.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [
        f"study{place},FINDINGS: Small effusion. IMPRESSION: Edema has decreased." for place in range(STUDIES)
    ]
    (folder / "texts.csv").write_text("Study,report\n" + "\n".join(texts) + "\n", encoding="utf-8")
    return {**made, "model": folder / "model.csv", "texts": folder / "texts.csv"}


def study(files: dict[str, Path], **changes: object) -> DiscrepancyStudy:
    whole = {
        "labels": (("second labeler", files["other"]),),
        "readers": tuple((f"reader{n}", files[f"reader{n}"]) for n in range(4)),
        "models": (("model", files["model"]),),
        "reports": files["texts"],
        "replicates": 60,
    }
    return DiscrepancyStudy(files["report"], files["image"], **{**whole, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("study") / "out"
    page, written = study_discrepancy(study(files), folder)
    return page, written, folder


def test_every_table_and_figure_of_the_study_is_written(whole) -> None:
    page, written, folder = whole
    names = {block.name for block in page.blocks()}
    assert {
        "agreement", "disagreements", "reasons", "odds_ratios", "odds_ratios_all", "baselines", "differences",
        "readers_against_image_labels", "readers_against_others", "readers_among_themselves", "models",
        "roc_curves", "pr_curves", "examples_image_positive",
    } <= names  # fmt: skip
    assert all(path.is_file() for path in written)
    assert (folder / "index.html").is_file()
    tables = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    assert "NaN" not in json.dumps(tables)


def test_evaluation_findings_have_a_tenth_of_positives(whole) -> None:
    page, _, _ = whole
    assert [row[0] for row in page.table("agreement").rows][:3] == [
        "Lung Opacity",
        "Edema",
        "Pleural Effusion",
    ]
    assert "Fracture" not in [row[0] for row in page.table("agreement").rows]
    assert "Fracture" in [row[0] for row in page.table("disagreements").rows]


def test_low_is_never_above_high_and_counts_add_up(whole) -> None:
    page, _, _ = whole
    for row in page.table("agreement").rows:
        assert row[4] <= row[5]
        assert row[6] <= row[7]
    reasons = {(row[0], row[1]): sum(row[2:]) for row in page.table("reasons").rows}
    for finding, _, missed, false, unsure_positive, unsure_negative in page.table("disagreements").rows:
        assert reasons[finding, "positive"] == missed + unsure_positive
        assert reasons[finding, "negative"] == false + unsure_negative


def test_mappings_can_be_used_on_other_labels(whole, files: dict[str, Path]) -> None:
    _, _, folder = whole
    report = read_labels(files["report"]).matrix
    mapping = load_mapping(folder / "mappings" / "logreg.json")
    labels = mapping.apply(report)
    assert labels.shape == (STUDIES, 3)
    assert set(np.unique(labels)) == {0, 1}


def test_the_same_study_gives_the_same_bytes(whole, files: dict[str, Path], tmp_path: Path) -> None:
    _, written, folder = whole
    _, again = study_discrepancy(study(files), tmp_path / "again")
    for first, second in zip(sorted(written), sorted(again), strict=True):
        assert first.relative_to(folder) == second.relative_to(tmp_path / "again")
        assert first.read_bytes() == second.read_bytes(), first.name


def test_without_texts_the_reasons_that_need_them_are_not_defined(files: dict[str, Path]) -> None:
    page = discrepancy(study(files, reports=None, readers=(), models=(), labels=())).page
    assert all(row[4] is None and row[5] is None for row in page.table("reasons").rows)
    assert "No texts were given" in page.table("reasons").note


def test_rows_are_joined_by_key_whatever_their_order(files: dict[str, Path], tmp_path: Path) -> None:
    header, *rows = files["report"].read_text(encoding="utf-8").splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([header, *rows[::-1]]) + "\n", encoding="utf-8")
    small = {"readers": (), "models": (), "labels": (), "reports": None}
    straight = discrepancy(study(files, **small)).page
    back = discrepancy(DiscrepancyStudy(turned, files["image"], replicates=60)).page
    assert straight.table("agreement").rows == back.table("agreement").rows


def test_uncertain_image_labels_are_refused_with_their_place(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"image labels must be 1 or 0.*row 1, column 'Lung Opacity'|column"):
        discrepancy(DiscrepancyStudy(files["report"], files["report"]))


def test_a_finding_of_one_class_is_refused_by_name(tmp_path: Path, files: dict[str, Path]) -> None:
    rows = matrix(FINDINGS, ["pnnn"] * STUDIES)
    with pytest.raises(InputError, match="Lung Opacity: 150 of 150 images are positive"):
        discrepancy(DiscrepancyStudy(files["report"], write_labels(tmp_path / "i.csv", rows)))


def test_files_without_a_shared_finding_are_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    other = write_labels(tmp_path / "o.csv", matrix(("Pneumothorax",), ["p", "n"] * 75))
    with pytest.raises(InputError, match="share no finding"):
        discrepancy(DiscrepancyStudy(other, files["image"]))


def test_two_sources_of_one_name_are_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="Two sources are called 'model'"):
        discrepancy(study(files, labels=(("model", files["other"]),)))


def test_too_few_positives_say_what_to_lower(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="least-positives"):
        discrepancy(study(files, least_positives=0.99))
