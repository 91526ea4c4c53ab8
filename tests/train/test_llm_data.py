"""Instructions from reports and labels, and what of them is learned."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_llm import three_findings, tiny_llm
from tiny_training import FINDINGS, invented, write_csv, write_files

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.rng import rng_for
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers._prompt import load_prompt
from hilum.models.answer_lines import prompt_ids
from hilum.train._llm_trainer import Collator, mask_of_lines, positions_of_lines
from hilum.train.byte_pairs import CHATML, SPECIAL, byte_pairs, count_chunks, write_chat_tokenizer
from hilum.train.llm import sides_of, write_instructions
from hilum.train.llm_config import Lora
from hilum.train.llm_data import chosen_lines, encode_rows, read_instructions, write_instances
from hilum.train.losses import IGNORED

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_language_model import chatml_tokenizer

PROMPT = load_prompt("brief")
BY_CODE = {1: State.POSITIVE, 0: State.NEGATIVE, -1: State.UNCERTAIN, None: State.BLANK}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return chatml_tokenizer()


def test_rows_have_the_text_and_states_of_the_files(tmp_path: Path) -> None:
    rows = read_instructions(tiny_llm(tmp_path))
    wanted = {i: (text, codes) for i, text, codes in invented(50)}
    assert len(rows) == 50
    assert rows.vocabulary.names == FINDINGS
    for place, key in enumerate(rows.ids):
        text, codes = wanted[key]
        assert rows.texts[place] == text
        assert tuple(rows.states_NF[place]) == tuple(BY_CODE[code] for code in codes)


def test_only_words_of_states_and_ends_of_lines_are_learned(tmp_path: Path, tokenizer: Any) -> None:
    rows = read_instructions(tiny_llm(tmp_path)).take(range(5))
    encoded = encode_rows(rows, PROMPT, tokenizer, seed=0, max_tokens=None)
    collator = Collator(pad=tokenizer.pad_token_id, alone=False)
    made = collator(
        [{"input_ids": row.ids, "labels": row.labels, "lines": row.lines} for row in encoded.rows]
    )
    for place in range(5):
        question = PROMPT.question(rows.texts[place], rows.vocabulary)
        before = prompt_ids(tokenizer, question.messages)
        ids, labels = made["input_ids"][place], made["labels"][place]
        assert tuple(ids[: len(before)].tolist()) == before
        assert (labels[: len(before)] == IGNORED).all()
        learned = labels != IGNORED
        assert torch.equal(labels[learned], ids[learned])
        order = rng_for(0, "order", rows.ids[place]).permutation(3)
        words = [PROMPT.words[rows.states_NF[place, f]] for f in order]
        assert tokenizer.decode(labels[learned]) == "".join(f" {word}\n" for word in words)
        seen = made["attention_mask"][place].bool()
        said = tokenizer.decode(ids[seen][len(before) :])
        lines = [f"{FINDINGS[f]}: {word}\n" for f, word in zip(order, words, strict=True)]
        assert said == "".join(lines)
        assert (labels[~seen] == IGNORED).all()


def test_every_finding_comes_first_in_some_row(tmp_path: Path) -> None:
    instances = tmp_path / "out.jsonl"
    rows = read_instructions(tiny_llm(tmp_path))
    write_instances(instances, rows, PROMPT, seed=0)
    lines = [json.loads(line) for line in instances.read_text(encoding="utf-8").splitlines()]
    first = {one["completion"][0]["content"].split(":")[0] for one in lines}
    assert first == set(FINDINGS)
    assert set(lines[0]) == {"id", "prompt", "completion", "labels"}
    assert rows.texts[0] in lines[0]["prompt"][-1]["content"]
    assert set(lines[0]["labels"].values()) <= {"positive", "negative", "uncertain", "blank"}


def test_instances_leave_out_what_is_put_aside(tmp_path: Path) -> None:
    config = tiny_llm(tmp_path)
    told: list[str] = []
    n = write_instructions(config, tmp_path / "a.jsonl", tell=told.append)
    train, dev = sides_of(read_instructions(config), config)
    assert n == len(train) == len((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    assert any(f"{len(dev)} reports are put aside" in line for line in told)
    write_instructions(config, tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_what_has_no_label_is_not_asked_for(tmp_path: Path, tokenizer: Any) -> None:
    header = ["id", "text", *FINDINGS, "abstained", "status"]
    path = write_csv(
        tmp_path / "both.csv",
        header,
        [
            ["a", "Edema.", 1, "", "", f"{FINDINGS[1]}; {FINDINGS[2]}", "labeled"],
            ["b", "Perhaps.", "", "", "", "", "failed"],
            ["c", "No edema.", 0, "", 1, "", "labeled"],
        ],
    )
    config = replace(tiny_llm(tmp_path, labels=path), reports=path, dev_share=0.0, keep="last")
    rows = read_instructions(config)
    assert rows.ids == ("a", "c")
    assert "1 report has no label (status, abstained) and was left out" in rows.notes
    assert "2 labels were too doubtful to be given (column abstained) and not learned" in rows.notes
    assert [name for _, _, name, _ in chosen_lines(rows, 0, PROMPT, seed=0)] == [FINDINGS[0]]
    first, second = encode_rows(rows, PROMPT, tokenizer, seed=0, max_tokens=None).rows
    assert (max(first.lines), max(second.lines)) == (1, 3)
    write_instances(tmp_path / "a.jsonl", rows, PROMPT, seed=0)
    [one, _] = (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(one)["labels"] == {FINDINGS[0]: "positive"}


def test_a_row_that_is_too_long_is_left_out_whole(tmp_path: Path, tokenizer: Any) -> None:
    rows = read_instructions(tiny_llm(tmp_path))
    every = encode_rows(rows, PROMPT, tokenizer, seed=0, max_tokens=None)
    lengths = [len(row.ids) for row in every.rows]
    limit = int(np.median(lengths))
    some = encode_rows(rows, PROMPT, tokenizer, seed=0, max_tokens=limit)
    assert some.too_long == sum(n > limit for n in lengths) > 0
    assert [row.ids.tolist() for row in some.rows] == [
        row.ids.tolist() for row in every.rows if len(row.ids) <= limit
    ]
    assert some.places == [i for i, n in enumerate(lengths) if n <= limit]


def test_lines_that_stand_alone_see_the_prompt_and_themselves() -> None:
    line_BT = np.array([[0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 1, 2, -1, -1]])
    seen = mask_of_lines(line_BT)
    assert seen.shape == (2, 1, 7, 7)
    assert np.flatnonzero(seen[0, 0, 5]).tolist() == [0, 1, 4, 5]
    assert np.flatnonzero(seen[1, 0, 4]).tolist() == [0, 1, 2, 4]
    assert seen[:, 0].any(axis=2).all()
    assert positions_of_lines(line_BT).tolist() == [[0, 1, 2, 3, 2, 3, 4], [0, 1, 2, 3, 3, 0, 0]]


def test_pieces_are_the_same_every_time_and_give_texts_back(tmp_path: Path) -> None:
    texts = [text for _, text, _ in invented(40)] + ["Größe 3\xa0cm\n\tüber 🫁"]
    pieces, merges = byte_pairs(count_chunks(texts), size=330)
    assert byte_pairs(count_chunks(reversed(texts)), size=330) == (pieces, merges)
    assert len(pieces) == len(set(pieces)) == 330
    assert tuple(pieces[:3]) == SPECIAL
    write_chat_tokenizer(tmp_path, pieces, merges, max_tokens=64)
    import transformers

    read: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert read.chat_template == CHATML
    assert (read.pad_token_id, read.eos_token_id) == (0, 2)
    for text in texts:
        assert read.decode(read(text)["input_ids"]) == text
    turns = [{"role": "user", "content": "a"}]
    ids = read.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert read.decode(ids) == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"


def test_pieces_agree_with_the_trainer_of_tokenizers_where_no_pair_ties() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    text = "abababab abab ab abc abc bcbcbcbcbcbc zzzzz"
    other: Any = Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(SPECIAL) + 256 + 2, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )  # fmt: skip
    other.train_from_iterator([text], trainer)
    pieces, _ = byte_pairs(count_chunks([text]), size=len(SPECIAL) + 256 + 2)
    assert set(pieces) == set(other.get_vocab())


def test_a_vocabulary_without_room_for_bytes_is_refused() -> None:
    with pytest.raises(InputError, match="259 or more"):
        byte_pairs({"a": 1}, size=200)


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (["id", *FINDINGS[:2]], [("r0-0", 1, 0)], "no column for Pleural Effusion"),
        (["id", *FINDINGS], [(f"r0-{i}", 1, 1, 1) for i in range(9)], "every label .* is positive"),
        (["id", *FINDINGS], [("other", 1, 0, 1)], "No key of"),
        (["id", *FINDINGS], [("r0-0", 1, 0, 7)], "7"),
        (["id", "Gout"], [("r0-0", 1)], "Gout"),
    ],
)
def test_labels_that_cannot_be_learned_from(
    tmp_path: Path, header: list[str], rows: list[Any], said: str
) -> None:
    write_files(tmp_path)
    labels = write_csv(tmp_path / "bad.csv", header, rows)
    with pytest.raises(InputError, match=said):
        read_instructions(tiny_llm(tmp_path, labels=labels))


def test_files_without_reports(tmp_path: Path) -> None:
    _, labels = write_files(tmp_path)
    empty = write_csv(tmp_path / "empty.csv", ["id", "text"], [(f"r0-{i}", " ") for i in range(60)])
    with pytest.raises(InputError, match="none has a text"):
        read_instructions(tiny_llm(tmp_path, reports=empty, labels=labels))
    nothing = tmp_path / "nothing.csv"
    nothing.write_bytes(b"")
    with pytest.raises(InputError):
        read_instructions(tiny_llm(tmp_path, reports=nothing, labels=labels))


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = [(i, "" if place < 4 else text) for place, (i, text, _) in enumerate(invented(60))]
    reports = write_csv(tmp_path / "some.csv", ["id", "text"], [*rows, ("unlabeled", "No edema.")])
    _, labels = write_files(tmp_path)
    found = read_instructions(tiny_llm(tmp_path, reports=reports, labels=labels))
    assert len(found) == 56
    assert "4 reports without text were left out" in found.notes
    assert "1 reports have no labels and were left out" in found.notes


def test_choices_that_contradict_each_other(tmp_path: Path) -> None:
    for choices, said in (
        ({"labels": None}, "--labels FILE"),
        ({"architecture": None}, "--model DIR"),
        ({"lora": Lora()}, "from scratch"),
        ({"merge": True}, "no adapter"),
        ({"batches": "packed", "answers": "alone"}, "by-length"),
        ({"keep": "best", "dev_share": 0.0}, "--keep last"),
        ({"learning_rate": float("nan")}, "above 0"),
    ):
        with pytest.raises(InputError, match=said):
            tiny_llm(tmp_path, **choices)
    with pytest.raises(UnknownNameError):
        tiny_llm(tmp_path, batches="by-lenght")
    with pytest.raises(UnknownNameError):
        read_instructions(tiny_llm(tmp_path, vocabulary="chexpert"))


def test_the_vocabulary_that_ships(tmp_path: Path) -> None:
    codes = [(f"k{i}", *[(1, 0, -1, "")[(i + f) % 4] for f in range(14)]) for i in range(8)]
    labels = write_csv(tmp_path / "l.csv", ["id", *CHEXPERT14.names], codes)
    reports = write_csv(tmp_path / "r.csv", ["id", "text"], [(f"k{i}", f"Invented {i}.") for i in range(8)])
    rows = read_instructions(tiny_llm(tmp_path, reports=reports, labels=labels, vocabulary="chexpert14"))
    assert rows.states_NF.shape == (8, 14)
    assert three_findings(tmp_path).endswith(".toml")
