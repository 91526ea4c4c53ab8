"""The lines in which a local model answers, as token ids: `ITEM: CHOICE` and a line end, item after item.

Training, scoring and constrained generation all build their ids here, piece by piece, so that no tokenizer can join the
end of one piece and the beginning of the next in one place and not in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hilum.core.errors import InputError
from hilum.models.engine import Message

Ids = tuple[int, ...]

END = "\n"
"""What closes a line."""


TEMPLATE: Mapping[str, Any] = {"enable_thinking": False, "date_string": "1 Jan 2025"}
"""What chat templates may ask for: no thinking before the answer (Qwen3), and one day for all (Llama 3)."""


class Answer(NamedTuple):
    """Ids of an answer, and for each whether it belongs to a choice or the end of its line: what is to be learned."""

    ids: Ids
    learned: tuple[bool, ...]


def item_ids(tokenizer: Any, item: str) -> Ids:
    """The ids that ask for an item: `ITEM:`."""
    return _ids(tokenizer, f"{item}:")


def choice_ids(tokenizer: Any, choices: Sequence[str]) -> tuple[Ids, ...]:
    """The ids of each choice as it follows an item. Raises InputError when one begins like another whole one."""
    found = tuple(_ids(tokenizer, f" {choice}") for choice in choices)
    for choice, ids in zip(choices, found, strict=True):
        if (
            not ids
            or any(ids != other and other[: len(ids)] == ids for other in found)
            or found.count(ids) > 1
        ):
            raise InputError(
                f"The model's tokenizer cannot tell {choice!r} from the other choices ({', '.join(choices)}). "
                "Next step: a prompt with other words for the states (see hilum show prompt), or another model."
            )
    return found


def answer_ids(tokenizer: Any, chosen: Sequence[tuple[str, str]]) -> Answer:
    """The ids of the lines of (item, choice), in the order given."""
    ids: list[int] = []
    learned: list[bool] = []
    end = _ids(tokenizer, END)
    for item, choice in chosen:
        asked, given = item_ids(tokenizer, item), _ids(tokenizer, f" {choice}")
        ids += [*asked, *given, *end]
        learned += [False] * len(asked) + [True] * (len(given) + len(end))
    return Answer(tuple(ids), tuple(learned))


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> Ids:
    """The ids of a conversation up to where the answer begins, by the chat template of the tokenizer.

    A special token of the tokenizer that stands in a text (`<|im_end|>`) is broken by a space behind its first
    character, so that no report can close its turn. Raises InputError when the tokenizer has no chat template, or one
    that refuses these roles.
    """
    special = _special(tokenizer)
    turns = [{"role": message.role, "content": _broken(message.content, special)} for message in messages]
    if getattr(tokenizer, "chat_template", None) is None:
        raise InputError(
            "The model's tokenizer has no chat template, so it cannot be asked as a conversation. Next step: take the "
            "instruction-tuned version of the model, or put its chat_template.jinja into the folder."
        )
    try:
        found = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=True, return_dict=False, **TEMPLATE
        )
    except Exception as error:  # jinja2.TemplateError, and whatever a template raises itself
        raise InputError(
            f"The chat template of the model refuses the conversation: {error}. Next step: a prompt without the turn "
            "that it names (see hilum show prompt), or another model."
        ) from error
    return tuple(found)


def _special(tokenizer: Any) -> tuple[str, ...]:
    """The special tokens as they are written, the longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    found = {str(token) for token in added if getattr(token, "special", False)}
    return tuple(
        sorted(found | set(getattr(tokenizer, "all_special_tokens", ())), key=lambda t: (-len(t), t))
    )


def _broken(text: str, special: Sequence[str]) -> str:
    for token in special:
        if len(token) > 1 and token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _ids(tokenizer: Any, text: str) -> Ids:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
