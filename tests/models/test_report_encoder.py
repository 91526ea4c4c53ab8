from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_report_encoder import (
    REPORTS,
    tiny_config,
    tiny_folder,
    tiny_loaded,
    tiny_model,
    tiny_tokenizer,
    tiny_words,
)

from hilum.core.errors import InputError, OutputError, UnknownNameError
from hilum.core.vocabulary import COLUMN_ORDERS, NIH14, State
from hilum.models.report_encoder import (
    EncoderSpec,
    Head,
    LogReg,
    chexbert_spec,
    load_encoder,
    new_encoder,
    save_encoder,
    spec_for,
    visualchexbert_spec,
)

WORD_KEY = "embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "encoder")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "encoder"))


def encoded(tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    found = tokenizer(list(REPORTS), padding=True, truncation=True, max_length=64, return_tensors="pt")
    return found["input_ids"], found["attention_mask"]


# --- specs ---


def test_chexbert_has_13_heads_of_4_and_one_of_2() -> None:
    spec = chexbert_spec()
    assert spec.sizes == (4,) * 13 + (2,)
    assert spec.findings == COLUMN_ORDERS["chexbert"]
    assert (spec.outputs, spec.columns[0], spec.columns[-1]) == (54, slice(0, 4), slice(52, 54))


def test_visualchexbert_has_14_heads_of_1_in_the_same_order() -> None:
    assert visualchexbert_spec().sizes == (1,) * 14
    assert visualchexbert_spec().findings == chexbert_spec().findings


def test_a_spec_for_a_vocabulary_has_its_findings() -> None:
    spec = spec_for("nih14")
    assert (spec.kind, spec.findings) == ("mini", NIH14.names)
    assert spec.sizes[spec.findings.index("No Finding")] == 2
    assert spec_for(NIH14) == spec
    assert spec_for("chexpert14", "chexbert") == chexbert_spec()
    with pytest.raises(UnknownNameError, match="nih14"):
        spec_for("nih")


def test_classes_of_heads_are_states() -> None:
    assert Head("Edema", 4).states == (State.BLANK, State.POSITIVE, State.NEGATIVE, State.UNCERTAIN)
    assert Head("Edema", 2).states == (State.BLANK, State.POSITIVE)
    assert Head("Edema", 1).states == (State.POSITIVE,)


def full_spec() -> EncoderSpec:
    plain = visualchexbert_spec()
    rows = tuple(tuple(float(i * j) for j in range(14)) for i in range(14))
    logreg = LogReg(plain.findings, plain.findings, rows, tuple(map(float, range(14))))
    return replace(
        plain,
        text="chexbert-list",
        max_tokens=64,
        temperatures=(1.5,) * 14,
        thresholds={"Edema": 0.25, "Fracture": 1.0},
        logreg=logreg,
    )


@pytest.mark.parametrize("spec", [chexbert_spec(), full_spec()])
def test_json_gives_the_same_spec_back(spec: EncoderSpec) -> None:
    assert EncoderSpec.from_json(spec.to_json()) == spec
    assert EncoderSpec.from_json(json.dumps(spec.to_json())) == spec


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "bert"}, "chexbert, visualchexbert, mini"),
        ({"kind": 3}, "no str"),
        ({"vocabulary": "icd"}, "chexpert14"),
        ({"heads": [{"finding": "Elbow", "classes": 4}]}, "Elbow"),
        ({"heads": [{"finding": "Edema", "classes": 3}]}, "1, 2 or 4"),
        ({"heads": [{"finding": "Edema", "classes": 4}] * 2}, "none twice"),
        ({"heads": []}, "at least one"),
        ({"heads": 3}, "wrong form"),
        ({"heads": [{"finding": "Edema"}]}, "classes"),
        ({"text": "upper"}, "folded"),
        ({"max_tokens": 2}, "3 to"),
        ({"max_tokens": True}, "no int"),
        ({"temperatures": [1.0]}, "14 numbers"),
        ({"temperatures": [0.0] * 14}, "above 0"),
        ({"temperatures": [float("nan")] * 14}, "above 0"),
        ({"thresholds": {"Edema": 2.0}}, "from 0 to 1"),
        ({"thresholds": {"Elbow": 0.5}}, "Elbow"),
        ({"thresholds": {"Edema": "half"}}, "no float"),
        ({"logreg": {"inputs": ["Edema"]}}, "findings"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        EncoderSpec.from_json({**chexbert_spec().to_json(), **change}, where="spec.json")
    assert "spec.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": "chexbert"}', "[" * 100_000])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        EncoderSpec.from_json(text)


