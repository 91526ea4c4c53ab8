from __future__ import annotations

import importlib.util
import math
import warnings
from pathlib import Path

import pytest

from hilum.core.errors import InputError
from hilum.scorers import findings, mix, overlap
from hilum.scorers._trl import TrlReward, completion_text, trl_rewards

REFERENCES = [
    "The heart is enlarged. Small left pleural effusion.",
    "No pneumothorax. Lungs are clear.",
    "Mild pulmonary edema is likely.",
    "Old rib fractures. No acute abnormality.",
]
MIX = mix.build(
    frequencies=overlap.training_frequencies(REFERENCES), shares={"overlap": 0.5, "findings": 1.0}
)


def test_texts_and_messages_earn_the_same_and_parts_are_logged() -> None:
    logged: dict[str, float] = {}
    reward = TrlReward(findings.build(), column="truth")
    plain = reward(
        prompts=["p"] * 2,
        completions=["Pleural effusion.", ""],
        truth=REFERENCES[:2],
        log_metric=logged.__setitem__,
        trainer_state=None,
    )
    messages = [
        [{"role": "assistant", "content": "Pleural effusion."}],
        [{"role": "assistant", "content": [{"type": "text", "text": ""}, {"type": "image"}]}],
    ]
    assert reward(prompts=[[]] * 2, completions=messages, truth=REFERENCES[:2]) == plain
    assert plain == [12.0, 13.0]
    assert logged["findings/words"] == 1.0
    assert logged["findings/empty"] == 0.5
    assert logged["findings/Cardiomegaly"] == 0.5
    assert reward.__name__ == "findings"


def test_what_is_missing_or_not_defined_is_told() -> None:
    reward = TrlReward(findings.build())
    with pytest.raises(InputError, match=r"'reference'.*has report"):
        reward(prompts=["p"], completions=["text"], report=["text"])
    with pytest.raises(InputError, match="got int"):
        completion_text(3)
    alone = TrlReward(overlap.build())  # CIDEr of one report is not defined without frequencies
    assert alone(completions=["The lungs."], reference=["The lungs."]) == [None]


def test_the_rewards_of_a_mix_one_by_one_add_up_to_it() -> None:
    functions, weights = trl_rewards(MIX)
    assert [function.__name__ for function in functions] == ["overlap", "findings"]
    said = ["The heart is enlarged."] * 4
    each = [function(completions=said, reference=REFERENCES) for function in functions]
    whole = TrlReward(MIX)(completions=said, reference=REFERENCES)
    for place, value in enumerate(whole):
        assert value == pytest.approx(sum(w * e[place] for w, e in zip(weights, each, strict=True)))


def test_a_grpo_trainer_takes_steps_on_them(tmp_path: Path) -> None:
    for package in ("torch", "transformers", "datasets"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trl = pytest.importorskip("trl", reason="trl is not installed")
        result, log = grpo_steps(trl, tmp_path)
    assert math.isfinite(result.training_loss)
    steps = [entry for entry in log if "reward" in entry]
    assert len(steps) == 2
    for entry in steps:
        assert math.isfinite(entry["reward"])
        assert 0 <= entry["rewards/overlap/mean"] <= 10
        assert 0 <= entry["rewards/findings/mean"] <= 13
        assert entry["reward"] == pytest.approx(
            0.5 * entry["rewards/overlap/mean"] + entry["rewards/findings/mean"], abs=1e-3
        )
        assert entry["findings/words"] > 0
        assert "findings/Support Devices" in entry


def grpo_steps(trl, folder: Path):  # type: ignore[no-untyped-def]
    import transformers
    from accelerate.state import AcceleratorState

    import datasets

    place = Path(__file__).parents[1] / "models" / "tiny_language_model.py"
    spec = importlib.util.spec_from_file_location("tiny_language_model_of_rewards", place)
    assert spec is not None
    assert spec.loader is not None
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    model = tiny.tiny_language_model(folder / "model")
    functions, weights = trl_rewards(MIX)
    trainer = trl.GRPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(model),
        processing_class=transformers.AutoTokenizer.from_pretrained(model, padding_side="left"),
        reward_funcs=functions,
        args=trl.GRPOConfig(
            output_dir=str(folder / "out"),
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=4,
            num_generations=2,
            max_completion_length=12,
            max_steps=2,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            seed=0,
            reward_weights=weights,
        ),
        train_dataset=datasets.Dataset.from_dict(
            {"prompt": ["Write the findings."] * 4, "reference": REFERENCES}
        ),
    )
    try:
        return trainer.train(), trainer.state.log_history
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)  # a trainer leaves it for the whole process
