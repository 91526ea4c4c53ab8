from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_training import FINDINGS, tiny_config, write_csv, write_files, write_soft

from hilum.core.errors import InputError
from hilum.core.matrix import LEFT_OUT
from hilum.core.vocabulary import State
from hilum.models.encoder_spec import chexbert_spec
from hilum.train._start import spec_of
from hilum.train.augmentation import add_paraphrases
from hilum.train.batches import encode_texts, epoch_batches, padded
from hilum.train.config import LabelerTraining
from hilum.train.data import TrainingRows, data_digests, digest, read_rows, section_text
from hilum.train.losses import IGNORED

HEADER = ["id", "text", *FINDINGS]


def rows_of(config: LabelerTraining) -> list[TrainingRows]:
    return read_rows(config, spec_of(config))


def one_file(
    tmp_path: Path, rows: list[list[object]], *, header: list[str] | None = None, **choices: object
) -> LabelerTraining:
    path = write_csv(tmp_path / "both.csv", header or HEADER, rows)
    return tiny_config(tmp_path, reports=path, labels=path, **choices)


def test_two_files_are_joined_by_key(tmp_path: Path) -> None:
    [rows] = rows_of(tiny_config(tmp_path))
    assert len(rows) == 60
    for text, states in zip(rows.texts, rows.targets_NF, strict=True):
        for finding, state in zip(FINDINGS, states, strict=True):
            said = {State.POSITIVE: "There is {}", State.NEGATIVE: "No {}", State.UNCERTAIN: "Possible {}"}
            wanted = said.get(State(state), "").format(finding.lower())
            assert wanted in text if state != State.BLANK else finding.lower() not in text
    assert "60 reports were joined with labels by 'id'" in rows.notes


def test_one_file_is_joined_row_by_row(tmp_path: Path) -> None:
    both = one_file(
        tmp_path, [["", "Edema.", 1, "", ""], ["", "No edema.", 0, "", 1]], header=["x", *HEADER[1:]]
    )
    [rows] = rows_of(both)
    assert rows.texts == ("Edema.", "No edema.")
    assert rows.targets_NF.tolist() == [[1, 0, 0], [2, 0, 1]]


def test_the_key_that_both_have_is_taken(tmp_path: Path) -> None:
    reports = write_csv(
        tmp_path / "a.csv", ["study_id", "uid", "text"], [["s1", "u1", "Edema."], ["s2", "u2", "No."]]
    )
    labels = write_csv(tmp_path / "b.csv", ["uid", *FINDINGS], [["u2", 0, "", ""], ["u1", 1, "", ""]])
    [rows] = rows_of(tiny_config(tmp_path, reports=reports, labels=labels))
    assert rows.targets_NF[:, 0].tolist() == [1, 2]
    turned = write_csv(
        tmp_path / "c.csv", ["study_id", "uid", *FINDINGS], [["s1", "u2", 0, "", ""], ["s2", "u1", 1, "", ""]]
    )
    only_uid = write_csv(tmp_path / "d.csv", ["uid", "text"], [["u1", "Edema."], ["u2", "No."]])
    [rows] = rows_of(tiny_config(tmp_path, reports=only_uid, labels=turned))
    assert rows.targets_NF[:, 0].tolist() == [1, 2]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    reports = write_csv(
        tmp_path / "a.csv",
        ["id", "text"],
        [["1", "Edema."], ["2", "  "], ["3", "FINDINGS: Clear."], ["4", "No."]],
    )
    labels = write_csv(
        tmp_path / "b.csv",
        ["id", *FINDINGS],
        [["1", 1, "", ""], ["2", 1, "", ""], ["3", "", 1, ""], ["9", 1, "", ""]],
    )
    [rows] = rows_of(tiny_config(tmp_path, reports=reports, labels=labels, section="findings"))
    assert rows.texts == ("Clear.",)
    told = " / ".join(rows.notes)
    assert "1 reports have no labels and were left out" in told
    assert "1 rows of labels have no report and were left out" in told
    assert "1 reports without text were left out" in told
    assert "1 reports with nothing in the section 'findings' were left out" in told
    assert "Edema, Pneumonia, Pleural Effusion: all labels are the same" in told


HEADS = ("states", "presence")