def test_logreg_of_a_wrong_shape_is_refused() -> None:
    good = full_spec().logreg
    assert good is not None
    for bad in (
        replace(good, intercepts=(0.0,)),
        replace(good, coefficients=((1.0,),) * 14),
        replace(good, inputs=("Elbow",)),
        replace(good, intercepts=(float("inf"),) * 14),
    ):
        with pytest.raises(InputError, match="logreg"):
            replace(full_spec(), logreg=bad)


def test_logreg_is_positive_above_one_half() -> None:
    logreg = LogReg(("Edema", "Fracture"), ("Edema",), ((2.0, -1.0),), (-0.5,))
    assert logreg.apply([[0.25, 0.0], [0.5, 0.25], [0.5, 0.75]]).tolist() == [[0], [1], [0]]
    np.testing.assert_allclose(logreg.log_odds([[1.0, 1.0]]), [[0.5]])


# --- the model ---


def test_keys_are_those_of_the_public_checkpoints() -> None:
    keys = set(tiny_model().state_dict())
    assert {"bert.embeddings.word_embeddings.weight", "bert.pooler.dense.weight"} <= keys
    assert {f"linear_heads.{n}.{part}" for n in range(14) for part in ("weight", "bias")} == {
        key for key in keys if not key.startswith("bert.")
    }


