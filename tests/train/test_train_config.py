from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.recipes.labeler import MINI_ARCHITECTURE, RECIPES, chexbert, mini, recipe, visualchexbert

HERE = Path("here")


def test_chexbert_is_what_the_paper_says() -> None:
    config = chexbert(HERE, HERE, labels=HERE, pretrained="some-bert")
    assert (config.learning_rate, config.batch_size, config.dev_share, config.dropout) == (
        2e-5,
        18,
        0.15,
        0.1,
    )
    assert (config.schedule, config.bucketed, config.max_tokens, config.weight_decay) == (
        "constant",
        False,
        512,
        0,
    )
    assert (config.heads, config.section) == ("states", "impression")


def test_visualchexbert_learns_from_probabilities() -> None:
    config = visualchexbert(HERE, HERE, soft_labels=HERE, pretrained="some-bert")
    assert (config.heads, config.learning_rate, config.batch_size) == ("probability", 2e-5, 18)
    with pytest.raises(InputError, match="Labels train heads of states"):
        visualchexbert(HERE, HERE, labels=HERE, pretrained="some-bert")


def test_mini_is_made_from_scratch_unless_it_is_started_from_something() -> None:
    assert mini(HERE, HERE, labels=HERE).architecture == MINI_ARCHITECTURE
    assert mini(HERE, HERE, labels=HERE, pretrained="some-bert").architecture is None


def test_recipes_by_name() -> None:
    assert set(RECIPES) == {"chexbert", "visualchexbert", "mini"}
    with pytest.raises(UnknownNameError, match="Did you mean 'chexbert'"):
        recipe("chexpert")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"labels": None}, "not both"),
        ({"soft_labels": HERE}, "not both"),
        ({"expert_reports": HERE}, "no expert labels"),
        ({"pretrained": None}, r"--init DIR or hub id"),
        ({"checkpoint": HERE}, "and not both"),
        ({"epochs": 0}, "epochs is 0; it must be 1 or more"),
        ({"dev_share": 0.0}, "dev_share is 0.0"),
        ({"dev_share": 1.0}, "dev_share is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_wrong_choices_are_told(wrong: dict[str, Any], told: str) -> None:
    config = chexbert(HERE, HERE, labels=HERE, pretrained="some-bert")
    with pytest.raises(InputError, match=told):
        replace(config, **wrong)


@pytest.mark.parametrize("field", ["vocabulary", "heads", "policy", "schedule", "precision", "device"])
def test_unknown_names_are_told(field: str) -> None:
    config = chexbert(HERE, HERE, labels=HERE, pretrained="some-bert")
    with pytest.raises(UnknownNameError):
        replace(config, **{field: "nonsense"})


def test_where_it_is_written_does_not_decide_the_weights() -> None:
    config = chexbert(HERE, HERE, labels=Path("a/labels.csv"), pretrained="some-bert")
    moved = replace(
        config, output=Path("there"), labels=Path("b/labels.csv"), device="cpu", threads=2, save_every=7
    )
    assert config.deciding() == moved.deciding() != replace(config, seed=1).deciding()
    assert config.to_json()["labels"] == "a/labels.csv"
