"""TRL's SFTTrainer as a run needs it: an order of rows of our own, loss on marked tokens, checkpoints with a seal."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import trl

import datasets
from hilum.core.errors import InputError
from hilum.train.batches import epoch_batches
from hilum.train.checkpoints import write_json
from hilum.train.llm_data import TokenRow
from hilum.train.losses import IGNORED
from hilum.train.muon import MuonWithAdamW, matrices_and_others

SEAL = "sealed.json"
TOKENS = "tokens_in_batch"
_SCALED = (
    "final_logit_softcapping", "logit_scale", "logits_scaling", "output_multiplier", "lm_head_multiplier",
)  # fmt: skip

TRL: Any = trl
"""It names what it exports only when it is asked for."""

_Trainer: Any = TRL.SFTTrainer
_Grandparent: Any = transformers.Trainer


def dataset_of(rows: Sequence[TokenRow], *, lines: bool) -> Any:
    """The rows as a data set of `input_ids` and `labels`; with `lines` also which line each token belongs to."""
    columns = {"input_ids": [row.ids for row in rows], "labels": [row.labels for row in rows]}
    return datasets.Dataset.from_dict(columns | ({"lines": [row.lines for row in rows]} if lines else {}))


class Collator:
    """Rows to tensors, padded on the right; with `alone`, no line of an answer sees another one.

    Then the mask is bool [B, 1, T, T] and the positions of each line follow those of the prompt, as when a finding
    is asked for on its own.
    """

    def __init__(self, *, pad: int, alone: bool) -> None:
        self._pad = pad
        self._alone = alone

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """`input_ids`, `labels`, `attention_mask`, `position_ids`, and the number of tokens that are no padding."""
        lengths = [len(row["input_ids"]) for row in rows]
        shape = (len(rows), max(lengths))
        ids_BT, labels_BT = np.full(shape, self._pad), np.full(shape, IGNORED)
        seen_BT, line_BT = np.zeros(shape, dtype=np.int64), np.full(shape, -1)
        for i, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids_BT[i, :length], labels_BT[i, :length] = row["input_ids"], row["labels"]
            seen_BT[i, :length] = 1
            line_BT[i, :length] = row["lines"] if self._alone else 0
        made = {"input_ids": ids_BT, "labels": labels_BT, "attention_mask": seen_BT}
        if self._alone:
            made["attention_mask"] = mask_of_lines(line_BT)
            made["position_ids"] = positions_of_lines(line_BT)
        return {**{name: torch.from_numpy(value) for name, value in made.items()}, TOKENS: sum(lengths)}


def mask_of_lines(line_BT: Any) -> Any:
    """Who sees whom, bool [B, 1, T, T]: what stands before in the prompt (line 0) or the same line; padding is -1."""
    places = np.arange(line_BT.shape[1])
    before_TT = places[:, None] >= places[None, :]
    together_BTT = (line_BT[:, :, None] == line_BT[:, None, :]) | (line_BT[:, None, :] == 0)
    return (before_TT & together_BTT)[:, None]


def positions_of_lines(line_BT: Any) -> Any:
    """Positions int64 [B, T]: every line goes on where the prompt ends; padding has 0."""
    rows, most = line_BT.shape
    places_BT = np.broadcast_to(np.arange(most), (rows, most))
    begins = np.ones_like(line_BT, dtype=bool)
    begins[:, 1:] = line_BT[:, 1:] != line_BT[:, :-1]
    start_BT = np.maximum.accumulate(np.where(begins, places_BT, 0), axis=1)
    prompt_B1 = (line_BT == 0).sum(axis=1, keepdims=True)
    return np.where(line_BT > 0, places_BT - start_BT + prompt_B1, np.where(line_BT == 0, places_BT, 0))


class RowOrder(torch.utils.data.Sampler[int]):
    """Places of the rows of an epoch, drawn from the seed and the number of the epoch alone."""

    def __init__(self, lengths: Sequence[int], *, batch_size: int, by_length: bool, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._by_length = by_length
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        batches = epoch_batches(
            self._lengths, batch_size=self._batch_size, bucketed=self._by_length, seed=self._seed,
            names=("llm", self.epoch),
        )  # fmt: skip
        batches.sort(
            key=lambda batch: len(batch) < self._batch_size
        )  # a short batch would shift all that follow
        return iter(np.concatenate(batches).tolist())


def learn_marked_alone(model: Any) -> None:
    """Let `model(..., marked_alone=True)` give the summed loss of the marked tokens, without logits of the others."""
    original = model.forward

    @functools.wraps(type(model).forward)
    def forward(self: Any, *args: Any, marked_alone: bool = False, **kwargs: Any) -> Any:
        if not marked_alone:
            return original(*args, **kwargs)
        labels = kwargs.pop("labels")[:, 1:]
        hidden = self.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state[:, :-1]
        marked = labels != IGNORED
        logits = self.get_output_embeddings()(hidden[marked]).float()
        return {"loss": torch.nn.functional.cross_entropy(logits, labels[marked], reduction="sum")}

    model.forward = types.MethodType(forward, model)


class LlmTrainer(_Trainer):  # type: ignore[misc]
    """`order` gives the rows of each epoch; `before_seal` is called before a checkpoint counts, for the log's size."""

    def __init__(self, *, order: RowOrder, muon: bool = False, **choices: Any) -> None:
        self.order = order
        self._muon = muon
        self.tokens = 0
        self.before_seal: Callable[[], int] = lambda: 0
        super().__init__(**choices)
        bare = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        config = bare.config.get_text_config()
        self._plain_head = all(getattr(config, name, None) is None for name in _SCALED)
        if self._plain_head:
            learn_marked_alone(bare)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:  # noqa: ARG002
        return self.order

    def create_optimizer(self, *given: Any) -> Any:
        """AdamW by transformers, or Muon beside AdamW."""
        if not self._muon:
            return super().create_optimizer(*given)
        sides = matrices_and_others(self.model)
        choices = {"lr": self.args.learning_rate, "weight_decay": self.args.weight_decay}
        self.optimizer: Any = MuonWithAdamW(*sides, **choices)
        return self.optimizer

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of the marked tokens. Raises InputError when there is none, or when it is no number."""
        inputs = dict(inputs)
        self.tokens += int(inputs.pop(TOKENS, inputs["input_ids"].numel()))
        if return_outputs or not self._plain_head:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        total = model(**inputs, marked_alone=True)["loss"]
        items = num_items_in_batch if num_items_in_batch is not None else (inputs["labels"] != IGNORED).sum()
        loss = total / items
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        if loss.device.type == "cpu":
            check_loss(float(loss.detach()), self.state.global_step)
        return loss

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save, seal with a checksum of every file, and only then remove the checkpoints before."""
        _Grandparent._save_checkpoint(self, model, trial)
        self.accelerator.wait_for_everyone()
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            seal(folder, log=self.before_seal())
            for other in checkpoints_in(folder.parent):
                if other != folder:
                    shutil.rmtree(other)
        self.accelerator.wait_for_everyone()


