"""The two ways to work out how likely each line of an answer is, with a causal model of transformers.

`scored`: the prompt once into a cache, then one pass over the tree of all lines, with a mask and positions of its own.
`stepped`: the prompt once into a cache, then item by item and token by token what may follow, with the model's own
masks; all branches are kept, so that nothing depends on an order of search. Both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hilum.models._choice_tree import ChoiceTree, Ids
from hilum.models._neural import torch, transformers

CHUNK = 1024
"""Tokens of prompts that are read at once, so that no mask is ever as large as the square of a long prompt."""

FULL, SLIDING = "full_attention", "sliding_attention"

LogProbabilities = npt.NDArray[np.float64]


class Beginning(NamedTuple):
    """What several prompts begin with, read once: its ids, and the cache of one row."""

    ids: Ids
    cache: Any


def begin(model: Any, ids: Ids) -> Beginning | None:
    """The beginning as read by the model; None for none."""
    if not ids:
        return None
    cache = transformers.DynamicCache()
    _read(model, torch.tensor([ids], device=model.device), cache)
    return Beginning(ids, cache)


def scored(
    model: Any, prompts: Sequence[Ids], tree: ChoiceTree, *, beginning: Beginning | None = None
) -> LogProbabilities:
    """Natural logarithms of the probabilities of each line behind each prompt, [B, I, C]; not renormalised.

    `beginning` is what all the prompts begin with. Prompts are padded behind their end, where no token of theirs
    looks.
    """
    cache, shared = _started(beginning, len(prompts))
    lengths_B = torch.tensor([len(ids) for ids in prompts], device=model.device)
    longest = int(lengths_B.max())
    own = [[*ids[shared:], *[0] * (longest - len(ids))] for ids in prompts]
    _read(model, torch.tensor(own, device=model.device), cache)
    depths_T = torch.from_numpy(tree.depths_T).to(model.device)
    tokens_BT = torch.from_numpy(tree.tokens_T).to(model.device).expand(len(prompts), -1)
    logits_BKV = _logits(
        model,
        torch.from_numpy(tree.read_K).to(model.device),
        input_ids=tokens_BT,
        attention_mask=_tree_masks(model, tree, lengths_B, longest),
        position_ids=lengths_B[:, None] + depths_T,
        past_key_values=cache,
    )
    rows_S, tokens_S = (torch.from_numpy(one).to(model.device) for one in (tree.rows_S, tree.tokens_S))
    whole_BK = torch.logsumexp(logits_BKV.float(), dim=-1)
    steps_BS = logits_BKV[:, rows_S, tokens_S].float() - whole_BK[:, rows_S]
    return tree.log_probabilities(steps_BS.cpu().numpy())


def stepped(
    model: Any, prompts: Sequence[Ids], items: Sequence[Ids], choices: Sequence[Ids]
) -> LogProbabilities:
    """The same numbers as `scored`, by constrained decoding; prompts are padded before their beginning."""
    walker = _Walker(model, prompts)
    found_BIC = np.zeros((len(prompts), len(items), len(choices)), dtype=np.float64)
    for place, item in enumerate(items):
        logits_BV = walker.feed(item)
        _walk(walker, logits_BV, choices, list(range(len(choices))), 0, found_BIC[:, place])
        walker.back(len(item))
    return found_BIC


def plain(model: Any, ids: Ids, last: int) -> Any:
    """Log-probabilities of the next token behind each of the last ids [last, V]: one pass without cache or mask."""
    logits_TV = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0, -last:]
    return torch.log_softmax(logits_TV.float(), dim=-1)


# --- reading prompts ---


def _read(model: Any, ids_BT: Any, cache: Any, seen_BT: Any = None, positions_BT: Any = None) -> Any:
    """Put the ids behind what the cache has; the logits behind the last one [B, 1, V]."""
    done = cache.get_seq_length()
    logits = None
    for start in range(0, ids_BT.shape[1], CHUNK):
        stop = min(start + CHUNK, ids_BT.shape[1])
        options: dict[str, Any] = {}
        if seen_BT is not None:
            options["attention_mask"] = seen_BT[:, : done + stop]
            options["position_ids"] = positions_BT[:, start:stop]
        part_BT = ids_BT[:, start:stop]
        logits = _logits(model, 1, input_ids=part_BT, past_key_values=cache, **options)
    return logits


def _logits(model: Any, kept: Any, **inputs: Any) -> Any:
    """Logits of the places kept: of so many last ones, or of those named."""
    return model(**inputs, use_cache=True, logits_to_keep=kept).logits


def _started(beginning: Beginning | None, rows: int) -> tuple[Any, int]:
    """A cache that has the beginning in each of its rows, and its length."""
    cache = transformers.DynamicCache()
    if beginning is None:
        return cache, 0
    for place, layer in enumerate(beginning.cache.layers):
        pair = (one.expand(rows, *one.shape[1:]) for one in (layer.keys, layer.values))
        cache.update(*pair, place)
    return cache, len(beginning.ids)


# --- the mask of the tree ---


def window_of(config: Any) -> int | None:
    """How many tokens back layers with a sliding window look; None where no layer has one."""
    kinds = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    if window is None or not getattr(config, "use_sliding_window", True):
        return None
    return int(window) if kinds is None or SLIDING in kinds else None


def _tree_masks(model: Any, tree: ChoiceTree, lengths_B: Any, longest: int) -> Any:
    """What to add to the attention of the tree's nodes [B, 1, T, P + T], for each kind of layers that the model has."""
    config = model.config.get_text_config()
    window = window_of(config)
    kinds: Sequence[str] = getattr(config, "layer_types", None) or ()
    full = _tree_mask(tree, lengths_B, longest, None, model.dtype)
    if window is None:
        return full
    sliding = _tree_mask(tree, lengths_B, longest, window, model.dtype)
    masks: Mapping[str, Any] = {FULL: full, SLIDING: sliding}
    return dict(masks) if FULL in kinds else sliding


