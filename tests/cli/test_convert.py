from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hilum.cli.convert import convert
from hilum.cli.main import told

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
pytest.importorskip("torch")
from tiny_report_encoder import tiny_tokenizer, write_original


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_original(tmp_path / "chexbert.pth")
    tiny_tokenizer().save_pretrained(tmp_path / "tokenizer")
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    app.command()(told(convert))
    given = [str(folder / a) if (folder / a).exists() or a in ("out", "none") else a for a in arguments]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


GIVEN = ("chexbert.pth", "out", "--tokenizer", "tokenizer", "--attention-heads", "4")


def test_a_checkpoint_becomes_a_folder(folder: Path) -> None:
    from hilum.models.report_encoder import load_encoder

    said = run(folder, *GIVEN)
    assert re.search(r"out: chexbert, 14 heads, [\d,]+ weights, at most 512 tokens, text mode folded", said)
    assert "note: bert.embeddings.position_ids was left out" in said
    assert "--labeler chexbert --weights" in said
    assert load_encoder(folder / "out").spec.kind == "chexbert"


def test_options_reach_the_folder(folder: Path) -> None:
    from hilum.models.report_encoder import load_encoder

    run(folder, *GIVEN, "--text", "chexbert-list", "--kind", "chexbert")
    assert load_encoder(folder / "out").spec.text == "chexbert-list"
    assert "--force" in run(folder, *GIVEN, code=2)
    run(folder, *GIVEN, "--force")
    assert load_encoder(folder / "out").spec.text == "folded"


def test_visualchexbert_with_its_logistic_regressions(folder: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    import numpy as np

    from hilum.models.encoder_spec import visualchexbert_spec

    spec = visualchexbert_spec()
    rng = np.random.default_rng(0)
    fit = {f: linear_model.LogisticRegression().fit(rng.random((8, 14)), [0, 1] * 4) for f in spec.findings}
    (folder / "logreg_models.pickle").write_bytes(pickle.dumps(fit))
    write_original(folder / "chexbert.pth", spec)
    said = run(folder, *GIVEN, "--logreg", "logreg_models.pickle")
    assert "visualchexbert, 14 heads" in said
    assert "logistic regressions: 14 over 14 probabilities" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none", *GIVEN[1:]), "is not there"),
        (("chexbert.pth", "tokenizer", *GIVEN[2:]), "left alone"),
        ((*GIVEN[:3], "none", *GIVEN[4:]), "tokenizer"),
        ((*GIVEN, "--kind", "visualchexbert"), "14 heads of 1"),
        ((*GIVEN, "--logreg", "chexbert.pth"), "belong to VisualCheXbert"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(p.name for p in folder.iterdir())
    message = run(folder, *arguments, code=2)
    assert message.startswith("error: ")
    assert said in message
    assert "Next step" in message
    assert sorted(p.name for p in folder.iterdir()) == before


def test_the_command_loads_torch_only_when_it_runs() -> None:
    code = "import sys, hilum.cli.convert, hilum.api.convert; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
