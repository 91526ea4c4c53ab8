from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_generation import SIZES, outputs, tiny_generation, write_phantoms

from hilum.api.study_generation import study_generation
from hilum.core.errors import HilumError, InputError, UnknownNameError
from hilum.core.imaging import Box, Image
from hilum.core.results import Estimate, ResultPage
from hilum.core.vocabulary import State
from hilum.metrics.overlap import TOKENISERS, overlap_scores
from hilum.recipes import _generation_values as values_of
from hilum.recipes._generation_attention import (
    MENTION,
    Boxes,
    Word,
    Written,
    cells,
    covered,
    example_rows,
    mentions,
    word_spans,
)
from hilum.recipes._generation_polarity import Polarity, polarity_of
from hilum.recipes._generation_sets import FINDINGS, read_sets, states_of
from hilum.recipes._visualchexbert_sets import label_texts
from hilum.recipes.generation import SYSTEMS, GenerationStudy
from hilum.scorers._overlap import PLAIN_TOKENS
from hilum.text.report_words import joined, report_sentences
from hilum.train.baselines import train_baseline
from hilum.train.tienet import finding_losses

HERE = Path(__file__).parent
Whole = tuple[ResultPage, Path]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def whole(sets: Path) -> Whole:
    """The study, run once without a break."""
    page, _ = study_generation(tiny_generation(sets), sets / "study")
    return page, sets / "study"


def test_the_page_has_every_system_and_every_table(whole: Whole) -> None:
    page, folder = whole
    for name in ("wording", "clinical"):
        table = page.table(name)
        assert [row[0] for row in table.rows] == list(SYSTEMS.values())
        assert all(isinstance(cell, Estimate) for row in table.rows for cell in row[1:])
    major = page.table("wording").rows[0]
    assert np.isnan([cell.value for cell in major[1:] if isinstance(cell, Estimate)]).all()
    rewards = [row[0] for row in page.table("rewards").rows]
    assert rewards[-3:] == list(values_of.SIMPLE.values())
    assert "Ours (full)" in rewards
    assert {row[0] for row in page.table("polarity_differences").rows} >= {"Ours (NLG)", "Ours (full)"}
    assert {row[0] for row in page.table("attention").rows} == {
        "TieNet-like", "Ours (likelihood alone)", "Ours (NLG)", "Ours (CCR)", "Ours (full)",
    }  # fmt: skip
    assert len(page.table("recall_labels").rows) == len(FINDINGS) == 13
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "Synthetic data" in html
    examples = (folder / "examples.html").read_text(encoding="utf-8")
    assert examples.count("<article") == 3
    assert examples.count("True report") == 3
    assert examples.count(SYSTEMS["nlg"]) >= 3  # beside those that wrote the same


def test_each_system_has_a_csv_of_all_its_reports(whole: Whole) -> None:
    _, folder = whole
    for name in SYSTEMS:
        path = folder / "reports" / f"{name}.csv"
        assert path.exists() == (name != "major")
        if path.exists():
            rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
            assert rows[0] == ["id", "report", "reference"]
            assert len(rows) == 1 + SIZES["test"]
    assert (folder / "stages" / "full" / "run" / "log.jsonl").is_file()


def test_equal_patient_ids_of_two_phantoms_are_not_one_patient(whole: Whole) -> None:
    result = json.loads((whole[1] / "stages" / "likelihood" / "run" / "result.json").read_bytes())
    assert not [note for note in result["notes"] if "were not learned from" in note]
    assert any(f"{SIZES['train']} images" in note for note in result["notes"])


