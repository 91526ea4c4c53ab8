"""What the training of a language model starts from: its tokenizer and its first weights."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.labelers._prompt import Prompt
from hilum.models._local_files import ADAPTER, checked_source
from hilum.models.answer_lines import END
from hilum.train.byte_pairs import SPECIAL, byte_pairs, count_chunks, write_chat_tokenizer
from hilum.train.llm_config import LlmTraining, SmallModel
from hilum.train.llm_data import InstructionRows

_Any: Any = transformers


class Start(NamedTuple):
    """A causal language model, its tokenizer, and how many tokens it can read."""

    model: Any
    tokenizer: Any
    context: int | None


def start(
    config: LlmTraining,
    rows: InstructionRows,
    prompt: Prompt,
    *,
    folder: Path,
    tell: Callable[[str], None],
    main: bool,
    wait: Callable[[], None],
) -> Start:
    """The model and tokenizer of a training. `rows` make the vocabulary of a model from scratch, written to `folder`.

    Raises InputError for a folder without model, tokenizer or safetensors.
    """
    if config.model is not None:
        return _pretrained(config.model)
    shape = config.architecture
    assert shape is not None  # noqa: S101  (checked by LlmTraining)
    if main:
        tell(f"making a vocabulary of {shape.pieces:,} pieces from {len(rows):,} reports")
        pieces, merges = byte_pairs(count_chunks(spoken(rows, prompt)), size=shape.pieces)
        write_chat_tokenizer(folder, pieces, merges, max_tokens=shape.context)
    wait()
    tokenizer = _Any.AutoTokenizer.from_pretrained(folder)
    return Start(_from_scratch(shape, tokenizer, seed=config.seed), tokenizer, shape.context)


def spoken(rows: InstructionRows, prompt: Prompt) -> list[str]:
    """All that is said in training: conversations, and answers with every state once per row."""
    answers = "".join(f"{name}: {word}{END}" for name in rows.vocabulary.names for word in prompt.words)
    texts = [message.content for r in rows.texts for message in prompt.question(r, rows.vocabulary).messages]
    return [*texts, *[f"system\nuser\nassistant\n{answers}"] * len(rows)]


def small_config(shape: SmallModel, *, pieces: int) -> Any:
    """The Qwen2 configuration of a small model with tied embeddings."""
    return _Any.Qwen2Config(
        vocab_size=pieces,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.attention_heads,
        num_key_value_heads=shape.key_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        pad_token_id=SPECIAL.index("<|endoftext|>"),
        eos_token_id=SPECIAL.index("<|im_end|>"),
    )


def _from_scratch(shape: SmallModel, tokenizer: Any, *, seed: int) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(int(rng_for(seed, "first weights").integers(2**62)))
        return _Any.Qwen2ForCausalLM(small_config(shape, pieces=len(tokenizer)))


def _pretrained(where: str) -> Start:
    if (Path(where) / ADAPTER).is_file():
        raise InputError(
            f"{where} is a LoRA adapter, and only whole models are trained on. Next step: the model that it was made "
            "for, or the adapter trained again with --merge."
        )
    checked_source(where, None)
    try:
        tokenizer = _Any.AutoTokenizer.from_pretrained(where, trust_remote_code=False)
        model = _Any.AutoModelForCausalLM.from_pretrained(
            where, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300].rstrip(".")
        raise InputError(
            f"No language model can be read from {where!r}: {why}. Next step: the "
            "folder of a model as transformers keeps it (config.json, *.safetensors, tokenizer), or a hub id."
        ) from error
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is None:
        raise InputError(f"The tokenizer in {where!r} has neither a padding token nor one that ends a turn.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return Start(model, tokenizer, context)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let transformers, TRL, PEFT and datasets say errors alone while inside: what they warn of is decided here."""
    import datasets  # noqa: PLC0415

    loggers = [logging.getLogger(name) for name in ("transformers", "trl", "peft", "accelerate", "datasets")]
    before = [one.level for one in loggers]
    bars = datasets.are_progress_bars_disabled()
    shards = _Any.utils.logging.is_progress_bar_enabled()
    for one in loggers:
        one.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    _Any.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()
        if shards:
            _Any.utils.logging.enable_progress_bar()
