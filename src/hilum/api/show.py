"""What a language model is asked, to be looked at: the conversation about an invented report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hilum.core.errors import InputError
from hilum.core.vocabulary import CHEXPERT14, Vocabulary
from hilum.labelers._few_shot import read_examples
from hilum.labelers._lexicon_files import load_vocabulary
from hilum.labelers._llm_card import load_card
from hilum.labelers._prompt import FULL, JSON, LINES, Prompt, load_prompt
from hilum.models.engine import Message

INVENTED = "The heart is enlarged. Small left pleural effusion. No pneumothorax. Possible pneumonia at the left base."
"""The report that stands for the one in question."""


@dataclass(frozen=True)
class ShownPrompt:
    """A prompt, the findings it is shown for, and the conversations it makes.

    `lines` is sent to a model on this machine, `json` to a server; `choices` are the words that can be answered.
    """

    prompt: Prompt
    vocabulary: Vocabulary
    lines: tuple[Message, ...]
    json: tuple[Message, ...]
    choices: tuple[str, ...]


def show_prompt(
    name: str | Path = FULL, *, vocabulary: str | None = None, few_shot: str | Path | None = None
) -> ShownPrompt:
    """The prompt that ships under `name`, that in a TOML file, or that of a trained model's folder.

    `vocabulary` is a name or a TOML file; None is that of the model's training, else chexpert14. `few_shot` is a file
    of labeled reports that are shown first. Raises UnknownNameError, InputError, LexiconError.
    """
    prompt, findings = _found(name)
    if vocabulary is not None:
        findings = load_vocabulary(vocabulary)
    examples = () if few_shot is None else read_examples(few_shot, findings)
    lines, json = (
        prompt.question(INVENTED, findings, examples=examples, form=form) for form in (LINES, JSON)
    )
    return ShownPrompt(prompt, findings, lines.messages, json.messages, lines.choices)


def _found(name: str | Path) -> tuple[Prompt, Vocabulary]:
    if Path(name).is_dir():
        card = load_card(name)
        if card is None:
            raise InputError(
                f"The folder {str(name)!r} has no hilum_llm.json, so nothing says what the model was trained with. "
                "Next step: name a prompt, such as full."
            )
        return card.prompt, card.vocabulary
    return load_prompt(name), CHEXPERT14
