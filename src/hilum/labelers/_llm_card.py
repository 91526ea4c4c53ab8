"""`hilum_llm.json`: how a language model that was trained here is to be asked; it lies in the model's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hilum.core.errors import InputError, VocabularyError
from hilum.core.vocabulary import SHIPPED, Finding, Vocabulary
from hilum.labelers._prompt import Prompt, prompt_from

CARD_FILE = "hilum_llm.json"
FORMAT = "hilum llm 1"


@dataclass(frozen=True)
class LlmCard:
    """The prompt, the findings and the section that a model was trained with.

    `section` is a choice of `hilum label --section`.
    """

    prompt: Prompt
    vocabulary: Vocabulary
    section: str = "both"


def save_card(folder: str | Path, card: LlmCard) -> Path:
    """Write the card into a model's folder; equal cards give equal bytes."""
    fields = {
        "format": FORMAT,
        "section": card.section,
        "prompt": card.prompt.to_dict(),
        "vocabulary": {
            "name": card.vocabulary.name,
            "findings": [
                {
                    "name": finding.name,
                    "parent": finding.parent,
                    "aliases": list(finding.aliases),
                    "role": finding.role,
                    "definition": finding.definition,
                }
                for finding in card.vocabulary.findings
            ],
        },
    }
    path = Path(folder) / CARD_FILE
    text = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def load_card(folder: str | Path) -> LlmCard | None:
    """The card in a folder; None where there is none (and for the id of a model that is no folder).

    Raises InputError, with the file and what is wrong with it.
    """
    path = Path(folder) / CARD_FILE
    try:
        given: Any = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {str(error)[:120]}.") from error
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise InputError(
            f"{path}: its field 'format' must be {FORMAT!r}. Next step: train the model again with hilum train llm, "
            "or remove the file and name a prompt with --prompt."
        )
    prompt_fields = given.get("prompt")
    name = prompt_fields.get("name") if isinstance(prompt_fields, dict) else None
    prompt = prompt_from(prompt_fields, name=str(name or "trained"), where=f"{path}, prompt")
    return LlmCard(prompt, _vocabulary(given.get("vocabulary"), path), str(given.get("section", "both")))


def _vocabulary(given: Any, path: Path) -> Vocabulary:
    """The findings of a card; the very object that ships where they are the same but for their definitions."""
    try:
        findings = tuple(
            Finding(
                str(one["name"]), one.get("parent"), tuple(one.get("aliases", ())), one.get("role", "finding"),
                str(one.get("definition", "")),
            )
            for one in given["findings"]
        )  # fmt: skip
        vocabulary = Vocabulary(str(given["name"]), findings)
    except (KeyError, TypeError, AttributeError, VocabularyError) as error:
        raise InputError(f"{path}, vocabulary: is not readable: {error}.") from error
    own = SHIPPED.get(vocabulary.name)
    if own is not None and _plain(own) == _plain(vocabulary):
        return own
    return vocabulary


def _plain(vocabulary: Vocabulary) -> tuple[Finding, ...]:
    return tuple(replace(finding, definition="") for finding in vocabulary.findings)
