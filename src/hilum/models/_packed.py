"""A BERT without padding: the tokens of all sequences of a batch stand one after the other in one matrix.

The weights are those of transformers' BertModel, and so is the arithmetic, with three differences that change
nothing but float noise: query, key and value are one product; attention is worked out for all sequences of one
length at once, so that no mask is needed; and in the last layer only [CLS] goes on, since the heads read nothing
else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hilum.models._neural import torch
from hilum.models._precision import FLOAT32, Linear, linear
from hilum.models.batches import equal_lengths


class _Run(NamedTuple):
    """`several` sequences of `length` tokens from the row `start` on."""

    start: int
    several: int
    length: int


class _Layer(NamedTuple):
    query: Linear | None
    rest: Linear
    after: Linear
    after_norm: Any
    wide: Linear
    activation: Any
    narrow: Linear
    narrow_norm: Any


def can_pack(bert: Any) -> bool:
    """Whether `PackedEncoder` knows this encoder: a plain BERT with absolute positions."""
    config = bert.config
    return (
        config.model_type == "bert"
        and type(bert).__name__ == "BertModel"
        and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "add_cross_attention", False)
    )


class PackedEncoder:
    """Sequences of ids to logits, for a ReportEncoder whose `bert` can be packed.

    Weights are copied; they are on the device of the model. Call it under `torch.inference_mode`.
    """

    def __init__(self, model: Any, precision: str) -> None:
        bert = model.bert
        embeddings = bert.embeddings
        self.words_VH = embeddings.word_embeddings.weight.detach()
        self.places_PH = (
            embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        ).detach()
        self.norm = embeddings.LayerNorm
        self.attention_heads = int(bert.config.num_attention_heads)
        layers = list(bert.encoder.layer)
        self.layers = [_layer(one, precision, last=one is layers[-1]) for one in layers]
        weight_CH = torch.cat([head.weight.detach() for head in model.linear_heads])
        bias_C = torch.cat([head.bias.detach() for head in model.linear_heads])
        self.heads = linear(weight_CH, bias_C, FLOAT32)
        self.device = self.words_VH.device

    def __call__(self, sequences: Sequence[Sequence[int]]) -> torch.Tensor:
        """Logits [B, C], float32, in the order of `sequences`."""
        groups = equal_lengths(sequences)
        order = [place for group in groups for place in group]
        runs, start = [], 0
        for group in groups:
            runs.append(_Run(start, len(group), len(sequences[group[0]])))
            start += runs[-1].several * runs[-1].length
        x_TH, first_B = self._embedded([sequences[place] for place in order], runs)
        for layer in self.layers:
            x_TH = self._through(layer, x_TH, runs, first_B)
        logits_BC = self.heads(x_TH)
        found_BC = torch.empty_like(logits_BC)
        found_BC[torch.tensor(order, device=self.device)] = logits_BC
        return found_BC

    def _embedded(
        self, sequences: Sequence[Sequence[int]], runs: Sequence[_Run]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """[T, H] before the first layer, and the row of each sequence's [CLS]."""
        ids_T = torch.tensor([token for ids in sequences for token in ids]).to(self.device)
        places_T = torch.cat([torch.arange(run.length).repeat(run.several) for run in runs]).to(self.device)
        first_B = torch.cat([torch.arange(run.several) * run.length + run.start for run in runs])
        x_TH: torch.Tensor = self.norm(self.words_VH[ids_T] + self.places_PH[places_T])
        return x_TH, first_B.to(self.device)

    def _through(
        self, layer: _Layer, x_TH: torch.Tensor, runs: Sequence[_Run], first_B: torch.Tensor
    ) -> torch.Tensor:
        """One layer: [T, H] to [T, H], or the last one to [B, H]."""
        fused = layer.rest(x_TH)
        if layer.query is None:
            mixed = self._attention(fused, runs)
        else:
            x_TH = x_TH[first_B]
            mixed = self._first_attention(layer.query(x_TH), fused, runs)
        x_TH = layer.after_norm(x_TH + layer.after(mixed))
        wide_TI = layer.activation(layer.wide(x_TH))
        found_TH: torch.Tensor = layer.narrow_norm(x_TH + layer.narrow(wide_TI))
        return found_TH

    def _attention(self, fused: torch.Tensor, runs: Sequence[_Run]) -> torch.Tensor:
        """[T, 3H] of query, key and value to [T, H]."""
        hidden, heads = fused.shape[1] // 3, self.attention_heads
        mixed_TH = fused.new_empty(fused.shape[0], hidden)
        for start, count, length in runs:
            rows = slice(start, start + count * length)
            parts = fused[rows].view(count, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            seen = torch.nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
            mixed_TH[rows].view(count, length, heads, -1).copy_(seen.transpose(1, 2))
        return mixed_TH

    def _first_attention(
        self, query_BH: torch.Tensor, fused: torch.Tensor, runs: Sequence[_Run]
    ) -> torch.Tensor:
        """What [CLS] of each sequence sees: queries [B, H] and [T, 2H] of key and value to [B, H]."""
        heads = self.attention_heads
        mixed_BH, done = torch.empty_like(query_BH), 0
        for start, count, length in runs:
            parts = fused[start : start + count * length].view(count, length, 2, heads, -1)
            key, value = parts.permute(2, 0, 3, 1, 4)
            query = query_BH[done : done + count].view(count, heads, 1, -1)
            seen = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            mixed_BH[done : done + count] = seen.reshape(count, -1)
            done += count
        return mixed_BH


def _layer(layer: Any, precision: str, *, last: bool) -> _Layer:
    attention, out = layer.attention.self, layer.attention.output
    parts = (attention.query, attention.key, attention.value)
    fused = parts[1:] if last else parts
    return _Layer(
        linear(parts[0].weight, parts[0].bias, precision) if last else None,
        linear(torch.cat([p.weight for p in fused]), torch.cat([p.bias for p in fused]), precision),
        linear(out.dense.weight, out.dense.bias, precision),
        out.LayerNorm,
        linear(layer.intermediate.dense.weight, layer.intermediate.dense.bias, precision),
        layer.intermediate.intermediate_act_fn,
        linear(layer.output.dense.weight, layer.output.dense.bias, precision),
        layer.output.LayerNorm,
    )