def check_loss(loss: float, step: int) -> None:
    """Raises InputError for a loss that is no number, infinite, or nothing at all in the first step."""
    if not np.isfinite(loss):
        raise InputError(
            f"The loss is {loss} after step {step:,}, so nothing more is learned. Next step: a lower --lr, or "
            "--precision bf16 or no instead of fp16; then start again with --fresh."
        )
    if loss == 0.0 and not step:
        raise InputError(
            "The first loss is exactly 0: there is nothing to learn in these rows, or the model was trained on them "
            "before. Next step: check --labels and --model, then start again with --fresh."
        )


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first, sealed or not."""
    found = [one for one in folder.glob("checkpoint-*") if one.name.removeprefix("checkpoint-").isdecimal()]
    return sorted(found, key=lambda one: -int(one.name.removeprefix("checkpoint-")))


def seal(folder: Path, *, log: int) -> None:
    """Write size and SHA-256 of every file of a checkpoint, and the size of the log then."""
    files = {str(p.relative_to(folder)): _print_of(p) for p in sorted(folder.rglob("*")) if _is_content(p)}
    write_json(folder / SEAL, {"files": files, "log": log})


def sealed(folder: Path) -> int | None:
    """The size of the log when a checkpoint was saved; None when it is not whole, byte for byte."""
    try:
        found = json.loads((folder / SEAL).read_bytes())
        files = {str(p.relative_to(folder)): _print_of(p) for p in folder.rglob("*") if _is_content(p)}
        return int(found["log"]) if found["files"] == files else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_content(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(SEAL)


def _print_of(path: Path) -> list[Any]:
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]