@pytest.mark.parametrize("heads", HEADS)
def test_what_a_labeler_gave_no_label_is_not_learned_as_blank(tmp_path: Path, heads: str) -> None:
    rows: list[list[object]] = [
        ["a", "Edema.", 1, "", "", "Pneumonia", "labeled"],
        ["b", "Perhaps.", "", "", "", "", "failed"],
        ["c", "No edema.", 0, "", 1, "", "labeled"],
    ]
    config = one_file(tmp_path, rows, header=[*HEADER, "abstained", "status"], heads=heads)
    [found] = rows_of(config)
    assert found.texts == ("Edema.", "No edema.")
    assert found.targets_NF[0, 1] == IGNORED
    assert (found.targets_NF == IGNORED).sum() == 1
    assert found.states_NF is not None
    assert found.states_NF[0, 1] == LEFT_OUT
    assert (found.states_NF == LEFT_OUT).sum() == 1
    assert "1 report has no label (status, abstained) and was left out" in found.notes
    assert "1 label was too doubtful to be given (column abstained) and not learned" in found.notes


def test_a_file_without_rows_is_told_as_such(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    write_csv(config.reports, ["id", "text"], [])
    with pytest.raises(InputError, match="has no reports"):
        rows_of(config)


def test_repeated_keys_must_agree(tmp_path: Path) -> None:
    reports = write_csv(tmp_path / "a.csv", ["id", "text"], [["1", "Edema."], ["1", "Edema."], ["2", "No."]])
    labels = write_csv(tmp_path / "b.csv", ["id", *FINDINGS], [["1", 1, "", ""], ["2", 0, "", ""]])
    assert len(rows_of(tiny_config(tmp_path, reports=reports, labels=labels))[0]) == 2
    bad = write_csv(
        tmp_path / "c.csv", ["id", *FINDINGS], [["1", 1, "", ""], ["2", 0, "", ""], ["1", 0, "", ""]]
    )
    with pytest.raises(InputError, match=r"the key '1' stands in rows 1 and 3, which are not the same"):
        rows_of(tiny_config(tmp_path, reports=reports, labels=bad))


def test_files_that_cannot_be_joined(tmp_path: Path) -> None:
    reports = write_csv(tmp_path / "a.csv", ["id", "text"], [["1", "Edema."], ["2", "No."]])
    other = write_csv(tmp_path / "b.csv", ["id", *FINDINGS], [["x1", 1, "", ""], ["x2", 0, "", ""]])
    with pytest.raises(InputError, match=r"No key of .*'1', '2'.* is in .*'x1', 'x2'.*--key COLUMN"):
        rows_of(tiny_config(tmp_path, reports=reports, labels=other))
    keyless = write_csv(tmp_path / "c.csv", [*FINDINGS, "remark"], [[1, "", "", "z"]])
    with pytest.raises(InputError, match=r"c\.csv has no key column.*one file that holds both"):
        rows_of(tiny_config(tmp_path, reports=reports, labels=keyless))


def test_a_missing_finding_is_an_error_unless_it_is_left_out(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, findings=())
    with pytest.raises(InputError, match=r"no column for .*Fracture.*--findings A,B"):
        rows_of(config)
    assert rows_of(replace(config, findings=("edema",)))[0].targets_NF.shape == (60, 1)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every label is blank"):
        rows_of(one_file(tmp_path, [["1", "Edema.", "", "", ""]]))
    with pytest.raises(InputError, match=r"none has a text to learn from.*--section"):
        rows_of(one_file(tmp_path, [["1", " ", 1, "", ""]]))


def test_presence_heads_follow_the_policy(tmp_path: Path) -> None:
    rows = [["1", "a b.", 1, 0, -1], ["2", "c d.", "", -1, 1]]
    for policy, wanted in (
        ("uncertain-to-zero", [[1, 0, 0], [0, 0, 1]]),
        ("uncertain-to-one", [[1, 0, 1], [0, 1, 1]]),
        ("uncertain-ignored", [[1, 0, IGNORED], [0, IGNORED, 1]]),
    ):
        config = one_file(tmp_path, rows, heads="presence", policy=policy)
        assert spec_of(config).sizes == (2, 2, 2)
        assert rows_of(config)[0].targets_NF.tolist() == wanted


def test_the_finding_that_means_none_is_positive_or_not(tmp_path: Path) -> None:
    names = [*chexbert_spec().findings]
    path = write_csv(
        tmp_path / "x.csv", ["id", "text", *names], [["1", "a", *[-1] * 14], ["2", "b", *[1] * 14]]
    )
    config = tiny_config(tmp_path, name="chexbert", reports=path, labels=path, findings=())
    assert spec_of(config).findings == tuple(names)
    [rows] = rows_of(config)
    assert rows.targets_NF[0].tolist() == [3] * 13 + [0]
    assert rows.targets_NF[1].tolist() == [1] * 14


def test_soft_labels_are_probabilities(tmp_path: Path) -> None:
    soft = write_soft(tmp_path)
    [rows] = rows_of(tiny_config(tmp_path, name="visualchexbert", soft_labels=soft))
    assert rows.targets_NF.dtype == np.float32
    assert set(rows.targets_NF.ravel().tolist()) == {np.float32(v).item() for v in (0.9, 0.1, 0.5, 0.2)}
    bad = write_csv(tmp_path / "bad.csv", ["id", *FINDINGS], [["r0-0", 0.5, 1.5, 0.1]])
    with pytest.raises(InputError, match=r"1\.5"):
        rows_of(tiny_config(tmp_path, name="visualchexbert", soft_labels=bad))


def test_groups_come_from_the_reports(tmp_path: Path) -> None:
    rows = [["1", "a.", 1, 0, 1, "p1"], ["2", "b.", 0, 1, 0, "p2"]]
    config = one_file(tmp_path, rows, header=[*HEADER, "person"], group="person")
    assert rows_of(config)[0].groups == ("p1", "p2")
    with pytest.raises(InputError, match="no column 'whose'"):
        rows_of(replace(config, group="whose"))


def test_sections_as_labeling_takes_them() -> None:
    text = "FINDINGS: Edema.\nIMPRESSION: Clear."
    assert section_text(text, "impression") == "Clear."
    assert section_text(text, "both") == "Edema.\nClear."
    assert section_text("Clear.", "impression") == ""
    assert section_text("Clear.", "impression", headless_as="impression") == "Clear."


def test_batches_hold_every_row_once() -> None:
    lengths = [int(n) for n in np.random.default_rng(0).integers(3, 60, 500)]
    made = {
        b: epoch_batches(lengths, batch_size=18, bucketed=b, seed=1, names=("x", 0)) for b in (True, False)
    }
    for batches in made.values():
        assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    spread = {b: np.mean([np.ptp([lengths[i] for i in one]) for one in some]) for b, some in made.items()}
    assert spread[True] < 10
    assert spread[False] > 40
    again = epoch_batches(lengths, batch_size=18, bucketed=True, seed=1, names=("x", 0))
    other = epoch_batches(lengths, batch_size=18, bucketed=True, seed=1, names=("x", 1))
    assert [b.tolist() for b in again] == [b.tolist() for b in made[True]] != [b.tolist() for b in other]


def test_long_texts_are_cut_and_keep_their_last_token() -> None:
    class Tokenizer:
        def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[2, *map(len, t.split()), 3] for t in texts]}

    ids, cut = encode_texts(Tokenizer(), ["a bb ccc dddd", "a"], max_tokens=4)
    assert [one.tolist() for one in ids] == [[2, 1, 2, 3], [2, 1, 3]]
    assert cut == 1
    values, mask = padded(ids, pad=9)
    assert values.tolist() == [[2, 1, 2, 3], [2, 1, 3, 9]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_paraphrases_never_reach_the_other_side() -> None:
    rows = TrainingRows(
        "labels", ("one", "two"), np.array([[1], [2]]), np.array([[1], [2]], np.int8), ("p", "q")
    )
    whole, notes = add_paraphrases(
        rows, [["Eins", "DEV  text", "one"], ["Zwei\n x", "eins"]], forbidden=["dev text"]
    )
    assert whole.texts == ("one", "two", "Eins", "Zwei x")
    assert whole.targets_NF.tolist() == [[1], [2], [1], [2]]
    assert whole.groups == ("p", "q", "p", "q")
    assert notes == [
        "2 paraphrases were added to 2 training rows",
        "1 paraphrases were the same as a text put aside for choosing and left out",
        "2 paraphrases were repeated and left out",
    ]


def test_a_folder_has_a_digest(tmp_path: Path) -> None:
    write_files(tmp_path, n=3)
    first = digest(tmp_path)
    (tmp_path / "reports0.csv").write_text("id,text\n", encoding="utf-8")
    assert digest(tmp_path) != first
    assert set(data_digests(tiny_config(tmp_path))) == {"reports", "labels"}
