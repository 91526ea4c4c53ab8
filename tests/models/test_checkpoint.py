from __future__ import annotations

import os
import pickle
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_report_encoder import REPORTS, tiny_model, tiny_tokenizer, tiny_words, write_original

from hilum.core.errors import InputError, OutputError
from hilum.models.checkpoint import convert_checkpoint, read_original
from hilum.models.report_encoder import chexbert_spec, load_encoder, spec_for, visualchexbert_spec


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def states() -> dict[str, torch.Tensor]:
    return dict(tiny_model(positions=512).state_dict())


def saved(path: Path, value: object) -> Path:
    torch.save(value, path)
    return path


# --- reading ---


@pytest.mark.parametrize("old", [True, False], ids=["torch 1.4", "zip"])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_the_public_format_is_read(tmp_path: Path, prefix: str, old: bool) -> None:
    model = write_original(tmp_path / "c.pth", prefix=prefix, old=old)
    tensors = read_original(tmp_path / "c.pth")
    assert set(tensors) == set(model.state_dict())
    assert all(torch.equal(tensors[name], tensor) for name, tensor in model.state_dict().items())


def test_a_bare_state_dict_is_read(tmp_path: Path, states: dict[str, torch.Tensor]) -> None:
    assert set(read_original(saved(tmp_path / "c.pth", OrderedDict(states)))) == set(states)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], "has no 'model_state_dict'"),
        ({}, "has no 'model_state_dict'"),
        ({"model_state_dict": {}}, "has no 'model_state_dict'"),
        ({"model_state_dict": {1: torch.zeros(1)}}, "has no 'model_state_dict'"),
        ({"epoch": 1, "state": {}}, "'epoch' is no tensor"),
        ({"module.a": torch.zeros(1), "b": torch.zeros(1)}, "others do not \\('b'\\)"),
    ],
)
def test_what_is_no_state_dict_is_told(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_original(saved(tmp_path / "c.pth", value))


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        read_original(tmp_path / "c.pth")
    with pytest.raises(InputError, match="a folder, not a file"):
        read_original(tmp_path)
    write_original(tmp_path / "c.pth")
    whole = (tmp_path / "c.pth").read_bytes()
    write_original(tmp_path / "c.pth", old=True)
    old = (tmp_path / "c.pth").read_bytes()
    for content in (
        b"",
        b"hello",
        b"PK\x03\x04",
        whole[: len(whole) // 2],
        old[: len(old) // 2],
        b"\x80\x02.",
    ):
        (tmp_path / "c.pth").write_bytes(content)
        with pytest.raises(InputError, match=r"c\.pth (is no checkpoint|was not loaded)"):
            read_original(tmp_path / "c.pth")


class Bomb:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("old", [True, False], ids=["torch 1.4", "zip"])
@pytest.mark.parametrize("bomb", [Bomb(os.system, "touch ran"), Bomb(exec, "open('ran', 'w').close()")])
@pytest.mark.parametrize(
    "place", [lambda b: b, lambda b: {"model_state_dict": {"a": b}}, lambda b: {"x": [b]}]
)
def test_a_checkpoint_that_calls_something_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: Bomb, place: Any, old: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(place(bomb), tmp_path / "c.pth", _use_new_zipfile_serialization=not old)
    with pytest.raises(InputError, match=r"asks for (posix\.|nt\.|builtins\.|__builtin__\.)?(system|exec)\."):
        read_original(tmp_path / "c.pth")
    (tmp_path / "c.pth").write_bytes(pickle.dumps(place(bomb)))
    with pytest.raises(InputError, match=r"was not loaded|is no checkpoint"):
        read_original(tmp_path / "c.pth")
    assert not (tmp_path / "ran").exists()


def test_other_objects_in_a_checkpoint_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pth", {"model_state_dict": {"a": torch.zeros(1)}, "args": random.Random(0)})
    with pytest.raises(InputError, match=r"it asks for random\.Random"):
        read_original(path)


# --- converting ---


@pytest.mark.parametrize("spec", [chexbert_spec(), visualchexbert_spec()], ids=["chexbert", "visualchexbert"])
@pytest.mark.parametrize("old", [True, False], ids=["torch 1.4", "zip"])
def test_a_converted_checkpoint_has_equal_outputs(
    tmp_path: Path, tokenizer: Path, spec: Any, old: bool
) -> None:
    model = write_original(tmp_path / "c.pth", spec, old=old)
    done = convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4)
    assert done.spec == spec
    assert done.left_out == ("bert.embeddings.position_ids",)
    assert done.parameters == sum(p.numel() for p in model.parameters())
    loaded = load_encoder(done.folder)
    batch = loaded.tokenizer(list(REPORTS), padding=True, return_tensors="pt")
    with torch.no_grad():
        got = loaded.model(batch["input_ids"], batch["attention_mask"])
        assert torch.equal(got, model(batch["input_ids"], batch["attention_mask"]))


def test_attention_heads_are_bert_base_s_unless_said(tmp_path: Path, tokenizer: Path) -> None:
    from transformers import BertConfig

    from hilum.models.report_encoder import new_encoder

    write_original(tmp_path / "c.pth")
    with pytest.raises(InputError, match="--attention-heads"):
        convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer)
    with pytest.raises(InputError, match="no multiple of 5"):
        convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=5)
    config = BertConfig(
        vocab_size=len(tiny_words()), hidden_size=128, num_hidden_layers=1, num_attention_heads=2
    )
    wide = new_encoder(None, chexbert_spec(), config=config)
    saved(tmp_path / "w.pth", {"model_state_dict": wide.state_dict()})
    convert_checkpoint(tmp_path / "w.pth", tmp_path / "out", tokenizer=tokenizer)
    assert load_encoder(tmp_path / "out").model.bert.config.num_attention_heads == 2


