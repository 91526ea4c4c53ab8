"""Loading a language model: what the stamp says, adapters, and all that cannot be loaded."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tiny_language_model import CHATML, TEXTS, chatml_tokenizer, tiny_language_model

from hilum.core.errors import InputError, MissingExtraError, UnknownNameError
from hilum.models import _local_files, _local_loading
from hilum.models.engine import Message, Question
from hilum.models.local_engine import LocalEngine, load_local_engine

QUESTIONS = [
    Question(
        (Message("user", text),), ("Edema", "Pleural Other"), ("blank", "positive", "negative", "uncertain")
    )
    for text in TEXTS[:4]
]


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language_model(tmp_path_factory.mktemp("models") / "qwen")


def numbers(replies) -> np.ndarray:
    assert all(not reply.problem for reply in replies)
    return np.array([reply.log_probabilities for reply in replies])


def test_the_stamp_tells_models_and_ways_apart(qwen, tmp_path) -> None:
    engine = load_local_engine(qwen)
    assert engine.stamp["answer"] == "scoring"
    assert engine.stamp["precision"] == "float32"
    assert len(engine.stamp["model"]) == 64
    assert str(qwen) not in json.dumps(dict(engine.stamp))
    assert load_local_engine(qwen, answer="generation").stamp != engine.stamp
    again = load_local_engine(tiny_language_model(tmp_path / "again", seed=0))
    assert again.stamp == engine.stamp
    (tmp_path / "again" / "chat_template.jinja").write_text(CHATML + " ")
    assert load_local_engine(tmp_path / "again").stamp != engine.stamp


def test_large_models_in_several_files(qwen, tmp_path) -> None:
    engine = load_local_engine(qwen)
    engine.model.save_pretrained(tmp_path / "m", max_shard_size="40KB")
    engine.tokenizer.save_pretrained(tmp_path / "m")
    files = sorted(tmp_path.glob("m/*.safetensors"))
    assert len(files) > 1
    split = load_local_engine(tmp_path / "m")
    np.testing.assert_array_equal(numbers(split.ask(QUESTIONS)), numbers(engine.ask(QUESTIONS)))
    files[-1].unlink()
    with pytest.raises(InputError, match="Next step"):
        load_local_engine(tmp_path / "m")


def lora(qwen: Path, folder: Path) -> Path:
    import peft

    model = transformers.AutoModelForCausalLM.from_pretrained(qwen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an old name that peft uses
        wrapped = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(3)
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    wrapped.save_pretrained(folder)
    return folder


def test_adapters_are_merged(qwen, tmp_path) -> None:
    folder = lora(qwen, tmp_path / "adapter")
    plain, adapted = load_local_engine(qwen), load_local_engine(folder)
    named = load_local_engine(qwen, adapter=folder)
    assert adapted.stamp == named.stamp != plain.stamp
    found = numbers(adapted.ask(QUESTIONS))
    np.testing.assert_array_equal(found, numbers(named.ask(QUESTIONS)))
    assert np.abs(found - numbers(plain.ask(QUESTIONS))).max() > 0.01


def test_adapters_that_cannot_be_used(qwen, tmp_path, monkeypatch) -> None:
    folder = lora(qwen, tmp_path / "adapter")
    fields = json.loads((folder / "adapter_config.json").read_text())
    for base, said in (("/nowhere/to/be/found", "folder is not there"), (None, "does not name the model")):
        (folder / "adapter_config.json").write_text(json.dumps({**fields, "base_model_name_or_path": base}))
        with pytest.raises(InputError, match=said):
            load_local_engine(folder)
    (folder / "adapter_config.json").write_text(json.dumps({**fields, "target_modules": ["k_proj"]}))
    with pytest.raises(InputError, match="does not fit the model"):
        load_local_engine(qwen, adapter=folder)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(InputError, match=r"lacks adapter_model\.safetensors"):
        load_local_engine(folder)
    monkeypatch.setattr(_local_files, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"peft.*hilum\[llm\]"):
        load_local_engine(folder)


def test_a_package_that_is_missing(qwen, monkeypatch) -> None:
    monkeypatch.setattr(_local_loading, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"jinja2.*hilum\[llm\]"):
        load_local_engine(qwen)


def test_what_is_no_model(qwen, tmp_path, monkeypatch) -> None:
    def copy(name: str, *without: str) -> Path:
        return shutil.copytree(qwen, tmp_path / name, ignore=shutil.ignore_patterns(*without))

    def said(source: object, **options) -> str:
        with pytest.raises(InputError) as caught:
            load_local_engine(str(source), **options)
        assert "Next step" in str(caught.value)
        return str(caught.value)

    assert "There is no folder" in said(tmp_path / "nowhere")
    assert "is a file" in said(qwen / "config.json")
    assert "lacks config.json" in said(copy("a", "config.json"))
    assert "lacks weights" in said(copy("b", "model.safetensors"))
    assert "lacks a tokenizer" in said(copy("c", "tokenizer.json"))
    assert "no chat template" in said(copy("d", "*.jinja"))
    (copy("e", "model.safetensors") / "pytorch_model.bin").write_bytes(b"x")
    assert "pickle" in said(tmp_path / "e")
    broken = copy("f")
    (broken / "model.safetensors").write_bytes(b"no tensors")
    assert "can load" in said(broken)
    (broken / "config.json").write_text("{")
    assert "can load" in said(broken)
    (copy("g") / "tokenizer.json").write_text("{}")
    assert "tokenizer" in said(tmp_path / "g")
    (copy("h") / "hilum_encoder.json").write_text("{}")
    assert "report encoder of hilum" in said(tmp_path / "h")
    assert "no revision" in said(qwen, revision="v1")
    assert "no GPU" in said(qwen, device="cuda:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "at revision 'v9'" in said("nobody/nothing-of-that-name", revision="v9")


def test_other_kinds_of_models(qwen, tmp_path) -> None:
    tokenizer = chatml_tokenizer()
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=len(tokenizer), **size))
    bert.save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    with pytest.raises(InputError, match="BertForMaskedLM, no causal language model"):
        load_local_engine(tmp_path / "bert")
    config = json.loads((qwen / "config.json").read_text())
    shutil.copytree(qwen, tmp_path / "own")
    own = {**config, "model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (tmp_path / "own" / "config.json").write_text(json.dumps(own))
    (tmp_path / "own" / "own.py").write_text("raise SystemExit('code of a model was run')")
    with pytest.raises(InputError, match="code of its own"):
        load_local_engine(tmp_path / "own")
    shutil.copytree(qwen, tmp_path / "deep")
    (tmp_path / "deep" / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": 3, "layer_types": ["full_attention"] * 3})
    )
    with pytest.raises(InputError, match="lacks 12 tensors"):
        load_local_engine(tmp_path / "deep")
    shutil.copytree(qwen, tmp_path / "many")
    chatml_tokenizer([*TEXTS, *(f"word{n} again{n}" for n in range(400))], vocabulary=900).save_pretrained(
        tmp_path / "many"
    )
    with pytest.raises(InputError, match="embeddings for 400 tokens"):
        load_local_engine(tmp_path / "many")


def test_weights_that_are_no_numbers_are_found_at_once(qwen) -> None:
    engine = load_local_engine(qwen)
    with torch.no_grad():
        engine.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="no numbers"):
        LocalEngine(engine.model, engine.tokenizer, digest="x")


def test_options_that_there_are_none_of(qwen) -> None:
    with pytest.raises(UnknownNameError, match="scoring"):
        load_local_engine(qwen, answer="guessing")
    with pytest.raises(UnknownNameError, match="float32"):
        load_local_engine(qwen, precision="int8")
    with pytest.raises(InputError, match="no device"):
        load_local_engine(qwen, device="abacus")
