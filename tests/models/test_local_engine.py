"""The local engine: both ways against plain passes, batches, long prompts, windows, and all that cannot be loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tiny_language_model import (
    CHATML,
    TEXTS,
    chatml_tokenizer,
    piece_tokenizer,
    tiny_language_model,
    tiny_llama_model,
)

from hilum.core.errors import InputError
from hilum.models import _local_forward
from hilum.models._choice_tree import choice_tree
from hilum.models.answer_lines import choice_ids, item_ids, prompt_ids
from hilum.models.engine import Engine, Message, Question
from hilum.models.local_engine import LocalEngine, load_local_engine

ITEMS = ("No Finding", "Enlarged Cardiomediastinum", "Edema", "Pleural Effusion", "Pleural Other")
CHOICES = ("blank", "positive", "negative", "uncertain")
WAYS = ("scoring", "generation")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language_model(tmp_path_factory.mktemp("models") / "qwen", context=2500)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama_model(tmp_path_factory.mktemp("models") / "llama", context=600)


def question(*places: int, items=ITEMS, choices=CHOICES) -> Question:
    text = " ".join(TEXTS[place] for place in places)
    return Question((Message("system", "Label the report."), Message("user", text)), items, choices)


QUESTIONS = [question(0), question(1, 2, 3, 4), question(2, 1), question(4), question(3, 3, 1), question(0)]


def alone(engine: LocalEngine, asked: Question) -> np.ndarray:
    """One plain pass over each whole line: [I, C], renormalised."""
    prompt = prompt_ids(engine.tokenizer, asked.messages)
    choices = choice_ids(engine.tokenizer, asked.choices)
    found = np.empty((len(asked.items), len(choices)))
    with torch.no_grad():
        for i, item in enumerate(asked.items):
            before = (*prompt, *item_ids(engine.tokenizer, item))
            for c, choice in enumerate(choices):
                logits = engine.model(torch.tensor([[*before, *choice]]), use_cache=False).logits[0].double()
                logp = torch.log_softmax(logits, dim=-1)[len(before) - 1 : -1]
                found[i, c] = sum(float(row[token]) for row, token in zip(logp, choice, strict=True))
    return found - np.logaddexp.reduce(found, axis=1, keepdims=True)


def numbers(replies) -> np.ndarray:
    assert all(not reply.problem for reply in replies)
    return np.array([reply.log_probabilities for reply in replies])


# --- the tree ---


def test_a_tree_shares_what_is_alike_and_leaves_out_last_tokens() -> None:
    tree = choice_tree([(1, 2), (1, 3)], [(7,), (8, 9), (8, 4, 5)])
    assert tree.tokens_T.tolist() == [1, 2, 8, 4, 3, 8, 4]
    assert tree.depths_T.tolist() == [0, 1, 2, 3, 1, 2, 3]
    assert [np.flatnonzero(row).tolist() for row in tree.sees_TT] == [
        [0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 4], [0, 4, 5], [0, 4, 5, 6],
    ]  # fmt: skip
    assert tree.read_K.tolist() == [1, 2, 3, 4, 5, 6]
    assert tree.longest == 5
    assert len(tree.tokens_S) == len(tree.lines_S) == 2 * 6
    ones = tree.log_probabilities(np.ones((3, 12), dtype=np.float32))
    assert ones.tolist() == [[[1, 2, 3]] * 2] * 3  # so many steps has each choice


def test_lines_that_run_through_others_are_told_apart() -> None:
    tree = choice_tree([(1,), (1, 7)], [(7,), (8,)])
    assert tree.tokens_T.tolist() == [1, 7]
    assert tree.read_K[tree.rows_S].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("items", "choices"), [([], [(1,)]), ([(1,)], []), ([()], [(1,)]), ([(1,)], [()])])
def test_a_tree_needs_tokens(items, choices) -> None:
    with pytest.raises(InputError, match="at least one token"):
        choice_tree(items, choices)


# --- numbers ---


@pytest.mark.parametrize("answer", WAYS)
@pytest.mark.parametrize("name", ["qwen", "llama"])
def test_answers_are_those_of_lines_read_alone(name, answer, request) -> None:
    engine = load_local_engine(request.getfixturevalue(name), answer=answer)
    assert isinstance(engine, Engine)
    replies = engine.ask(QUESTIONS)
    found = numbers(replies)
    wanted = np.array([alone(engine, one) for one in QUESTIONS])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert [reply.chosen for reply in replies] == [tuple(row) for row in wanted.argmax(axis=-1).tolist()]
    assert wanted.std() > 0.3
    np.testing.assert_allclose(np.exp(found).sum(axis=-1), 1)


def test_the_two_ways_agree_and_count_what_they_read(qwen) -> None:
    scoring = load_local_engine(qwen)
    generation = LocalEngine(scoring.model, scoring.tokenizer, digest="x", answer="generation")
    a, b = scoring.ask(QUESTIONS), generation.ask(QUESTIONS)
    np.testing.assert_allclose(numbers(a), numbers(b), atol=1e-5)
    assert all(one.usage.written == 0 and one.usage.asked == 1 for one in a)
    assert all(one.usage.written >= len(ITEMS) for one in b)
    assert a[0].usage.read > scoring.count(QUESTIONS[0].messages)


@pytest.mark.parametrize("answer", WAYS)
@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 4}, {"batch_tokens": 300}])
def test_answers_do_not_depend_on_the_batch(qwen, answer, options) -> None:
    loaded = load_local_engine(qwen, answer=answer)
    engine = LocalEngine(loaded.model, loaded.tokenizer, digest="x", answer=answer, **options)
    wanted = numbers([loaded.ask([one])[0] for one in QUESTIONS])
    np.testing.assert_allclose(numbers(engine.ask(QUESTIONS)), wanted, atol=1e-5)
    np.testing.assert_allclose(numbers(engine.ask(QUESTIONS[::-1]))[::-1], wanted, atol=1e-5)


@pytest.mark.parametrize("answer", WAYS)
def test_prompts_that_are_read_in_parts(qwen, answer, monkeypatch) -> None:
    engine = load_local_engine(qwen, answer=answer)
    wanted = numbers(engine.ask(QUESTIONS))
    monkeypatch.setattr(_local_forward, "CHUNK", 7)
    np.testing.assert_allclose(numbers(engine.ask(QUESTIONS)), wanted, atol=1e-5)


def test_no_mask_is_as_large_as_the_square_of_a_prompt(tmp_path, monkeypatch) -> None:
    engine = load_local_engine(tiny_language_model(tmp_path / "m", context=40_000, layers=1))
    seen = []
    monkeypatch.setattr(_local_forward, "CHUNK", 256)
    inner = engine.model.model.layers[0].self_attn
    forward = inner.forward

    def watched(*args, attention_mask=None, **options):
        seen.append(0 if attention_mask is None else attention_mask.numel())
        return forward(*args, attention_mask=attention_mask, **options)

    monkeypatch.setattr(inner, "forward", watched)
    asked = question(*[place % 5 for place in range(250)])
    length = engine.count(asked.messages)
    assert length > 5_000
    assert not engine.ask([asked])[0].problem
    assert max(seen) <= 256 * length


def test_questions_with_items_of_their_own_in_one_call(qwen) -> None:
    engine = load_local_engine(qwen)
    other = question(1, items=("Edema", "Fracture of a rib"), choices=("no", "yes"))
    mixed = engine.ask([QUESTIONS[0], other, QUESTIONS[1]])
    assert [len(reply.chosen) for reply in mixed] == [5, 2, 5]
    np.testing.assert_allclose(mixed[1].log_probabilities, alone(engine, other), atol=1e-5)
    assert engine.ask([]) == []


@pytest.mark.parametrize("answer", WAYS)
def test_too_long_is_said_and_the_others_are_answered(llama, answer) -> None:
    engine = load_local_engine(llama, answer=answer)
    long = question(*[1] * 12)
    assert engine.count(long.messages) > engine.context == 600
    first, middle, last = engine.ask([QUESTIONS[0], long, QUESTIONS[1]])
    assert middle.too_long
    assert "600" in middle.problem
    assert middle.chosen == ()
    assert middle.log_probabilities is None
    assert len(first.chosen) == len(last.chosen) == 5
    assert all(reply.too_long for reply in engine.ask([long, long]))


def test_a_prompt_fills_the_context_to_the_last_token(tmp_path) -> None:
    folder = tiny_language_model(tmp_path / "m", context=300)
    wide = load_local_engine(folder)
    room = wide.room(QUESTIONS[1])
    length = wide.count(QUESTIONS[1].messages)
    longest = 300 - room
    for spare in (0, -1):
        config = json.loads((folder / "config.json").read_text())
        config["max_position_embeddings"] = length + longest + spare
        (folder / "config.json").write_text(json.dumps(config))
        assert load_local_engine(folder).ask([QUESTIONS[1]])[0].too_long == (spare < 0)


@pytest.mark.parametrize("answer", WAYS)
def test_values_that_are_no_numbers_are_a_problem(qwen, answer) -> None:
    engine = load_local_engine(qwen, answer=answer)
    with torch.no_grad():
        bad = chatml_tokenizer().encode("é", add_special_tokens=False)[0]
        engine.model.get_input_embeddings().weight[bad] = float("nan")
    # tied embeddings: every row of logits has it
    reply = engine.ask([QUESTIONS[0]])[0]
    assert "no numbers" in reply.problem
    assert reply.chosen == ()
    assert not reply.too_long


def test_bfloat16_is_near(qwen) -> None:
    fine, coarse = load_local_engine(qwen), load_local_engine(qwen, precision="bfloat16")
    assert coarse.stamp["precision"] == "bfloat16"
    a, b = numbers(fine.ask(QUESTIONS)), numbers(coarse.ask(QUESTIONS))
    assert np.abs(np.exp(a) - np.exp(b)).max() < 0.2
    assert fine.stamp["model"] == coarse.stamp["model"]


# --- other architectures ---


CONFIGS = {"Gemma3": "Gemma3TextConfig"}


def saved(kind: str, folder: Path, **options) -> Path:
    tokenizer = chatml_tokenizer()
    common = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "head_dim": 8,
        "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2,
    }  # fmt: skip
    torch.manual_seed(1)
    config = getattr(transformers, CONFIGS.get(kind, f"{kind}Config"))(**{**common, **options})
    model = getattr(transformers, f"{kind}ForCausalLM")(config)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.15)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("answer", WAYS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Mistral", {"sliding_window": 24}),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1}),
        ("Gemma3", {"sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"]}),
        ("Phi3", {}),
    ],
)
def test_windows_of_attention_are_kept(tmp_path, kind, options, answer) -> None:
    engine = load_local_engine(saved(kind, tmp_path / kind, **options), answer=answer)
    wanted = np.array([alone(engine, one) for one in QUESTIONS])
    np.testing.assert_allclose(numbers(engine.ask(QUESTIONS)), wanted, atol=2e-5)


def test_a_model_that_takes_no_mask_of_ours_is_refused(tmp_path) -> None:
    tokenizer = chatml_tokenizer()
    config = transformers.BloomConfig(vocab_size=len(tokenizer), hidden_size=32, n_layer=1, n_head=4)
    torch.manual_seed(0)
    model = transformers.BloomForCausalLM(config)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    with pytest.raises(InputError, match="bloom cannot be used for scoring"):
        LocalEngine(model, tokenizer, digest="x")


def test_templates_that_refuse_a_turn(qwen, tmp_path) -> None:
    shutil.copytree(qwen, tmp_path / "m")
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    (tmp_path / "m" / "chat_template.jinja").write_text(refusing + CHATML)
    engine = load_local_engine(tmp_path / "m")
    with pytest.raises(InputError, match="no system turns"):
        engine.ask([QUESTIONS[0]])
    asked = replace(QUESTIONS[0], messages=QUESTIONS[0].messages[1:])
    assert not engine.ask([asked])[0].problem


def test_choices_that_the_tokenizer_cannot_tell_apart(qwen) -> None:
    tokenizer = piece_tokenizer()
    assert len(choice_ids(tokenizer, CHOICES)) == len(CHOICES)
    engine = load_local_engine(qwen)
    with pytest.raises(InputError, match="cannot tell"):
        engine.ask([question(0, choices=("positive", "positive"))])