def test_the_text_mode_is_kept(tmp_path: Path, tokenizer: Path) -> None:
    write_original(tmp_path / "c.pth")
    convert_checkpoint(
        tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4, text="chexbert-list"
    )
    assert load_encoder(tmp_path / "out").spec.text == "chexbert-list"
    with pytest.raises(InputError, match="folded"):
        convert_checkpoint(
            tmp_path / "c.pth", tmp_path / "o", tokenizer=tokenizer, attention_heads=4, text="x"
        )


WORDS = "bert.embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bert.pooler.dense.bias": None}, r"lacks 1 tensors \(bert\.pooler\.dense\.bias\)"),
        ({WORDS: None}, "word_embeddings.weight is missing"),
        ({WORDS: torch.zeros(5)}, r"word_embeddings.weight has the shape \[5\]"),
        ({"bert.encoder.layer.1.output.dense.weight": torch.zeros(3, 3)}, r"\[3, 3\], not \[32, 64\]"),
        ({"bert.encoder.layer.0.output.dense.bias": torch.full((32,), float("inf"))}, "no finite numbers"),
        ({"bert.more": torch.zeros(1)}, r"has unknown 1 tensors \(bert\.more\)"),
        ({"linear_heads.3.bias": None}, r"lacks 1 tensors \(linear_heads\.3\.bias\)"),
        ({"linear_heads.13.weight": None}, "13 heads of 4 in linear_heads, which fits no known"),
        ({"linear_heads.3.weight": torch.zeros(5, 32)}, "1 heads of 5 and 1 heads of 2 in linear_heads"),
        ({"linear_heads.3.weight": torch.zeros(4, 30)}, r"linear_heads\.3\.weight \[4, 30\], not \[4, 32\]"),
        ({f"linear_heads.{n}.weight": None for n in range(14)}, "has no heads in linear_heads"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tmp_path: Path, tokenizer: Path, states: dict[str, torch.Tensor], change: dict[str, Any], said: str
) -> None:
    changed = {key: value for key, value in {**states, **change}.items() if value is not None}
    saved(tmp_path / "c.pth", {"model_state_dict": changed})
    with pytest.raises(InputError, match=said):
        convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.pth"]


def test_a_kind_that_the_heads_contradict_is_refused(tmp_path: Path, tokenizer: Path) -> None:
    write_original(tmp_path / "c.pth")
    for kind, said in (
        ("visualchexbert", "14 heads of 1, and this file has 13 heads of 4"),
        ("mini", "Known: chex"),
    ):
        with pytest.raises(InputError, match=said):
            convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, kind=kind)
    done = convert_checkpoint(
        tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer, kind="chexbert", attention_heads=4
    )
    assert done.spec.kind == "chexbert"


def test_other_heads_fit_no_known_labeler(tmp_path: Path, tokenizer: Path) -> None:
    write_original(tmp_path / "c.pth", spec_for("nih14"))
    with pytest.raises(InputError, match="14 heads of 4 and 1 heads of 2"):
        convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tokenizer)


# --- tokenizers ---