def test_killed_it_goes_on_to_the_same_bytes(sets: Path, whole: Whole, tmp_path: Path) -> None:
    output = tmp_path / "study"
    shutil.copytree(whole[1] / "stages", output / "stages")  # what stands before is not learned again here
    for name in ("noise", "reports-of-noise", "reports-of-full"):
        shutil.rmtree(output / "stages" / name)
    done = subprocess.run(
        [sys.executable, HERE / "kill_generation.py", sets, output, "noise"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (output / "index.html").exists()
    study_generation(tiny_generation(sets), output)
    assert outputs(output) == outputs(whole[1])


def test_a_finished_study_is_not_learned_again(sets: Path, whole: Whole) -> None:
    before, told = outputs(whole[1]), list[str]()
    study_generation(tiny_generation(sets), whole[1], progress=told.append)
    assert not [line for line in told if line.startswith("stage ")]
    assert outputs(whole[1]) == before


def test_some_systems_with_a_given_classifier(sets: Path, whole: Whole, tmp_path: Path) -> None:
    classifier = whole[1] / "stages" / "classifier" / "run" / "model"
    page, _ = study_generation(
        tiny_generation(sets, systems=("nn", "major"), classifier=classifier, examples=0), tmp_path / "out"
    )
    assert [row[0] for row in page.table("clinical").rows] == ["Major class", "1-NN"]
    assert not (tmp_path / "out" / "examples.html").exists()
    assert not (tmp_path / "out" / "stages" / "classifier").exists()
    nearest = whole[1] / "reports" / "nn.csv"
    assert (tmp_path / "out" / "reports" / "nn.csv").read_bytes() == nearest.read_bytes()


def test_an_image_that_cannot_be_read_costs_itself_alone(sets: Path, whole: Whole, tmp_path: Path) -> None:
    shutil.copytree(sets / "test", tmp_path / "test")
    broken = sorted((tmp_path / "test" / "images").rglob("*.png"))[0]
    broken.write_bytes(b"no image")
    classifier = whole[1] / "stages" / "classifier" / "run" / "model"
    page, _ = study_generation(
        tiny_generation(sets, test=f"phantom:{tmp_path / 'test'}", systems=("nn",), classifier=classifier),
        tmp_path / "out",
    )
    assert any("could not be read" in line for line in page.warnings)
    rows = (tmp_path / "out" / "reports" / "nn.csv").read_text(encoding="utf-8")
    assert broken.stem not in rows


def test_bad_choices_are_named(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="noise"):
        GenerationStudy("a", "b", "c", systems=("noisy",))
    with pytest.raises(UnknownNameError, match="remove"):
        GenerationStudy("a", "b", "c", repeats="removed")
    with pytest.raises(InputError, match="replicates"):
        GenerationStudy("a", "b", "c", replicates=1)
    with pytest.raises(InputError, match="share"):
        study_generation(tiny_generation(sets, valid=f"phantom:{sets / 'train'}"), tmp_path / "out")
    for wrong, told in (
        ({"generator": {"widthh": 3}}, "widthh"),
        ({"image": {"epoch": 3}}, "epoch"),
        ({"recipe": "tiny"}, "tiny"),
        ({"reinforce": {"decay": 2.0}}, "decay"),
    ):
        lines: list[str] = []
        with pytest.raises(HilumError, match=told):
            study_generation(tiny_generation(sets, **wrong), tmp_path / "out", progress=lines.append)
        assert not [line for line in lines if line.startswith("stage ")], "nothing is learned before"
    with pytest.raises(InputError, match="noise-rnn"):
        train_baseline("gpt", None, learned=None, dev=None)  # type: ignore[arg-type]


# --- polarity ---


def judged(reference: str, generated: str, truth: dict[str, int]) -> Polarity:
    test = SimpleNamespace(
        states_NF=states_of(label_texts([reference], labeler="rules")),
        truth_NF=np.array([[truth.get(name, -1) for name in FINDINGS]], dtype=np.int8),
    )
    return polarity_of(label_texts([generated], labeler="rules"), test)  # type: ignore[arg-type]


def test_a_mention_is_wrong_when_reference_or_else_image_says_the_opposite() -> None:
    found = judged("No pleural effusion.", "There is a pleural effusion.", {})
    assert (found.positive[0], found.wrong_positive[0], found.wrong_stated[0]) == (1, 1, 1)
    found = judged("There is a pleural effusion.", "No pleural effusion.", {"Pleural Effusion": 0})
    assert (found.negative[0], found.wrong_negative[0]) == (1, 1)
    found = judged("Stable.", "There is a pleural effusion.", {"Pleural Effusion": 0})
    assert (found.wrong_positive[0], found.stated[0]) == (1, 0)
    found = judged("Stable.", "No pleural effusion.", {"Pleural Effusion": 1})
    assert (found.wrong_negative[0], found.negative[0]) == (1, 1)
    found = judged("Stable.", "There is a pleural effusion.", {"Pleural Effusion": 1})
    assert (found.positive[0], found.wrong_positive[0]) == (1, 0)
    for reference in ("Stable.", "Possible pleural effusion."):
        found = judged(reference, "There is a pleural effusion.", {})
        assert sum(part[0] for part in found) == 0, "nothing is known of it"
    found = judged("No pleural effusion.", "Possible pleural effusion.", {})
    assert sum(part[0] for part in found) == 0, "a hedge has no polarity"


def test_major_class_is_the_label_of_most() -> None:
    states_NF = np.zeros((3, len(FINDINGS)), dtype=np.int8)
    states_NF[:2, 4] = State.POSITIVE
    states_NF[0, 5] = State.POSITIVE
    assert values_of.major_class(states_NF, 2)[:, 3:6].tolist() == [[0, 1, 0], [0, 1, 0]]


def test_weighted_wording_is_that_of_the_rows_drawn() -> None:
    """A replicate gives what BLEU and ROUGE-L are of its rows, each as often as it was drawn."""
    truth = ["the heart is large .", "no effusion is seen .", "the lungs are clear ."]
    said = ["the heart is normal .", "no effusion .", "the lungs are clear ."]
    statistic = values_of._wording(truth, said)
    cut = TOKENISERS[PLAIN_TOKENS]
    drawn = [0, 0, 2]
    scores = overlap_scores([[cut(truth[i])] for i in drawn], [cut(said[i]) for i in drawn])
    found = statistic(np.array([[2.0, 0.0, 1.0]]))[0]
    assert found[2] == pytest.approx(scores.rouge_l.mean(), abs=1e-12)
    assert found[3:] == pytest.approx(scores.bleu.scores, abs=1e-12)


# --- attention ---


def test_cells_are_the_means_of_their_pixels() -> None:
    mask = np.zeros((8, 8))
    mask[:4, :2] = 1
    assert cells(mask, 2).tolist() == [0.5, 0, 0, 0]
    assert cells(mask, 3).mean() == pytest.approx(cells(mask, 3).mean())


def test_boxes_move_with_the_image() -> None:
    image = Image("a", pixels=np.zeros((1, 40, 80), np.float32), boxes=(Box("Edema", 0, 0, 40, 40),))
    found = covered(image, grid=2, size=64, fit="pad")
    place = FINDINGS.index("Edema")
    assert found[place].tolist() == [0.5, 0, 0.5, 0], "the padding above and below is not in the box"
    assert np.isnan(np.delete(found, place, axis=0)).all()


@given(
    st.lists(
        st.lists(st.sampled_from(["no", "edema", "o", "2.5", ",", "/"]), min_size=1, max_size=5), max_size=4
    )
)
def test_words_are_found_where_they_stand(sentences: list[list[str]]) -> None:
    kept = tuple(tuple(words) for words in sentences)
    text = joined(kept)
    spans = list(word_spans(kept, text))
    assert [(s, w) for s, w, *_ in spans] == [(s, w) for s, one in enumerate(kept) for w in range(len(one))]
    assert [text[a:b] for *_, a, b in spans] == [word for one in kept for word in one]


def test_attention_inside_a_box_is_of_all_that_looks_at_a_place() -> None:
    sentences = report_sentences("No pneumothorax. There is edema.")
    attention = np.zeros((3, 6, 5), np.float32)
    attention[0, 1] = (0.25, 0.25, 0.25, 0.25, 0.0)
    attention[2, 2] = (0.4, 0.1, 0.0, 0.0, 0.5)
    text = joined(sentences)
    written = Written(sentences, (0, 2), text, label_texts([text], labeler="rules")[0], attention)
    own = np.full((1, len(FINDINGS), 4), np.nan)
    typical = np.full((len(FINDINGS), 4), np.nan)
    own[0, FINDINGS.index("Edema")] = (1.0, 0.0, 0.0, 0.0)
    typical[FINDINGS.index("Pneumothorax")] = (0.5, 0.5, 0.0, 0.0)
    words: list[Word] = []
    found = {FINDINGS[int(one[1])]: one for one in mentions(0, written, Boxes(own, typical), words=words)}
    edema = dict(zip(MENTION, found["Edema"], strict=True))
    assert edema["state"] == State.POSITIVE
    assert edema["inside"] == pytest.approx(0.8)
    assert (edema["box_share"], edema["no_place"]) == (0.25, 0.5)
    air = dict(zip(MENTION, found["Pneumothorax"], strict=True))
    assert air["state"] == State.NEGATIVE
    assert np.isnan(air["inside"])
    assert air["typical_inside"] == pytest.approx(0.25)
    assert {(one.word, one.state) for one in words} == {("pneumothorax", "negative"), ("edema", "positive")}


def test_examples_are_drawn_and_mostly_have_findings(sets: Path) -> None:
    test = read_sets(tiny_generation(sets), tell=lambda _: None)["test"]
    rows = example_rows(test, 8, np.random.default_rng(0))
    assert rows == tuple(sorted(set(rows)))
    assert len(rows) == 8
    assert len(example_rows(test, len(test), np.random.default_rng(0))) == len(test)


def test_unknown_findings_of_a_tienet_cost_nothing() -> None:
    logits = torch.tensor([[0.0, 9.0], [0.0, 0.0]])
    targets = torch.tensor([[1, -1], [-1, -1]], dtype=torch.int8)
    assert finding_losses(logits, targets).tolist() == pytest.approx([np.log(2), 0.0])
