"""What a training starts from: the spec of its heads, the tokenizer, and the model with its first weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import transformers

from hilum.core.errors import InputError
from hilum.core.rng import rng_for
from hilum.core.vocabulary import SHIPPED
from hilum.models.encoder_spec import EncoderSpec, Head, spec_for
from hilum.models.report_encoder import ReportEncoder, load_encoder, load_tokenizer, new_encoder, token_limit
from hilum.train.config import Architecture, LabelerTraining
from hilum.train.wordpiece import SPECIAL, count_words, word_pieces, write_tokenizer

_CLASSES = {"presence": 2, "probability": 1}


class Start(NamedTuple):
    """A model in training mode, and its tokenizer."""

    model: ReportEncoder
    tokenizer: Any


def spec_of(config: LabelerTraining) -> EncoderSpec:
    """The spec that a training makes; one that goes on from a checkpoint keeps how that prepares texts.

    Raises InputError when the checkpoint has other heads.
    """
    base = spec_for(config.vocabulary, kind=config.recipe)
    names = SHIPPED[config.vocabulary]
    wanted = {names.names[names.index(finding)] for finding in config.findings} or set(base.findings)
    heads = tuple(
        Head(head.finding, _CLASSES.get(config.heads, head.classes))
        for head in base.heads
        if head.finding in wanted
    )
    spec = replace(base, heads=heads, max_tokens=config.max_tokens, window_tokens=config.window_tokens)
    if config.checkpoint is None:
        return spec
    earlier = load_encoder(config.checkpoint).spec
    if (earlier.vocabulary, earlier.heads) != (spec.vocabulary, spec.heads):
        raise InputError(
            f"{config.checkpoint} has other heads ({earlier.vocabulary}: {_told(earlier)}) than this training "
            f"({spec.vocabulary}: {_told(spec)}). Next step: --init {config.checkpoint} takes its encoder alone, with "
            "new heads."
        )
    return replace(spec, text=earlier.text, max_tokens=min(spec.max_tokens, earlier.max_tokens))


def _told(spec: EncoderSpec) -> str:
    return ", ".join(f"{head.finding} {head.classes}" for head in spec.heads)


def start(
    config: LabelerTraining,
    spec: EncoderSpec,
    texts: Sequence[str],
    *,
    folder: Path,
    tell: Callable[[str], None],
    main: bool,
    wait: Callable[[], None],
) -> Start:
    """The model and tokenizer of a training. `texts` make the vocabulary of a model from scratch.

    The tokenizer of a model from scratch is written into `folder` by the main process; `wait` is where the
    others wait for it.
    """
    if config.checkpoint is not None:
        loaded = load_encoder(config.checkpoint)
        loaded.model.spec = spec
        model, tokenizer = loaded.model, loaded.tokenizer
    elif config.pretrained is not None:
        tokenizer = load_tokenizer(config.pretrained)
        model = new_encoder(config.pretrained, spec, seed=_seed(config))
    else:
        shape = cast("Architecture", config.architecture)
        if main:
            tell(f"making a vocabulary of {shape.pieces:,} word pieces from {len(texts):,} reports")
            pieces = word_pieces(count_words(texts), size=shape.pieces)
            write_tokenizer(folder, pieces, max_tokens=spec.max_tokens)
        wait()
        tokenizer = load_tokenizer(folder)
        bert = _bert(shape, pieces=len(tokenizer), max_tokens=spec.max_tokens)
        model = new_encoder(None, spec, config=bert, seed=_seed(config))
    return Start(_ready(model, config), tokenizer)


def _seed(config: LabelerTraining) -> int:
    return int(rng_for(config.seed, "first weights").integers(2**62))


def _bert(shape: Architecture, *, pieces: int, max_tokens: int) -> Any:
    return transformers.BertConfig(
        vocab_size=pieces,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.attention_heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=max_tokens,
        pad_token_id=SPECIAL.index("[PAD]"),
    )


def _ready(model: ReportEncoder, config: LabelerTraining) -> ReportEncoder:
    model.dropout.p = config.dropout
    pooler = getattr(model.bert, "pooler", None)
    if pooler is not None:  # not used, so it has no gradient
        pooler.requires_grad_(False)
    if model.spec.max_tokens > token_limit(model.bert.config):
        raise InputError(
            f"The encoder takes at most {token_limit(model.bert.config)} tokens. Next step: --max-tokens."
        )
    return model.train()