def test_logits_are_the_heads_on_the_first_hidden_state_not_the_pooler() -> None:
    model = tiny_model()
    ids_BT, mask_BT = encoded(tiny_tokenizer())
    with torch.no_grad():
        hidden_BH = model.bert(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state[:, 0, :]
        logits_BC = model(ids_BT, mask_BT)
    assert logits_BC.shape == (len(REPORTS), 54)
    for part, head, linear in zip(model.split(logits_BC), model.spec.heads, model.linear_heads, strict=True):
        assert part.shape == (len(REPORTS), head.classes)
        torch.testing.assert_close(part, hidden_BH @ linear.weight.T + linear.bias)
    for at, part in zip(model.spec.columns, model.split(logits_BC), strict=True):
        assert torch.equal(logits_BC[:, at], part)


def test_padding_changes_nothing() -> None:
    model = tiny_model()
    tokenizer = tiny_tokenizer()
    ids_BT, mask_BT = encoded(tokenizer)
    with torch.no_grad():
        together = model(ids_BT, mask_BT)
        for row, (ids, mask) in enumerate(zip(ids_BT, mask_BT, strict=True)):
            alone = model(ids[: mask.sum()][None], mask[: mask.sum()][None])
            torch.testing.assert_close(alone[0], together[row], atol=1e-4, rtol=1e-4)


def test_dropout_is_for_training_alone() -> None:
    model = tiny_model()
    ids_BT, mask_BT = encoded(tiny_tokenizer())
    assert torch.equal(model(ids_BT, mask_BT), model(ids_BT, mask_BT))
    model.train()
    assert not torch.equal(model(ids_BT, mask_BT), model(ids_BT, mask_BT))


def test_a_new_encoder_depends_on_the_seed_alone() -> None:
    spec = replace(chexbert_spec(), max_tokens=64)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = new_encoder(None, spec, config=tiny_config(), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    second = new_encoder(None, spec, config=tiny_config(), seed=1)
    third = new_encoder(None, spec, config=tiny_config(), seed=2)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.linear_heads[0].weight, third.linear_heads[0].weight)
    assert first.training


def test_a_new_encoder_starts_from_pretrained_weights(folder: Path) -> None:
    spec = replace(spec_for("nih14"), max_tokens=64)
    model = new_encoder(folder, spec, seed=1)
    stored = load_file(folder / "model.safetensors")
    assert torch.equal(
        model.bert.state_dict()["embeddings.word_embeddings.weight"],
        stored["embeddings.word_embeddings.weight"],
    )
    assert [head.out_features for head in model.linear_heads] == list(spec.sizes)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_new_encoder_from_nothing_is_refused(tmp_path: Path) -> None:
    spec = replace(chexbert_spec(), max_tokens=64)
    with pytest.raises(InputError, match="either"):
        new_encoder(None, spec)
    with pytest.raises(InputError, match="save_pretrained"):
        new_encoder(tmp_path, spec)
    with pytest.raises(InputError, match="at most 64"):
        new_encoder(None, replace(spec, max_tokens=65), config=tiny_config())


def test_another_kind_of_encoder_is_saved_and_loaded(tmp_path: Path) -> None:
    from transformers import DistilBertConfig

    config = DistilBertConfig(
        vocab_size=len(tiny_words()), dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64
    )
    spec = replace(spec_for("nih14"), max_tokens=64)
    model = new_encoder(None, spec, config=config, seed=3).eval()
    loaded = load_encoder(save_encoder(tmp_path / "e", model, tiny_tokenizer()))
    ids_BT, mask_BT = encoded(loaded.tokenizer)
    assert torch.equal(model(ids_BT, mask_BT), loaded.model(ids_BT, mask_BT))


# --- the folder ---


@pytest.mark.parametrize("spec", [chexbert_spec(), full_spec()])
def test_a_saved_encoder_is_loaded_with_equal_outputs(tmp_path: Path, spec: EncoderSpec) -> None:
    model = tiny_model(spec, positions=64)
    loaded = load_encoder(save_encoder(tmp_path / "a" / "b", model, tiny_tokenizer()))
    assert loaded.spec == model.spec
    assert not loaded.model.training
    ids_BT, mask_BT = encoded(loaded.tokenizer)
    assert torch.equal(model(ids_BT, mask_BT), loaded.model(ids_BT, mask_BT))


def test_loading_draws_nothing(folder: Path) -> None:
    before = torch.get_rng_state()
    load_encoder(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_from_pretrained_reads_the_folder(folder: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    loaded = load_encoder(folder)
    model, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    for name, tensor in loaded.model.bert.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert AutoTokenizer.from_pretrained(folder).get_vocab() == tiny_words()


def test_equal_weights_give_equal_bytes_and_digest(saved: Path, tmp_path: Path) -> None:
    again = tiny_loaded(tmp_path / "again")
    for path in saved.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name
    assert again.digest == load_encoder(saved).digest
    assert tiny_loaded(tmp_path / "other", seed=1).digest != again.digest


def test_half_precision_weights_are_stored_as_float32(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "e", tiny_model().half(), tiny_tokenizer())
    assert {t.dtype for t in load_file(folder / "model.safetensors").values()} == {torch.float32}
    assert {p.dtype for p in load_encoder(folder).model.parameters()} == {torch.float32}


def test_a_stored_position_ids_is_ignored(folder: Path) -> None:
    path = folder / "model.safetensors"
    before = load_encoder(folder).model.state_dict()
    save_file({**load_file(path), "embeddings.position_ids": torch.arange(64)[None]}, path)
    after = load_encoder(folder).model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("given", [None, ""])
def test_no_weights_given_says_what_to_give(given: str | None) -> None:
    with pytest.raises(InputError, match="--weights DIR"):
        load_encoder(given)


def test_a_file_or_an_empty_folder_is_no_encoder(tmp_path: Path) -> None:
    (tmp_path / "chexbert.pth").write_bytes(b"x")
    with pytest.raises(InputError, match="hilum convert"):
        load_encoder(tmp_path / "chexbert.pth")
    with pytest.raises(InputError, match="There is no folder"):
        load_encoder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"lacks hilum_encoder\.json, config\.json"):
        load_encoder(tmp_path / "empty")


def without(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("model", lambda t: without(t, WORD_KEY), f"lacks 1 tensors.*{WORD_KEY}"),
        ("model", lambda t: {**t, "extra": torch.zeros(2)}, "has unknown 1 tensors.*extra"),
        (
            "model",
            lambda t: {**t, WORD_KEY: torch.zeros(3, 32)},
            r"wrongly shaped.*\[3, 32\], not \[111, 32\]",
        ),
        ("model", lambda t: {**t, WORD_KEY: t[WORD_KEY] * float("nan")}, "no finite numbers"),
        ("model", lambda t: {"a": torch.zeros(1)}, r"and 34 more"),
        ("heads", lambda t: without(t, "13.bias"), r"lacks 1 tensors.*13\.bias"),
        ("heads", lambda t: {**t, "14.bias": torch.zeros(2)}, r"unknown.*14\.bias"),
        ("heads", lambda t: {**t, "0.bias": torch.zeros(2)}, r"0\.bias \[2\], not \[4\]"),
    ],
)
def test_tensors_that_do_not_fit_are_named(folder: Path, file: str, change: Any, said: str) -> None:
    path = folder / f"{file}.safetensors"
    save_file(change(load_file(path)), path)
    with pytest.raises(InputError, match=said) as caught:
        load_encoder(folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "heads.safetensors", "hilum_encoder.json", "config.json"]
)
@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\x80\x04."])
def test_a_broken_file_is_named(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=file):
        load_encoder(folder)


