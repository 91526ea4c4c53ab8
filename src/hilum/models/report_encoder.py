"""A BERT with one linear head per finding on the last hidden state at [CLS]: CheXbert, VisualCheXbert and mini.

Importing this module imports torch; whoever may be asked without it imports `models.encoder_spec` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hilum.core.errors import InputError
from hilum.models._encoder_files import (
    LoadedEncoder,
    blank_encoder,
    read_encoder,
    token_limit,
    write_encoder,
)
from hilum.models._neural import torch, transformers
from hilum.models._tokenizer import check_tokenizer, load_tokenizer
from hilum.models.encoder_spec import (
    CHEXBERT,
    KINDS,
    MINI,
    VISUALCHEXBERT,
    EncoderSpec,
    Head,
    LogReg,
    chexbert_spec,
    spec_for,
    visualchexbert_spec,
)

__all__ = [
    "CHEXBERT",
    "KINDS",
    "MINI",
    "VISUALCHEXBERT",
    "EncoderSpec",
    "Head",
    "LoadedEncoder",
    "LogReg",
    "ReportEncoder",
    "check_tokenizer",
    "chexbert_spec",
    "load_encoder",
    "load_tokenizer",
    "new_encoder",
    "save_encoder",
    "spec_for",
    "token_limit",
    "visualchexbert_spec",
]

DROPOUT = 0.1
"""Dropout before the heads while training (`bert_labeler` of both public programs)."""


class ReportEncoder(torch.nn.Module):
    """Token ids to the logits of all heads. Keys of its state dict are `bert.*` and `linear_heads.N.*`.

    `bert` is any encoder of transformers whose output has `last_hidden_state`; the pooler is not used. Heads stand
    in the order of `spec.heads`. Source: Smit et al. 2020, section 3.2; `bert_labeler` of the public programs.
    """

    def __init__(self, bert: torch.nn.Module, spec: EncoderSpec) -> None:
        super().__init__()
        self.bert = bert
        self.spec = spec
        self.dropout = torch.nn.Dropout(DROPOUT)
        hidden = int(bert.config.hidden_size)  # type: ignore[union-attr,arg-type]
        self.linear_heads = torch.nn.ModuleList(torch.nn.Linear(hidden, head.classes) for head in spec.heads)

    def forward(self, input_ids_BT: torch.Tensor, attention_mask_BT: torch.Tensor) -> torch.Tensor:
        """Logits [B, C], the heads' in order; C is `spec.outputs`."""
        states_BTH = self.bert(input_ids_BT, attention_mask=attention_mask_BT).last_hidden_state
        first_BH = self.dropout(states_BTH[:, 0])
        return torch.cat([head(first_BH) for head in self.linear_heads], dim=-1)

    def split(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Logits [..., C] as one tensor [..., classes] per head."""
        return list(torch.split(logits, list(self.spec.sizes), dim=-1))


def new_encoder(
    pretrained: str | Path | None, spec: EncoderSpec, *, config: Any = None, seed: int = 0
) -> ReportEncoder:
    """An encoder with new heads, for training: float32, on the CPU, in training mode.

    `pretrained` is a folder or hub id that AutoModel can load (a folder is never looked up on a hub); without it,
    `config`, a transformers configuration, makes an encoder with random weights. Everything random is drawn from
    `seed`, and torch's own generator is left as it was.

    Raises InputError when there is nothing to load, or the encoder is too short for `spec.max_tokens`.
    """
    if (pretrained is None) == (config is None):
        raise InputError("A new encoder needs either pretrained weights or a configuration, and not both.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        bert = blank_encoder(config) if config is not None else _pretrained(str(pretrained))
        model = ReportEncoder(bert.float(), spec)
    limit = token_limit(bert.config)
    if spec.max_tokens > limit:
        raise InputError(
            f"The encoder takes at most {limit} tokens, and the spec asks for {spec.max_tokens}. "
            f"Next step: set max_tokens to {limit} or less, or take another encoder."
        )
    return model.train()


def _pretrained(source: str) -> Any:
    try:
        return transformers.AutoModel.from_pretrained(source, local_files_only=Path(source).exists())
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{source} is no encoder that transformers can load: {' '.join(str(error).split())[:300]}. Next step: "
            "give a folder that save_pretrained wrote (config.json and model.safetensors), or a hub id."
        ) from error


def save_encoder(folder: str | Path, model: ReportEncoder, tokenizer: Any) -> Path:
    """Write an encoder into `folder` (made when it is not there) and return the folder.

    `config.json`, `model.safetensors` and the tokenizer's files are what `from_pretrained` of transformers reads;
    `heads.safetensors` has the heads, `hilum_encoder.json` the spec. Equal weights give equal bytes.
    Raises InputError when the tokenizer does not belong to the encoder, OutputError when it cannot be written.
    """
    return write_encoder(
        Path(folder), model.bert, heads=model.linear_heads, spec=model.spec, tokenizer=tokenizer
    )


def load_encoder(folder: str | Path | None, *, device: str = "cpu") -> LoadedEncoder:
    """The encoder that `save_encoder` or `hilum convert` wrote: float32, in evaluation mode, on `device`.

    Nothing but the folder is read, no code of it is run, and torch's generator is left as it was. Raises InputError
    when there is no such folder, a file is missing or broken, a tensor is missing, extra or wrongly shaped, or the
    tokenizer does not belong.
    """
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
        spec, bert, head_tensors, tokenizer, digest = read_encoder(folder)
        model = ReportEncoder(bert, spec)
    model.linear_heads.load_state_dict(head_tensors)
    try:
        model = model.float().eval().to(device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            f"The device {device!r} cannot be used: {' '.join(str(error).split())[:200]}. Next step: cpu, or a "
            "device that torch sees, e.g. cuda or cuda:1."
        ) from error
    return LoadedEncoder(model, tokenizer, spec, Path(str(folder)), digest)