def _tree_mask(tree: ChoiceTree, lengths_B: Any, longest: int, window: int | None, dtype: Any) -> Any:
    device = lengths_B.device
    depths_T = torch.from_numpy(tree.depths_T).to(device)
    places_P = torch.arange(longest, device=device)
    prompt_BTP = (places_P < lengths_B[:, None]).unsqueeze(1).expand(-1, tree.nodes, -1)
    tree_TT = torch.from_numpy(tree.sees_TT).to(device)
    if window is not None:
        back_BTP = lengths_B[:, None, None] + depths_T[:, None] - places_P
        prompt_BTP = prompt_BTP & (back_BTP < window)
        tree_TT = tree_TT & (depths_T[:, None] - depths_T < window)
    seen_BTX = torch.cat([prompt_BTP, tree_TT.expand(len(lengths_B), -1, -1)], dim=-1)
    mask_BTX = torch.zeros(seen_BTX.shape, dtype=dtype, device=device)
    return mask_BTX.masked_fill_(~seen_BTX, torch.finfo(dtype).min).unsqueeze(1)


# --- step by step ---


class _Walker:
    """A model that stands behind each of the prompts, can be fed tokens, and can go back."""

    def __init__(self, model: Any, prompts: Sequence[Ids]) -> None:
        self.model = model
        self.lengths_B1 = torch.tensor([[len(ids)] for ids in prompts], device=model.device)
        longest = int(self.lengths_B1.max())
        ids = [[*[0] * (longest - len(one)), *one] for one in prompts]
        places_P = torch.arange(longest, device=model.device)
        positions_BP = places_P - (longest - self.lengths_B1)
        self.seen_BP = (positions_BP >= 0).long()
        self.cache = transformers.DynamicCache()
        self.fed = 0
        ids_BP = torch.tensor(ids, device=model.device)
        _read(model, ids_BP, self.cache, self.seen_BP, positions_BP.clamp_min(0))

    def feed(self, ids: Ids) -> Any:
        """The logits of what follows [B, V] when every row has been fed these ids."""
        rows = len(self.seen_BP)
        places_T = torch.arange(self.fed, self.fed + len(ids), device=self.model.device)
        self.fed += len(ids)
        seen_BX = torch.cat([self.seen_BP, self.seen_BP.new_ones(rows, self.fed)], dim=1)
        ids_BT = torch.tensor([ids], device=self.model.device).expand(rows, -1)
        return _read(self.model, ids_BT, self.cache, seen_BX, self.lengths_B1 + places_T)[:, -1]

    def back(self, count: int) -> None:
        """Forget the last tokens that were fed."""
        self.cache.crop(-count)
        self.fed -= count


def _walk(
    walker: _Walker,
    logits_BV: Any,
    choices: Sequence[Ids],
    alive: Sequence[int],
    depth: int,
    found_BC: LogProbabilities,
) -> None:
    """Add the steps of the choices that are alive, from `depth` on, to what was found for them."""
    following: dict[int, list[int]] = {}
    for choice in alive:
        following.setdefault(choices[choice][depth], []).append(choice)
    logp_BV = torch.log_softmax(logits_BV.float(), dim=-1)
    for token, members in following.items():
        found_BC[:, members] += logp_BV[:, token, None].double().cpu().numpy()
        longer = [choice for choice in members if len(choices[choice]) > depth + 1]
        if longer:
            _walk(walker, walker.feed((token,)), choices, longer, depth + 1, found_BC)
            walker.back(1)
