"""The checkpoints that the public CheXbert and VisualCheXbert programs save, read without running their code.

What those programs write (src/run_bert.py of stanfordmlgroup/CheXbert and stanfordmlgroup/VisualCheXbert):
`torch.save({"epoch", "model_state_dict", "optimizer_state_dict"})`, by torch 1.4, so in the format from before zip
files. The model is a `bert_labeler` in `DataParallel`: keys are `module.bert.*`, the unused pooler included, and
`module.linear_heads.N.weight|bias`, with 13 heads of 4 and one of 2, or 14 of 1, in the order of CONDITIONS of
src/constants.py. Without a GPU, src/label.py cuts the first seven characters off each key. transformers 2.5.1 also
stored `bert.embeddings.position_ids` in some releases after it. The configuration is not in the file: it is
BERT-base's (64 numbers per attention head), and its sizes are read from the tensors here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from hilum.core.errors import InputError
from hilum.models._encoder_files import ENCODER, blank_encoder, check_tensors
from hilum.models._neural import torch, transformers
from hilum.models._plain_files import check_file, load_plain
from hilum.models._weight_files import check_free, write_at_once
from hilum.models.encoder_spec import (
    CHEXBERT,
    VISUALCHEXBERT,
    EncoderSpec,
    chexbert_spec,
    visualchexbert_spec,
)
from hilum.models.logreg_pickle import read_logreg
from hilum.models.report_encoder import ReportEncoder, check_tokenizer, load_tokenizer, save_encoder

_STATES = "model_state_dict"
_PREFIX = "module."
_IGNORED = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
_HEAD = re.compile(r"linear_heads\.(\d+)\.weight")
_LAYER = re.compile(r"bert\.encoder\.layer\.(\d+)\.")
_NUMBERS_PER_HEAD = 64


class Converted(NamedTuple):
    """What `convert_checkpoint` wrote: the folder, the spec, the number of weights, and what was left out."""

    folder: Path
    spec: EncoderSpec
    parameters: int
    left_out: tuple[str, ...]


class Original(NamedTuple):
    """The tensors of a checkpoint without the prefix, and the names of those that were left out."""

    tensors: dict[str, torch.Tensor]
    left_out: tuple[str, ...]


def read_original(path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict of an original checkpoint: keys `bert.*` and `linear_heads.N.*`, tensors on the CPU.

    Raises InputError when the file cannot be read, holds anything but numbers in tensors, lists and dictionaries
    (no code of it is run), or has no state dict.
    """
    return _original(Path(path)).tensors


def convert_checkpoint(
    path: str | Path,
    out: str | Path,
    *,
    tokenizer: str | Path,
    kind: str | None = None,
    logreg: str | Path | None = None,
    text: str | None = None,
    attention_heads: int | None = None,
    force: bool = False,
) -> Converted:
    """Turn an original checkpoint into a folder for `load_encoder` at `out`, whole or not at all.

    `kind` is found by the shapes of the heads when it is not given. `tokenizer` is a folder or hub id; `logreg` the
    pickled logistic regressions of VisualCheXbert; `text` a mode of `text.bert_text`; `attention_heads` is needed
    only where it is not the hidden size by 64. An earlier encoder at `out` is replaced only with `force`, and
    anything else there never.

    Raises InputError when a file cannot be used or files do not belong together, OutputError when `out` is taken or
    cannot be written.
    """
    dest = Path(out)
    check_free(dest, ENCODER, force=force, forced_by="add --force")
    tensors, left_out = _original(Path(path))
    spec = _spec(tensors, kind, where=str(path))
    if text is not None:
        spec = replace(spec, text=text)
    if logreg is not None:
        spec = _with_logreg(spec, logreg)
    loaded_tokenizer = load_tokenizer(tokenizer)
    model = _model(tensors, spec, attention_heads=attention_heads, where=str(path))
    check_tokenizer(
        loaded_tokenizer, model.bert.config, where=f"The tokenizer in {tokenizer}", same_size=True
    )
    write_at_once(dest, lambda folder: save_encoder(folder, model, loaded_tokenizer))
    return Converted(dest, model.spec, sum(p.numel() for p in model.parameters()), left_out)


# --- reading ---


def _original(path: Path) -> Original:
    check_file(path, give="the checkpoint file, e.g. chexbert.pth")
    found = load_plain(path, why_refused=_why_refused)
    if isinstance(found, dict) and _STATES in found:
        found = found[_STATES]
    if not isinstance(found, Mapping) or not found or not all(isinstance(key, str) for key in found):
        raise InputError(
            f"{path} has no {_STATES!r}, so it is no checkpoint of CheXbert or VisualCheXbert. Next step: give the "
            "file that the public program saved or offers (chexbert.pth, visualCheXbert.pth)."
        )
    strange = [key for key, value in found.items() if not isinstance(value, torch.Tensor)]
    if strange:
        raise InputError(f"{path}: {strange[0]!r} is no tensor, so this is no state dict of a labeler.")
    return _without_prefix(found, path)