def test_another_format_version_is_refused(folder: Path) -> None:
    path = folder / "hilum_encoder.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "format_version": 2}))
    with pytest.raises(InputError, match="format version 2"):
        load_encoder(folder)
    path.write_text(json.dumps({**fields, "format": "other"}))
    with pytest.raises(InputError, match="'format'"):
        load_encoder(folder)


def test_more_tokens_than_the_encoder_has_positions_are_refused(folder: Path) -> None:
    path = folder / "hilum_encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_tokens": 65}))
    with pytest.raises(InputError, match="at most 64"):
        load_encoder(folder)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    for device in ("toaster", "cuda:99"):
        with pytest.raises(InputError, match="cannot be used"):
            load_encoder(folder, device=device)


# --- tokenizers ---


def test_a_tokenizer_of_another_size_is_refused(folder: Path, tmp_path: Path) -> None:
    words = tiny_words()
    larger = tiny_tokenizer({**words, "zebra": len(words)})
    with pytest.raises(InputError, match="has 112 tokens, and the encoder has embeddings of 111"):
        save_encoder(tmp_path / "e", tiny_model(), larger)
    larger.save_pretrained(folder)
    with pytest.raises(InputError, match="does not belong"):
        load_encoder(folder)


def test_another_tokenizer_of_the_same_size_is_refused(folder: Path) -> None:
    words = list(tiny_words())
    swapped = {word: i for i, word in enumerate([*words[:5], *reversed(words[5:])])}
    tiny_tokenizer(swapped).save_pretrained(folder)
    with pytest.raises(InputError, match="does not belong"):
        load_encoder(folder)


@pytest.mark.parametrize("missing", ["cls_token", "sep_token", "pad_token"])
def test_a_tokenizer_without_special_tokens_is_refused(tmp_path: Path, missing: str) -> None:
    tokenizer = tiny_tokenizer()
    setattr(tokenizer, missing, None)
    with pytest.raises(InputError, match=r"no token for \[(CLS|SEP|PAD)\]"):
        save_encoder(tmp_path / "e", tiny_model(), tokenizer)


def test_a_tokenizer_that_adds_no_special_tokens_is_refused(tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    with pytest.raises(InputError, match="does not put"):
        save_encoder(tmp_path / "e", tiny_model(), tokenizer)


def test_a_folder_without_tokenizer_is_refused(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="tokenizer"):
        load_encoder(folder)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        save_encoder(tmp_path / "file", tiny_model(), tiny_tokenizer())


def test_the_spec_needs_no_torch() -> None:
    code = "import sys, hilum.models.encoder_spec as e; e.chexbert_spec(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_missing_torch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport hilum.models.report_encoder"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in done.stderr
    assert "hilum[neural]" in done.stderr