def test_a_tokenizer_that_does_not_belong_is_refused(tmp_path: Path) -> None:
    write_original(tmp_path / "c.pth")
    words = tiny_words()
    for name, other in (("more", {**words, "zebra": len(words)}), ("fewer", dict(list(words.items())[:-1]))):
        tiny_tokenizer(other).save_pretrained(tmp_path / name)
        with pytest.raises(InputError, match=f"{len(other)} tokens, and the encoder has embeddings of 111"):
            convert_checkpoint(
                tmp_path / "c.pth", tmp_path / "out", tokenizer=tmp_path / name, attention_heads=4
            )
    assert not (tmp_path / "out").exists()


def test_a_folder_with_nothing_but_a_word_list_is_berts_tokenizer(tmp_path: Path) -> None:
    write_original(tmp_path / "c.pth")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "vocab.txt").write_text("\n".join(tiny_words()) + "\n")
    convert_checkpoint(tmp_path / "c.pth", tmp_path / "out", tokenizer=tmp_path / "t", attention_heads=4)
    tokenizer = load_encoder(tmp_path / "out").tokenizer
    for report in REPORTS:
        assert tokenizer(report)["input_ids"] == tiny_tokenizer()(report)["input_ids"]


def test_no_tokenizer_is_told(tmp_path: Path) -> None:
    write_original(tmp_path / "c.pth")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tokenizer.json").write_text("{}")
    for name in ("empty", "broken", "nowhere/at/all"):
        with pytest.raises(InputError, match="tokenizer"):
            convert_checkpoint(
                tmp_path / "c.pth", tmp_path / "out", tokenizer=tmp_path / name, attention_heads=4
            )


# --- logistic regressions ---


def test_logistic_regressions_are_stored_with_visualchexbert_alone(tmp_path: Path, tokenizer: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    models = {
        name: linear_model.LogisticRegression().fit(rng.random((20, 14)), [0, 1] * 10)
        for name in visualchexbert_spec().findings
    }
    (tmp_path / "l.pickle").write_bytes(pickle.dumps(models, protocol=3))
    write_original(tmp_path / "v.pth", visualchexbert_spec())
    convert_checkpoint(
        tmp_path / "v.pth",
        tmp_path / "out",
        tokenizer=tokenizer,
        attention_heads=4,
        logreg=tmp_path / "l.pickle",
    )
    logreg = load_encoder(tmp_path / "out").spec.logreg
    assert logreg is not None
    values_NK = rng.random((50, 14))
    expected = np.stack([models[name].predict(values_NK) for name in logreg.findings], axis=1)
    assert np.array_equal(logreg.apply(values_NK), expected)
    write_original(tmp_path / "c.pth")
    with pytest.raises(InputError, match="belong to VisualCheXbert"):
        convert_checkpoint(
            tmp_path / "c.pth",
            tmp_path / "o",
            tokenizer=tokenizer,
            attention_heads=4,
            logreg=tmp_path / "l.pickle",
        )


# --- the output ---


def test_something_else_is_never_overwritten(tmp_path: Path, tokenizer: Path) -> None:
    write_original(tmp_path / "c.pth")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "link"):
        for force in (False, True):
            with pytest.raises(OutputError, match="left alone"):
                convert_checkpoint(
                    tmp_path / "c.pth", tmp_path / name, tokenizer=tokenizer, attention_heads=4, force=force
                )
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"


def test_an_earlier_encoder_is_replaced_only_with_force(tmp_path: Path, tokenizer: Path) -> None:
    write_original(tmp_path / "a.pth", seed=0)
    write_original(tmp_path / "b.pth", seed=1)
    (tmp_path / "out").mkdir()
    convert_checkpoint(tmp_path / "a.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4)
    first = load_encoder(tmp_path / "out").digest
    with pytest.raises(OutputError, match="--force"):
        convert_checkpoint(tmp_path / "b.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4)
    assert load_encoder(tmp_path / "out").digest == first
    convert_checkpoint(
        tmp_path / "b.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4, force=True
    )
    assert load_encoder(tmp_path / "out").digest != first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pth", "b.pth", "out"]


def test_a_conversion_that_breaks_off_leaves_what_was_there(
    tmp_path: Path, tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_original(tmp_path / "a.pth")
    convert_checkpoint(tmp_path / "a.pth", tmp_path / "out", tokenizer=tokenizer, attention_heads=4)
    first = load_encoder(tmp_path / "out").digest

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save", full)
    for out in ("out", "new"):
        with pytest.raises(OutputError, match="No space left"):
            convert_checkpoint(
                tmp_path / "a.pth", tmp_path / out, tokenizer=tokenizer, attention_heads=4, force=True
            )
    assert load_encoder(tmp_path / "out").digest == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pth", "out"]
