"""Whole trainings of tiny language models: repeated, killed, refused; what packed rows see; LoRA; the paper's model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers
import trl
from tiny_llm import tiny_llm
from tiny_training import FINDINGS, weights, write_files
from whole_runs import Killed

from hilum.core.errors import InputError, OutputError, ResumeError
from hilum.labelers._llm_card import load_card
from hilum.labelers._prompt import load_prompt
from hilum.models.answer_lines import item_ids, prompt_ids
from hilum.recipes.llm import PAPER_MODEL, PAPER_PARAMETERS, SMALL, paper
from hilum.train import _llm_run
from hilum.train._llm_start import small_config
from hilum.train._llm_trainer import (
    Collator,
    RowOrder,
    check_loss,
    checkpoints_in,
    dataset_of,
    learn_marked_alone,
    seal,
    sealed,
)  # fmt: skip
from hilum.train.llm import Plan, train_llm
from hilum.train.llm_config import LlmProgress, LlmTraining, Lora
from hilum.train.llm_data import Encoded, TokenRow, encode_rows, read_instructions
from hilum.train.losses import IGNORED

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import itertools

from tiny_language_model import tiny_language_model

HERE = Path(__file__).parent
pytestmark = pytest.mark.usefixtures("one_thread")
Causal: Any = transformers.AutoModelForCausalLM


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with invented reports and labels, and one finished run."""
    folder = tmp_path_factory.mktemp("llm")
    write_files(folder, n=50)
    with torch.random.fork_rng():
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        train_llm(tiny_llm(folder, "whole"))
        torch.set_num_threads(before)
    return folder


def killed_at(step: int) -> Any:
    def look(progress: LlmProgress) -> None:
        if progress.done == step and not progress.scored:
            raise Killed

    return look


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


# --- whole runs ---


def test_a_run_leaves_all_that_was_promised(files: Path) -> None:
    run = files / "whole"
    card = load_card(run / "model")
    assert card is not None
    assert card.vocabulary.names == FINDINGS
    assert card.prompt == load_prompt("brief")
    assert card.section == "both"
    names = {path.name for path in (run / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt"))]
    lines = log_of(run)
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 13))
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1, 2]
    about = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert about["versions"]["trl"] == trl.__version__
    assert set(about["data"]) == {"reports", "labels", "vocabulary"}
    assert not (run / "checkpoints").exists()
    again = train_llm(tiny_llm(files, "whole"))
    assert again.finished
    assert again.trained_steps == 12
    assert len(again.dev) == 2