def _without_prefix(found: Mapping[str, torch.Tensor], path: Path) -> Original:
    with_prefix = [key for key in found if key.startswith(_PREFIX)]
    if with_prefix and len(with_prefix) < len(found):
        other = next(key for key in found if not key.startswith(_PREFIX))
        raise InputError(
            f"{path}: {len(with_prefix)} keys begin with {_PREFIX!r} and others do not ({other!r}). Next step: give "
            "the checkpoint as the program saved it."
        )
    start = len(_PREFIX) if with_prefix else 0
    tensors = {key[start:]: value for key, value in found.items()}
    left_out = tuple(key for key in _IGNORED if key in tensors)
    return Original({key: value for key, value in tensors.items() if key not in _IGNORED}, left_out)


def _why_refused(asked: str | None, said: str) -> str:
    why = f"it asks for {asked}" if asked else f"it is no plain checkpoint ({said})"
    return (
        f"{why}. Only tensors and plain values are read from a checkpoint, because anything else could run code. "
        "Next step: give the file that the public program saved."
    )


# --- what is in it ---


def _spec(tensors: Mapping[str, torch.Tensor], kind: str | None, *, where: str) -> EncoderSpec:
    known = {CHEXBERT: chexbert_spec(), VISUALCHEXBERT: visualchexbert_spec()}
    if kind is not None and kind not in known:
        raise InputError(f"There is no original checkpoint of the kind {kind!r}. Known: {', '.join(known)}.")
    heads = {int(m.group(1)): key for key in tensors if (m := _HEAD.fullmatch(key))}
    sizes = tuple(
        tensors[heads[place]].shape[0] if tensors[heads[place]].dim() else 0 for place in sorted(heads)
    )
    in_order = sorted(heads) == list(range(len(heads)))
    found = [name for name, spec in known.items() if in_order and spec.sizes == sizes]
    if kind is not None and found != [kind]:
        wanted = _sizes_in_words(known[kind].sizes)
        raise InputError(
            f"{where}: heads of {kind} are {wanted}, and this file has {_sizes_in_words(sizes)}. Next step: leave out "
            "the kind, or give the other checkpoint."
        )
    if not found:
        wanted = "; ".join(f"{name}: {_sizes_in_words(spec.sizes)}" for name, spec in known.items())
        raise InputError(
            f"{where} has {_sizes_in_words(sizes)} in linear_heads, which fits no known labeler ({wanted}). Next step: "
            "check that this is a whole checkpoint of CheXbert or VisualCheXbert."
        )
    return known[found[0]]


def _sizes_in_words(sizes: tuple[int, ...]) -> str:
    if not sizes:
        return "no heads"
    return " and ".join(f"{sizes.count(size)} heads of {size}" for size in dict.fromkeys(sizes))


def _with_logreg(spec: EncoderSpec, path: str | Path) -> EncoderSpec:
    if spec.kind != VISUALCHEXBERT:
        raise InputError(
            f"Logistic regressions belong to VisualCheXbert, and this checkpoint is of the kind {spec.kind}. "
            "Next step: leave out the logistic regressions."
        )
    return replace(spec, logreg=read_logreg(path, vocabulary=spec.vocabulary, inputs=spec.findings))


def _model(
    tensors: Mapping[str, torch.Tensor], spec: EncoderSpec, *, attention_heads: int | None, where: str
) -> ReportEncoder:
    config = _config(tensors, attention_heads=attention_heads, where=where)
    with torch.random.fork_rng(devices=[]):
        model = ReportEncoder(blank_encoder(config), _fitting(spec, config))
    check_tensors(
        tensors, {key: tuple(value.shape) for key, value in model.state_dict().items()}, where=where
    )
    model.load_state_dict(dict(tensors))
    return model.eval()


def _fitting(spec: EncoderSpec, config: Any) -> EncoderSpec:
    return replace(spec, max_tokens=min(spec.max_tokens, int(config.max_position_embeddings)))


def _config(tensors: Mapping[str, torch.Tensor], *, attention_heads: int | None, where: str) -> Any:
    """BERT's configuration with the sizes of the tensors; what no tensor tells is BERT-base's."""
    words, hidden = _shape(tensors, "bert.embeddings.word_embeddings.weight", where)
    positions, _ = _shape(tensors, "bert.embeddings.position_embeddings.weight", where)
    types, _ = _shape(tensors, "bert.embeddings.token_type_embeddings.weight", where)
    inner, _ = _shape(tensors, "bert.encoder.layer.0.intermediate.dense.weight", where)
    heads = attention_heads or hidden // _NUMBERS_PER_HEAD
    if heads < 1 or hidden % heads or (attention_heads is None and hidden % _NUMBERS_PER_HEAD):
        raise InputError(
            f"{where}: the number of attention heads is not in the file, and a hidden size of {hidden} is no multiple "
            f"of {attention_heads or _NUMBERS_PER_HEAD}. Next step: say it (--attention-heads N)."
        )
    layers = {int(m.group(1)) for key in tensors if (m := _LAYER.match(key))}
    return transformers.BertConfig(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=len(layers),
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
    )


def _shape(tensors: Mapping[str, torch.Tensor], key: str, where: str) -> tuple[int, int]:
    tensor = tensors.get(key)
    if tensor is None or tensor.dim() != 2:
        got = "is missing" if tensor is None else f"has the shape {list(tensor.shape)}"
        raise InputError(
            f"{where} does not fit the model: {key} {got}. Next step: check that the file is whole, and that it is a "
            "BERT labeler of CheXbert or VisualCheXbert."
        )
    return int(tensor.shape[0]), int(tensor.shape[1])
