"""Findings asked behind one shared prompt against as many separate prompts, and the two ways of answering.

    python benchmarks/llm_scoring.py [--model DIR] [--device cpu|cuda] [--precision float32|bfloat16] [--threads 1]
        [--lengths 100,300,1000] [--prompts 8] [--rounds 3] [--batch-tokens N] [--reports 300]
        [--hidden 512] [--layers 6] [--context 4096] [--vocabulary 2500] [--json OUT]

Reports are invented (the report generator of the phantom set), joined until a prompt has about P tokens. Without
`--model` the model is a Qwen2 with random weights, and its tokenizer is trained on such reports.

Shared and separate prompts give the same probabilities and run in turns in one process; the best round of each counts,
in seconds of this process where it has one thread of a processor (the ratio by the clock is in the JSON).
The separate way is batched by the same number of tokens, with nothing but plain causal attention over prompt and
finding, padded at the end, and reads the vocabulary only where a choice follows; where choices are split into tokens
that branch, each finding has a tree of its own behind a prompt of its own. s is the mean number of tokens that a
finding adds; the arithmetic allows 14(P+s)/(P+14s) with P the mean length of the prompts. What reports begin with in
common is read for each of them, so that the ratio is that of one report; `ask` reads it once, which is in the speed of
the two ways of answering.

Scoring and generation answer the same `--reports` reports; they should agree wherever the two best choices differ by
more than 1e-4 in probability, and no answer may be anything but one of the choices.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from _common import table_lines, write_json

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from hilum.core.vocabulary import CHEXPERT14
from hilum.datasets._speech.generated import ReportOptions, generate_reports
from hilum.labelers._prompt import Prompt, load_prompt
from hilum.models import _local_forward as forward
from hilum.models._choice_tree import ChoiceTree, Ids, choice_tree
from hilum.models.answer_lines import choice_ids, item_ids, prompt_ids
from hilum.models.batches import buckets
from hilum.models.engine import Question
from hilum.models.local_engine import LocalEngine, load_local_engine

GAP = 1e-4
TOKENS = 4000
"""Of the prompts of one length, at most: so that the separate ones end in time."""
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
Array = npt.NDArray[np.float64]


# --- model and texts ---


def texts_of(n: int, *, seed: int) -> list[str]:
    """Invented reports, long-ish ones."""
    options = ReportOptions(context=0.5, context_words=60)
    return [report.text for report in generate_reports(n, seed=seed, options=options)]


def random_model(folder: Path, *, hidden: int, layers: int, context: int, vocabulary: int) -> Path:
    """A Qwen2 with random weights and a tokenizer of its own, in `folder`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    full = load_prompt("full").question("", CHEXPERT14).messages[-1].content
    tokenizer.train_from_iterator([*texts_of(1000, seed=7), *[full] * 5], trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = CHATML
    config = transformers.Qwen2Config(
        vocab_size=len(fast),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=hidden // 64,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    torch.manual_seed(0)
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def prompts_of(engine: LocalEngine, prompt: Prompt, length: int, count: int) -> list[Ids]:
    """Prompts of about `length` tokens, between 0.9 and 1.1 of it."""
    sentences = [s for text in texts_of(60 * count, seed=length) for s in text.replace("\n", " ").split(". ")]
    found, place = [], 0
    for number in range(count):
        wanted = int(length * (0.9 + 0.2 * number / max(1, count - 1)))
        said: list[str] = []
        while True:
            said.append(sentences[place % len(sentences)])
            place += 1
            messages = prompt.question(". ".join(said), CHEXPERT14).messages
            if engine.count(messages) >= wanted or len(said) > length:
                break
        found.append(prompt_ids(engine.tokenizer, messages))
    return found


# --- shared and separate ---


def shared(model: Any, prompts: Sequence[Ids], tree: ChoiceTree, batch_tokens: int) -> Array:
    """Log-probabilities [N, I, C], one prompt for all findings."""
    found = np.empty((len(prompts), tree.items, tree.choices))
    with torch.inference_mode():
        for batch in buckets([len(ids) + tree.nodes for ids in prompts], batch_tokens=batch_tokens):
            found[batch] = forward.scored(model, [prompts[n] for n in batch], tree)
    return found


def inner_paths(choices: Sequence[Ids]) -> list[Ids]:
    """What is read behind a finding: the choices without their last tokens, as few as cover all of them."""
    inner = {ids[:-1] for ids in choices}
    return sorted(one for one in inner if not any(o != one and o[: len(one)] == one for o in inner))


def separate(
    model: Any, prompts: Sequence[Ids], items: Sequence[Ids], choices: Sequence[Ids], batch_tokens: int
) -> Array:
    """The same [N, I, C], each finding behind a prompt of its own."""
    paths = inner_paths(choices)
    if len(paths) > 1:
        return np.concatenate(
            [shared(model, prompts, choice_tree([item], choices), batch_tokens) for item in items], axis=1
        )
    rows = [(n, i) for n in range(len(prompts)) for i in range(len(items))]
    lengths = [len(prompts[n]) + len(items[i]) + len(paths[0]) for n, i in rows]
    found = np.full((len(prompts), len(items), len(choices)), np.nan)
    with torch.inference_mode():
        for batch in buckets(lengths, batch_tokens=batch_tokens):
            asked = [rows[row] for row in batch]
            ids = [[*prompts[n], *items[i], *paths[0]] for n, i in asked]
            found[tuple(zip(*asked, strict=True))] = _separate_batch(model, ids, choices, len(paths[0]))
    return found


def _separate_batch(model: Any, ids: Sequence[Sequence[int]], choices: Sequence[Ids], inner: int) -> Array:
    """Log-probabilities [B, C]: one causal pass over each row, whose last `inner` ids are those within choices."""
    longest = max(map(len, ids))
    ids_BT = torch.tensor([[*one, *[0] * (longest - len(one))] for one in ids], device=model.device)
    hidden_BTD = model.get_decoder()(input_ids=ids_BT, use_cache=False).last_hidden_state
    last_B1 = torch.tensor([[len(one) - 1] for one in ids], device=model.device)
    places_BK = last_B1 - inner + torch.arange(inner + 1, device=model.device)
    kept_BKD = hidden_BTD[torch.arange(len(ids), device=model.device)[:, None], places_BK]
    logp_BKV = torch.log_softmax(model.get_output_embeddings()(kept_BKD).float(), dim=-1).cpu().numpy()
    steps = [[logp_BKV[:, k, token] for k, token in enumerate(choice)] for choice in choices]
    return np.stack([np.sum(one, axis=0, dtype=np.float64) for one in steps], axis=1)


def normalised(lines_NIC: Array) -> Array:
    """Probabilities over the choices."""
    return np.exp(lines_NIC - np.logaddexp.reduce(lines_NIC, axis=-1, keepdims=True))


class Seconds(NamedTuple):
    """Of the clock, and of this process alone: what counts on a processor that others use too."""

    wall: float
    own: float

    @property
    def counted(self) -> float:
        """Those of the process on one thread of a processor, else those of the clock."""
        return self.own if torch.get_num_threads() == 1 and not torch.cuda.is_available() else self.wall


def timed(device: str, run: Callable[[], Array]) -> tuple[Seconds, Array]:
    """Seconds, and what came out."""
    begun, own = time.perf_counter(), time.process_time()
    found = run()
    if device == "cuda":
        torch.cuda.synchronize()
    return Seconds(time.perf_counter() - begun, time.process_time() - own), found


def compare(engine: LocalEngine, length: int, options: argparse.Namespace) -> dict[str, Any]:
    """One row of the first table."""
    model, prompt = engine.model, load_prompt("brief")
    prompts = prompts_of(engine, prompt, length, max(2, min(options.prompts, TOKENS // length)))
    items = [item_ids(engine.tokenizer, name) for name in CHEXPERT14.names]
    choices = choice_ids(engine.tokenizer, prompt.words)
    tree = choice_tree(items, choices)
    ways = {
        "shared": lambda: shared(model, prompts, tree, engine.batch_tokens),
        "separate": lambda: separate(model, prompts, items, choices, engine.batch_tokens),
    }
    best: dict[str, float] = dict.fromkeys(ways, float("inf"))
    walls: dict[str, float] = dict.fromkeys(ways, float("inf"))
    found = {}
    for _ in range(options.rounds):
        for way, run in ways.items():
            seconds, found[way] = timed(model.device.type, run)
            best[way], walls[way] = min(best[way], seconds.counted), min(walls[way], seconds.wall)
            print(f"\rP {length}, {way}: {seconds.counted:.2f} s   ", end="", flush=True)
    print("\r", end="")
    P = float(np.mean([len(ids) for ids in prompts]))
    s = float(np.mean([choice_tree([item], choices).nodes for item in items]))
    bound = len(items) * (P + s) / (P + len(items) * s)
    ratio = best["separate"] / best["shared"]
    apart = float(np.abs(normalised(found["shared"]) - normalised(found["separate"])).max())
    return {
        "P": P, "s": s, "nodes": tree.nodes, "bound": bound, "ratio": ratio, "of_bound": ratio / bound,
        "shared_s": best["shared"], "separate_s": best["separate"], "reports": len(prompts),
        "wall_ratio": walls["separate"] / walls["shared"],
        "reports_a_second": len(prompts) / best["shared"], "most_apart": apart,
    }  # fmt: skip


# --- the two ways of answering ---


def answers(engine: LocalEngine, questions: Sequence[Question]) -> tuple[Array, int, float]:
    """Probabilities [N, I, C], the number of answers that are none, and reports a second."""
    begun = time.perf_counter()
    replies = []
    for start in range(0, len(questions), 250):
        replies += engine.ask(questions[start : start + 250])
        print(f"\r{engine.answer}: {len(replies)} of {len(questions)}", end="", flush=True)
    seconds = time.perf_counter() - begun
    print()
    shape = (len(questions[0].items), len(questions[0].choices))
    bad = sum(
        len(reply.chosen) != shape[0] or not all(0 <= place < shape[1] for place in reply.chosen)
        for reply in replies
    )
    none = np.full(shape, np.nan)
    logs = [none if reply.log_probabilities is None else reply.log_probabilities for reply in replies]
    return np.exp(np.array(logs)), bad, len(questions) / seconds


def agreement(scoring: LocalEngine, options: argparse.Namespace) -> dict[str, Any]:
    """Both ways over the same reports."""
    generation = LocalEngine(
        scoring.model,
        scoring.tokenizer,
        digest=scoring.stamp["model"],
        answer="generation",
        batch_tokens=scoring.batch_tokens,
    )
    prompt = load_prompt("brief")
    questions = [prompt.question(text, CHEXPERT14) for text in texts_of(options.reports, seed=11)]
    a_NIC, bad_a, speed_a = answers(scoring, questions)
    b_NIC, bad_b, speed_b = answers(generation, questions)
    ordered = np.sort(a_NIC, axis=-1)
    clear_NI = ordered[..., -1] - ordered[..., -2] > GAP
    same_NI = a_NIC.argmax(axis=-1) == b_NIC.argmax(axis=-1)
    return {
        "reports": len(questions), "cells": int(clear_NI.size), "clear": int(clear_NI.sum()),
        "agree_when_clear": int((same_NI & clear_NI).sum()), "agree": int(same_NI.sum()),
        "most_apart": float(np.nanmax(np.abs(a_NIC - b_NIC))),
        "unparsable_scoring": bad_a, "unparsable_generation": bad_b,
        "scoring_reports_a_second": speed_a, "generation_reports_a_second": speed_b,
    }  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        size = {name: getattr(options, name) for name in ("hidden", "layers", "context", "vocabulary")}
        place = options.model or random_model(Path(folder), **size)
        engine = load_local_engine(
            place, device=options.device, precision=options.precision, threads=options.threads
        )
        if options.batch_tokens:
            engine.batch_tokens = options.batch_tokens
        parameters = sum(p.numel() for p in engine.model.parameters())
        print(
            f"{parameters:,} parameters, {engine.stamp['precision']}, {engine.model.device}, "
            f"{torch.get_num_threads()} thread(s), batches of {engine.batch_tokens} tokens"
        )
        rows = [compare(engine, length, options) for length in options.lengths]
        _print_lengths(rows)
        both = agreement(engine, options) if options.reports else {}
        for name, value in both.items():
            print(f"{name:30} {value:.4g}" if isinstance(value, float) else f"{name:30} {value:,}")
        setting = {"parameters": parameters, **engine.stamp, "device": str(engine.model.device)}
        setting |= {"threads": torch.get_num_threads(), "batch_tokens": engine.batch_tokens}
    write_json(options.json, "llm_scoring", {"setting": setting, "lengths": rows, "ways": both})


def _print_lengths(rows: Sequence[dict[str, Any]]) -> None:
    header = (
        "P",
        "s",
        "nodes",
        "separate s",
        "shared s",
        "ratio",
        "bound",
        "of bound",
        "reports/s",
        "apart",
    )
    lines = [
        (
            f"{row['P']:.0f}", f"{row['s']:.1f}", f"{row['nodes']}", f"{row['separate_s']:.2f}",
            f"{row['shared_s']:.2f}", f"{row['ratio']:.2f}", f"{row['bound']:.2f}", f"{row['of_bound']:.1%}",
            f"{row['reports_a_second']:.2f}", f"{row['most_apart']:.1e}",
        )
        for row in rows
    ]  # fmt: skip
    print("\n".join(table_lines(header, lines)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--lengths", type=lambda text: [int(n) for n in text.split(",")], default=[100, 300, 1000]
    )
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int)
    parser.add_argument("--reports", type=int, default=300)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--vocabulary", type=int, default=2500)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
