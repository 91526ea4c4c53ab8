"""The neural labelers, with weights that are invented and an engine that is written out by hand."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hilum
from hilum.core.errors import InputError, UnknownNameError
from hilum.core.records import RowStatus, Section
from hilum.core.vocabulary import State
from hilum.labelers import ModelLabels, ReportSpans, get_labeler, labeler_options, traits_of
from hilum.labelers._decide import Decider, choose_mapping
from hilum.labelers._engine import Read
from hilum.models.encoder_spec import LogReg, chexbert_spec, visualchexbert_spec

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

SPEC = chexbert_spec()
EDEMA, NONE = SPEC.findings.index("Edema"), SPEC.findings.index("No Finding")


def window(spec: Any = SPEC, **logits: Any) -> np.ndarray:
    """Logits [C] that are zero but for some heads; `Pleural_Effusion=[...]`."""
    row = np.zeros(spec.outputs, dtype=np.float32)
    for name, values in logits.items():
        row[spec.columns[spec.findings.index(name.replace("_", " "))]] = values
    return row


class ByHand:
    """An engine that knows words: each gives its logits to the head of that name."""

    digest, precision = "d" * 64, "float32"

    def __init__(self, spec: Any = SPEC, **words: tuple[str, list[float]]) -> None:
        self.spec, self.words, self.seen = spec, words, []

    def logits(self, texts: list[str]) -> list[Read]:
        self.seen += texts
        return [self.read(text) for text in texts]

    def read(self, text: str) -> Read:
        rows = np.zeros((1 + text.count("|"), self.spec.outputs), dtype=np.float32)
        for row, piece in zip(rows, text.split("|"), strict=True):
            for word, (finding, values) in self.words.items():
                if word in piece:
                    row[self.spec.columns[self.spec.findings.index(finding)]] += values
        return Read(rows, cut="[cut]" in text)


def labeler(name: str = "chexbert", engine: Any = None, **options: Any) -> Any:
    engine = engine or ByHand(edema=("Edema", [0, 4, 0, 0]), maybe=("Edema", [0, 0, 0, 6]))
    return get_labeler(name, weights=engine, **options)


def decide(
    windows: list[np.ndarray], spec: Any = SPEC, *, mapping: str | None = None, temperatures: Any = None
) -> Any:
    chosen = choose_mapping(spec, mapping)[0]
    return Decider(spec, temperatures or (1.0,) * len(spec.heads), chosen).answers([np.stack(windows)])


# logits to states


@pytest.mark.parametrize("state", list(State))
def test_a_head_of_four_gives_the_state_of_its_likeliest_class(state: State) -> None:
    logits = [0.0] * 4
    logits[state] = 2.0
    answers = decide([window(Edema=logits)])
    assert answers.states_NF[0, EDEMA] == state
    powers = np.exp(logits) / np.exp(logits).sum()
    assert answers.positive_NF[0, EDEMA] == pytest.approx(powers[State.POSITIVE])
    assert answers.chosen_NF[0, EDEMA] == pytest.approx(powers[state])


def test_a_head_of_two_is_blank_or_positive() -> None:
    said = [decide([window(No_Finding=logits)]).states_NF[0, NONE] for logits in ([3, 1], [1, 3])]
    assert said == [State.BLANK, State.POSITIVE]


def test_windows_are_combined_by_precedence_and_max() -> None:
    rows = [window(Edema=values) for values in ([0, 0, 9, 0], [0, 0, 0, 5], [9, 0, 0, 0])]
    answers = decide(rows)
    assert answers.states_NF[0, EDEMA] == State.UNCERTAIN
    alone = [decide([row]) for row in rows]
    assert answers.positive_NF[0, EDEMA] == max(one.positive_NF[0, EDEMA] for one in alone)
    assert answers.chosen_NF[0, EDEMA] == alone[1].chosen_NF[0, EDEMA]


def test_no_finding_is_positive_only_when_all_windows_say_so() -> None:
    yes, no = window(No_Finding=[0, 3]), window(No_Finding=[1, 0])
    assert decide([yes, yes]).states_NF[0, NONE] == State.POSITIVE
    both = decide([yes, no])
    assert both.states_NF[0, NONE] == State.BLANK
    assert both.positive_NF[0, NONE] == decide([no]).positive_NF[0, NONE]


def test_no_texts_give_no_answers() -> None:
    assert Decider(SPEC, (1.0,) * 14, "").answers([]).states_NF.shape == (0, 14)


def test_a_temperature_changes_probabilities_and_no_state() -> None:
    plain, warm = (decide([window(Edema=[0, 2, 1, 0])], temperatures=(t,) * 14) for t in (1.0, 5.0))
    assert plain.states_NF.tolist() == warm.states_NF.tolist()
    assert plain.positive_NF[0, EDEMA] > warm.positive_NF[0, EDEMA] > 0.25


# image labels


def test_image_labels_are_one_or_zero_and_never_blank() -> None:
    spec = visualchexbert_spec()
    answers = decide([window(spec, Edema=[0.1])], spec)
    assert answers.states_NF[0, spec.findings.index("Edema")] == State.POSITIVE
    low = decide([np.full(14, -1.0)], spec)
    assert set(low.states_NF[0].tolist()) == {State.NEGATIVE}
    assert low.chosen_NF[0] == pytest.approx(1 - 1 / (1 + np.exp(1.0)))


def test_thresholds_decide_from_their_value_on() -> None:
    spec = replace(visualchexbert_spec(), thresholds={"Edema": 0.2, "Fracture": 0.9})
    answers = decide([window(spec, Edema=[-1.0], Fracture=[2.0])], spec)
    said = dict(zip(spec.findings, answers.states_NF[0].tolist(), strict=True))
    assert said["Edema"] == State.POSITIVE
    assert said["Fracture"] == State.NEGATIVE
    assert said["Pneumonia"] == State.POSITIVE  # 0.5 is at its threshold
    assert "no thresholds for Enlarged Cardiomediastinum" in choose_mapping(spec, None)[1][0]


def test_logreg_reads_all_probabilities_and_goes_first() -> None:
    rng = np.random.default_rng(3)
    findings = visualchexbert_spec().findings
    logreg = LogReg(findings, ("Edema",), (tuple(rng.normal(0, 3, 14).tolist()),), (-0.4,))
    spec = replace(visualchexbert_spec(), thresholds={"Edema": 0.0}, logreg=logreg)
    for row in rng.normal(0, 2, (30, 14)):
        answers = decide([row], spec)
        odds = np.dot(logreg.coefficients[0], 1 / (1 + np.exp(-row))) - 0.4
        place = findings.index("Edema")
        assert answers.states_NF[0, place] == (State.POSITIVE if odds > 0 else State.NEGATIVE)
        assert answers.chosen_NF[0, place] == pytest.approx(1 / (1 + np.exp(-abs(odds))))
        assert answers.positive_NF[0, place] == pytest.approx(1 / (1 + np.exp(-row[place])))
        assert decide([row], spec, mapping="thresholds").states_NF[0, place] == State.POSITIVE


def test_a_mapping_that_is_not_there_is_told() -> None:
    spec = visualchexbert_spec()
    with pytest.raises(InputError, match=r"have no logreg .* they have: half"):
        choose_mapping(spec, "logreg")
    with pytest.raises(UnknownNameError, match="Did you mean 'logreg'"):
        choose_mapping(spec, "logrek")
    with pytest.raises(InputError, match="these weights are of chexbert"):
        choose_mapping(SPEC, "half")
    assert choose_mapping(spec, "half") == ("half", ())
    assert "neither thresholds nor logreg" in choose_mapping(spec, None)[1][0]


def test_the_stamp_and_a_note_say_that_labels_are_of_the_image() -> None:
    made = labeler("visualchexbert", ByHand(visualchexbert_spec()))
    assert made.stamp["labels_of"] == "the image: 1, 0"
    assert made.stamp["mapping"] == "half"
    assert "never blank or uncertain" in traits_of(made).notes[0]
    [labels] = made.label_batch([ReportSpans("clear")])
    assert set(labels.states) <= {State.POSITIVE, State.NEGATIVE}


# reports to labels


def test_states_probabilities_and_order_are_those_of_the_vocabulary() -> None:
    made = labeler()
    [labels, other] = made.label_batch([ReportSpans("Some edema."), ReportSpans("Fine.")])
    assert labels["Edema"] is State.POSITIVE
    assert labels.probabilities[made.vocabulary.index("Edema")] == pytest.approx(np.exp(4) / (np.exp(4) + 3))
    assert other.probabilities[made.vocabulary.index("Edema")] == pytest.approx(0.25)
    assert made.vocabulary.names != SPEC.findings  # so that matching by place would be seen


def test_only_the_chosen_sections_are_read_folded_into_one_line() -> None:
    engine = ByHand()
    text = "FINDINGS: Edema.\n IMPRESSION: Heart\n  is  normal. ADDENDUM: None \ud800."
    spans = [Section(name, text.index(word), text.index(word) + size) for name, word, size in
             (("impression", "Heart", 19), ("addendum", "None", 7))]  # fmt: skip
    labeler(engine=engine).label_batch([ReportSpans(text, tuple(spans))])
    assert engine.seen == ["Heart is normal. None \ufffd."]


def test_the_text_mode_of_the_weights_can_be_changed() -> None:
    engine = ByHand()
    labeler(engine=engine, text_mode="chexbert-list").label_batch([ReportSpans("2.5 cm")])
    assert engine.seen == ["5 cm"]
    with pytest.raises(UnknownNameError, match="chexbert-list"):
        labeler(text_mode="chexbert")


def test_empty_reports_are_blank_and_never_read() -> None:
    engine = ByHand()
    found = labeler(engine=engine).label_batch([ReportSpans(text) for text in ("", " \n", "\u00a0", "edema")])
    assert [one.status for one in found] == [*[RowStatus.EMPTY] * 3, RowStatus.LABELED]
    assert set(found[0].states) == {State.BLANK}
    assert found[0].probabilities is None
    assert engine.seen == ["edema"]
    assert labeler().label_batch([]) == []


def test_windows_and_cuts_are_told() -> None:
    one, two, three = labeler().label_batch([ReportSpans(text) for text in ("edema", "a|edema", "a [cut]")])
    assert isinstance(one, ModelLabels)
    assert [x.windows for x in (one, two, three)] == [1, 2, 1]
    assert [x.cut for x in (one, two, three)] == [False, False, True]
    assert two["Edema"] is State.POSITIVE


def test_a_doubtful_label_is_left_empty_and_named() -> None:
    sure = np.exp(4) / (np.exp(4) + 3)
    [kept] = labeler(abstain_below=sure - 1e-6).label_batch([ReportSpans("edema")])
    assert kept["Edema"] is State.POSITIVE
    assert "Edema" not in kept.abstained
    assert "Fracture" in kept.abstained  # all classes are as likely
    [left] = labeler(abstain_below=0.99).label_batch([ReportSpans("edema")])
    assert left["Edema"] is State.BLANK
    assert "Edema" in left.abstained
    assert left.probabilities == kept.probabilities
    [plain] = labeler().label_batch([ReportSpans("edema")])
    assert plain.abstained == ()
    with pytest.raises(InputError, match="from 0 to 1; got 7"):
        labeler(abstain_below=7)


def test_findings_without_a_head_stay_blank_and_that_is_told() -> None:
    spec = replace(SPEC, heads=SPEC.heads[:5])
    made = labeler(engine=ByHand(spec, edema=("Edema", [0, 9, 0, 0])))
    [labels] = made.label_batch([ReportSpans("edema")])
    assert labels["Edema"] is State.POSITIVE
    assert np.isnan(labels.probabilities[made.vocabulary.index("Fracture")])
    assert any("no head for No Finding, Consolidation" in note for note in traits_of(made).notes)


# options


def test_without_weights_the_error_says_where_they_come_from() -> None:
    for name in ("chexbert", "visualchexbert"):
        with pytest.raises(InputError, match=r"needs weights.*--weights DIR.*hilum convert"):
            get_labeler(name)


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(InputError, match=r"kind 'visualchexbert'.*Next step: --labeler visualchexbert"):
        labeler("chexbert", ByHand(visualchexbert_spec()))


def test_a_checkpoint_and_a_missing_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "chexbert.pth").write_bytes(b"x")
    with pytest.raises(InputError, match=r"hilum convert .*chexbert.pth"):
        get_labeler("chexbert", weights=tmp_path / "chexbert.pth")
    with pytest.raises(InputError, match="There is no folder"):
        get_labeler("chexbert", weights=str(tmp_path / "none"))


def test_options_of_other_labelers_are_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'rules' does not take --weights; it takes vocabulary, convention"):
        labeler_options("rules", {"weights": "x", "vocabulary": None})
    with pytest.raises(InputError, match="'chexbert' does not take --convention"):
        labeler_options("chexbert", {"convention": "house"})
    assert labeler_options("rules", {"vocabulary": None}) == {}
    assert labeler_options("chexbert", {"weights": "x", "device": None}) == {"weights": "x"}
    with pytest.raises(InputError, match="does not take --weights"):
        hilum.label(["x"], weights="x")
    with pytest.raises(InputError, match="'chexbert' does not take --vocabulary; it takes weights, device"):
        get_labeler("chexbert", vocabulary="nih14")


def test_what_is_labeled_when_nothing_is_said() -> None:
    assert traits_of(get_labeler("rules")).section == "both"
    engine = ByHand()
    made = labeler(engine=engine)
    assert traits_of(made).section == "impression"
    table = hilum.label(["FINDINGS: a. IMPRESSION: b.", "no headings", "FINDINGS: a."], labeler=made)
    assert engine.seen == ["b.", "no headings"]
    assert [one.status.value for one in table] == ["labeled", "labeled", "no such section"]
    assert np.isnan(table.probabilities[2]).all()
    expected = [0.5 if name == made.vocabulary.no_finding else 0.25 for name in made.vocabulary.names]
    assert table.probabilities[:2] == pytest.approx(np.array([expected, expected]))


# engines


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_report_encoder import tiny_loaded

    from hilum.models.encoder_spec import spec_for
    from hilum.models.onnx_model import export_onnx

    folder = tmp_path_factory.mktemp("exported")
    export_onnx(tiny_loaded(folder, spec_for("chexpert14")))
    return folder


def test_the_small_model_runs_on_onnx_where_it_is_and_needs_no_torch_then(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = get_labeler("mini", weights=exported, precision="float32", threads=1)
    small = get_labeler("mini", weights=exported, threads=1)
    assert [plain.stamp["precision"], small.stamp["precision"]] == ["float32", "int8"]
    assert plain.stamp["weights_sha256"] != small.stamp["weights_sha256"]
    reports = [ReportSpans("Mild edema, possible pneumonia."), ReportSpans("No effusion. " * 40)]
    one, two = plain.label_batch(reports), small.label_batch(reports)
    assert [x.windows for x in one] == [x.windows for x in two]
    assert np.array([x.probabilities for x in one]) == pytest.approx(
        np.array([x.probabilities for x in two]), abs=0.2
    )
    for name in ("model.int8.onnx", "hilum_encoder.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    monkeypatch.setattr("hilum.labelers._engine.find_spec", lambda _name: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    alone = get_labeler("mini", weights=tmp_path, threads=1)
    assert alone.label_batch(reports) == two
    with pytest.raises(InputError, match="--device cpu"):
        get_labeler("mini", weights=tmp_path, device="cuda")


def test_int8_of_other_labelers_is_the_exported_model_if_there_is_one(tmp_path: Path) -> None:
    from tiny_report_encoder import tiny_loaded

    from hilum.models.onnx_model import FILES, export_onnx

    loaded = tiny_loaded(tmp_path)
    by_torch = get_labeler("chexbert", weights=tmp_path, precision="int8", threads=1)
    assert by_torch.stamp["weights_sha256"] == loaded.digest
    export_onnx(loaded)
    by_onnx = get_labeler("chexbert", weights=tmp_path, precision="int8", threads=1)
    assert by_onnx.stamp["weights_sha256"] != loaded.digest
    assert get_labeler("chexbert", weights=tmp_path, threads=1).stamp["precision"] == "float32"
    (tmp_path / FILES["int8"]).unlink()
    assert get_labeler("chexbert", weights=loaded, precision="bfloat16").stamp["precision"] == "bfloat16"


def test_the_weights_that_ship_are_missing_until_they_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("hilum.labelers.mini.SHIPPED_WEIGHTS", tmp_path / "none")
    with pytest.raises(InputError, match=r"No weights come with the package yet.*--weights DIR"):
        get_labeler("mini")