@pytest.fixture(name="loaded_as")
def _loaded_as(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How each file was read by torch: `weights_only` of every call."""
    seen: list[Any] = []
    load = torch.load

    def look(*args: Any, **choices: Any) -> Any:
        seen.append(choices.get("weights_only"))
        return load(*args, **choices)

    monkeypatch.setattr(torch, "load", look)
    return seen


@pytest.mark.parametrize("step", [1, 6, 7])
def test_a_killed_run_goes_on_to_the_same_bytes(
    files: Path, tmp_path: Path, step: int, loaded_as: list[Any]
) -> None:
    config = replace(tiny_llm(files), output=tmp_path / "run")
    with pytest.raises(Killed):
        train_llm(config, progress=killed_at(step))
    result = train_llm(config)
    assert result.resumed_at == {1: 0, 6: 3, 7: 6}[step]
    assert weights(config.output) == weights(files / "whole")
    assert (config.output / "log.jsonl").read_bytes() == (files / "whole" / "log.jsonl").read_bytes()
    assert bool(loaded_as) == (result.resumed_at > 0)
    assert all(one is True for one in loaded_as)


def test_adamw_too_goes_on_to_the_same_bytes(files: Path, tmp_path: Path) -> None:
    config = replace(tiny_llm(files, optimizer="adamw"), output=tmp_path / "run")
    train_llm(replace(config, output=tmp_path / "whole"))
    with pytest.raises(Killed):
        train_llm(config, progress=killed_at(7))
    train_llm(config)
    assert weights(config.output) == weights(tmp_path / "whole")
    assert weights(config.output) != weights(files / "whole")  # those of Muon


def test_a_model_that_says_nothing_but_blank_is_told(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for f1, said in ((0.0, True), (0.3, False), (None, False)):
        scores = {"dev_loss": 0.1, "accuracy": 0.5, "weighted_f1": f1}
        monkeypatch.setattr("hilum.train._llm_follow.dev_scores", lambda *_, s=scores, **__: s)
        notes = train_llm(replace(tiny_llm(files, epochs=1), output=tmp_path / str(f1))).notes
        assert any("has not learned the task" in note for note in notes) == said


def test_the_dev_rows_are_drawn_from_the_whole_dev_side(files: Path, tmp_path: Path) -> None:
    every = tiny_llm(files, dev_share=0.5, output="unused", threads=1)
    seen: list[list[str]] = []

    def look(model: Any, tokenizer: Any, dev: Any, **_: Any) -> dict[str, float | None]:
        seen.append([question.messages[-1].content for question in dev.questions])
        return {"dev_loss": 0.0, "accuracy": 0.5, "weighted_f1": 0.5}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hilum.train._llm_follow.dev_scores", look)
        for seed in (0, 1):
            train_llm(replace(every, seed=seed, epochs=1, dev_rows=10, output=tmp_path / str(seed)))
        train_llm(replace(every, epochs=1, dev_rows=100, output=tmp_path / "all"))
    drawn, _, whole = seen
    assert len(drawn) == 10
    assert drawn == [text for text in whole if text in set(drawn)]
    assert drawn != whole[:10]


def test_signals_of_the_system(files: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "kill_llm.py"), str(files), str(tmp_path / "run")]
    killed = subprocess.run([*command, "7", str(int(signal.SIGKILL))], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    config = replace(tiny_llm(files), output=tmp_path / "run")

    def ask(progress: LlmProgress) -> None:
        if progress.done == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = train_llm(config, progress=ask)
    assert (stopped.finished, stopped.resumed_at, stopped.trained_steps) == (False, 6, 10)
    assert train_llm(config).resumed_at == 10
    assert weights(tmp_path / "run") == weights(files / "whole")


def test_what_does_not_belong_to_the_run_is_refused_and_what_is_torn_is_not_used(
    files: Path, tmp_path: Path
) -> None:
    config = replace(tiny_llm(files), output=tmp_path / "run")
    with pytest.raises(Killed):
        train_llm(config, progress=killed_at(5))
    with pytest.raises(ResumeError, match=r"training\.learning_rate was 0\.005 and is now 0\.1"):
        train_llm(replace(config, learning_rate=0.1))
    with pytest.raises(ResumeError, match="prompt"):
        train_llm(replace(config, prompt="full"))
    [checkpoint] = checkpoints_in(config.output / "checkpoints")
    state = checkpoint / "optimizer.pt"
    torch.save({"state": Path("x")}, state)
    seal(checkpoint, log=0)
    with pytest.raises(ResumeError, match="--fresh"):
        train_llm(config)
    assert sealed(checkpoint) is not None
    state.write_bytes(state.read_bytes()[:-1])
    assert sealed(checkpoint) is None
    assert train_llm(config).resumed_at == 0
    assert weights(config.output) == weights(files / "whole")
    fresh = train_llm(replace(config, learning_rate=0.01, epochs=1), fresh=True)
    assert (fresh.resumed_at, fresh.trained_steps) == (0, 6)


def test_a_folder_of_somebody_else_is_not_used(files: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="other files"):
        train_llm(replace(tiny_llm(files), output=tmp_path))


@pytest.mark.parametrize(
    ("scores", "losses", "kept"),
    [
        ([0.4, 0.6, 0.5], [1.0, 3.0, 2.0], 2),
        ([0.0, 0.0, 0.0], [2.3, 0.8, 0.9], 2),
        ([0.5, 0.5, 0.4], [1.0, 1.0, 1.0], 1),
        ([None, None, None], [3.0, 2.0, 1.0], 3),
    ],
)
def test_the_best_epoch_is_kept_and_of_equals_that_with_less_loss_then_the_first(
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scores: list[float | None],
    losses: list[float],
    kept: int,
) -> None:
    then: list[torch.Tensor] = []

    def scored(model: Any, *_: Any, **__: Any) -> dict[str, float | None]:
        epoch = len(then)
        then.append(model.lm_head.weight.detach().clone())
        return {"dev_loss": losses[epoch], "accuracy": 0.5, "weighted_f1": scores[epoch]}

    monkeypatch.setattr("hilum.train._llm_follow.dev_scores", scored)
    result = train_llm(replace(tiny_llm(files, epochs=3), output=tmp_path / "run"))
    found = Causal.from_pretrained(result.model).lm_head.weight
    assert result.kept_epoch == kept
    assert [bool(torch.equal(found, one)) for one in then] == [n + 1 == kept for n in range(3)]


# --- what is learned ---


def rows_of(files: Path, tokenizer: Any, n: int) -> Encoded:
    rows = read_instructions(tiny_llm(files)).take(range(n))
    return encode_rows(rows, load_prompt("brief"), tokenizer, seed=0, max_tokens=None)


def items(rows: Sequence[TokenRow]) -> list[dict[str, Any]]:
    return [{"input_ids": row.ids, "labels": row.labels, "lines": row.lines} for row in rows]


@pytest.fixture(name="loaded", scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    where = tiny_language_model(tmp_path_factory.mktemp("model"))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where)
    return Causal.from_pretrained(where).eval(), tokenizer


def test_the_loss_is_that_of_marked_tokens(files: Path, loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    made = Collator(pad=0, alone=False)(items(rows_of(files, tokenizer, 4).rows))
    made.pop("tokens_in_batch")
    with torch.no_grad():
        expected = model(**made).loss * (made["labels"] != IGNORED).sum()
        learn_marked_alone(model)
        assert float(model(**made, marked_alone=True)["loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_packed_rows_do_not_see_each_other(files: Path, loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    rows = rows_of(files, tokenizer, 6).rows
    longest = max(len(row.ids) for row in rows)
    packed = trl.pack_dataset(dataset_of(rows, lines=False), seq_length=3 * longest)
    collate = trl.trainer.sft_trainer.DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    made = collate(list(packed))
    labels = made.pop("labels")
    alone = {tuple(row.ids): row for row in rows}
    starts = [*(made["position_ids"][0] == 0).nonzero().flatten().tolist(), labels.shape[1]]
    with torch.no_grad():
        together = model(**made, use_cache=False).logits[0]
        for begin, end in itertools.pairwise(starts):
            ids = made["input_ids"][0, begin:end]
            row = alone.pop(tuple(ids.tolist()))
            assert labels[0, begin + 1 : end].tolist() == row.labels[1:].tolist()
            torch.testing.assert_close(together[begin:end], model(ids[None]).logits[0], atol=1e-5, rtol=0)
    assert not alone


def test_an_answer_that_stands_alone_is_what_the_labeler_asks(files: Path, loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    rows = read_instructions(tiny_llm(files)).take(range(3))
    prompt = load_prompt("brief")
    encoded = encode_rows(rows, prompt, tokenizer, seed=0, max_tokens=None).rows
    made = Collator(pad=0, alone=True)(items(encoded))
    made.pop("tokens_in_batch")
    made.pop("labels")
    with torch.no_grad():
        together = model(**made).logits
        for place, row in enumerate(encoded):
            before = prompt_ids(tokenizer, prompt.question(rows.texts[place], rows.vocabulary).messages)
            for finding in FINDINGS:
                asked = item_ids(tokenizer, finding)
                begin = next(
                    i
                    for i in range(len(before), len(row.ids))
                    if tuple(row.ids[i : i + len(asked)].tolist()) == asked
                )
                expected = model(torch.tensor([[*before, *asked]])).logits[0, -1]
                found = together[place, begin + len(asked) - 1]
                torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_rows_of_an_epoch_come_once_and_by_length() -> None:
    lengths = [(7 * i) % 100 + 1 for i in range(103)]
    order = RowOrder(lengths, batch_size=10, by_length=True, seed=0)
    first = list(order)
    assert sorted(first) == list(range(103))
    assert first == list(order)
    order.epoch = 1
    assert list(order) != first
    spread = [max(lengths[i] for i in first[b : b + 10]) - min(lengths[i] for i in first[b : b + 10])
              for b in range(0, 100, 10)]  # fmt: skip
    assert max(spread) < 15


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_told(loss: float) -> None:
    with pytest.raises(InputError, match="nothing more is learned"):
        check_loss(loss, 3)
    with pytest.raises(InputError, match="exactly 0"):
        check_loss(0.0, 0)


def test_a_run_whose_loss_breaks_says_so(files: Path, tmp_path: Path) -> None:
    config = replace(tiny_llm(files, learning_rate=1e25, clip_norm=1e30), output=tmp_path / "run")
    with pytest.raises(InputError, match="lower --lr"):
        train_llm(config)


# --- from a model ---


def from_model(files: Path, tmp_path: Path, **choices: Any) -> LlmTraining:
    model = tmp_path / "model"
    if not model.exists():
        tiny_language_model(model)
    return replace(tiny_llm(files, model=str(model), epochs=1, **choices), output=tmp_path / "run")


def test_lora_trains_an_adapter_and_merges_it(files: Path, tmp_path: Path) -> None:
    config = from_model(files, tmp_path, lora=Lora(rank=2, alpha=4), learning_rate=0.05)
    with pytest.raises(Killed):
        train_llm(config, progress=killed_at(5))
    result = train_llm(config)
    assert result.resumed_at == 3
    names = {path.name for path in result.model.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "hilum_llm.json"} <= names
    assert "model.safetensors" not in names
    merged = train_llm(replace(config, merge=True, output=tmp_path / "merged"))
    found = safetensors.torch.load_file(merged.model / "model.safetensors")
    before = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    assert set(found) == set(before)
    assert torch.equal(found["model.embed_tokens.weight"], before["model.embed_tokens.weight"])
    assert not torch.equal(
        found["model.layers.0.mlp.up_proj.weight"], before["model.layers.0.mlp.up_proj.weight"]
    )


@pytest.mark.parametrize("batches", ["packed", "shuffled"])
def test_other_ways_of_batching_train_too(files: Path, tmp_path: Path, batches: str) -> None:
    config = from_model(files, tmp_path, batches=batches, answers="in-turn", max_tokens=200, accumulation=2)
    config = replace(config, batch_size=2, log_every=1)
    result = train_llm(config)
    losses = [line["loss"] for line in log_of(config.output) if line["kind"] == "step"]
    assert result.finished
    assert losses[-1] < losses[0]


def test_mixed_precision_trains_and_is_scored_in_the_type_of_the_weights(files: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = train_llm(replace(tiny_llm(files, precision="bf16"), output=run))
    assert [line["epoch"] for line in result.dev] == [1, 2]
    mixed, plain = (
        [line["loss"] for line in log_of(folder) if line["kind"] == "step"]
        for folder in (run, files / "whole")
    )
    assert mixed != plain
    assert mixed == pytest.approx(plain, rel=0.05)
    assert {
        one.dtype for one in safetensors.torch.load_file(result.model / "model.safetensors").values()
    } == {torch.float32}


def test_reports_longer_than_the_limit_are_counted(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"All .* more than 20 tokens"):
        train_llm(from_model(files, tmp_path, max_tokens=20))
    told: list[str] = []
    rows = read_instructions(tiny_llm(files))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    lengths = sorted(len(one.ids) for one in rows_of(files, tokenizer, len(rows)).rows)
    limit = lengths[len(lengths) // 2]
    train_llm(from_model(files, tmp_path, max_tokens=limit), tell=told.append)
    assert any(f"more than {limit} tokens" in line and "left out" in line for line in told)


def test_models_that_cannot_be_read(files: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for name in ("config.json", "pytorch_model.bin", "tokenizer.json"):
        (pickled / name).write_text("{}", encoding="utf-8")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}", encoding="utf-8")
    for number, (model, said) in enumerate({
        str(tmp_path / "no" / "where"): "There is no folder",
        str(tmp_path / "empty"): "it lacks config.json",
        str(pickled): "weights as pickle alone",
        str(adapter): "is a LoRA adapter",
    }.items()):  # fmt: skip
        with pytest.raises(InputError, match=said):
            train_llm(tiny_llm(files, str(tmp_path / f"a{number}"), model=model))
    bare = tiny_language_model(tmp_path / "bare", template=None)
    with pytest.raises(InputError, match="no chat template"):
        train_llm(tiny_llm(files, str(tmp_path / "b"), model=str(bare)))


# --- the recipes ---


def test_the_paper_s_model_has_its_parameters() -> None:
    with torch.device("meta"):
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**PAPER_MODEL))
    assert sum(one.numel() for one in model.parameters()) == PAPER_PARAMETERS == 463_987_712


def test_the_paper_s_settings(tmp_path: Path) -> None:
    config = paper(tmp_path / "run", tmp_path / "r.csv", labels=tmp_path / "l.csv", model="Qwen/Qwen1.5-0.5B")
    assert (config.batch_size, config.accumulation, config.epochs, config.learning_rate) == (2, 2, 5, 1e-4)
    four, one = Plan(config, 1600, 4), Plan(config, 1600, 1)
    assert (four.batch, four.steps, one.batch) == (16, 500, 4)
    assert "2 reports x 2 passes x 4 devices = 16" in four.lines(1)[1]
    assert len(four.lines(1)) == 2
    assert "--accumulation 8" in one.lines(1)[2]


def test_the_small_model_is_small() -> None:
    with torch.device("meta"):
        model = transformers.Qwen2ForCausalLM(small_config(SMALL, pieces=SMALL.pieces))
    assert sum(one.numel() for one in model.parameters()) < 2_500_000


def test_a_missing_gpu_is_told(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_llm_run.torch.cuda, "is_available", lambda: False)
    for choices, said in (({"device": "cuda"}, "no GPU"), ({"precision": "fp16"}, "needs a GPU")):
        with pytest.raises(InputError, match=said):
            train_llm(replace(tiny_llm(files, **choices), output=tmp_path / "run"))
