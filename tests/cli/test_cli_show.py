"""`hilum show prompt`: the very words that a model is sent."""

from __future__ import annotations

import pytest
from commands import runner

from hilum.api.show import INVENTED
from hilum.cli.show import COMMANDS, show_prompt
from hilum.core.vocabulary import CHEXPERT14
from hilum.labelers import ReportSpans, get_labeler
from hilum.labelers._llm_card import LlmCard, save_card
from hilum.labelers._prompt import load_prompt, shipped_prompts
from hilum.models.fake import FakeEngine

run = runner(show_prompt)


@pytest.mark.parametrize("name", shipped_prompts())
def test_it_prints_what_the_labeler_asks(name):
    code, shown, _ = run(name)
    prompt = load_prompt(name)
    assert code == 0
    assert f"Prompt '{name}', version {prompt.version}" in shown
    assert prompt.digest in shown
    engine = FakeEngine(default="blank")
    get_labeler("llm", engine=engine, prompt=name).label_batch([ReportSpans(INVENTED)])
    for message in engine.questions[-1].messages:
        assert f"--- {message.role} ---\n{message.content}\n" in shown


def test_findings_and_the_form_for_servers_can_be_chosen(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        'vocabulary = "own"\n[[finding]]\nname = "Rib notch"\ndefinition = "a notch in a rib"\n',
        encoding="utf-8",
    )
    code, shown, _ = run("--vocabulary", path, "--for-server")
    assert code == 0
    assert "- Rib notch: a notch in a rib" in shown
    assert "Findings: own (1)" in shown
    assert "JSON object" in shown
    assert "Edema" not in shown


def test_examples_are_shown_as_they_are_sent(tmp_path):
    path = tmp_path / "shots.csv"
    path.write_text(f"report,{','.join(CHEXPERT14.names)}\nClear.,1{',' * 13}\n", encoding="utf-8")
    code, shown, _ = run("brief", "--few-shot", path)
    assert code == 0
    assert "--- assistant ---\nNo Finding: positive\nEnlarged Cardiomediastinum: blank\n" in shown


def test_a_prompt_comes_as_a_file_to_be_changed(tmp_path):
    code, text, _ = run("brief", "--toml")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert code == 0
    assert load_prompt(path) == load_prompt("brief")
    code, shown, _ = run(path)
    assert code == 0
    assert load_prompt("brief").digest in shown


def test_the_prompt_of_a_trained_model_is_in_its_folder(tmp_path):
    code, _, told = run(tmp_path)
    assert code == 2
    assert "no hilum_llm.json" in told
    save_card(tmp_path, LlmCard(load_prompt("brief"), CHEXPERT14))
    code, shown, _ = run(tmp_path)
    assert code == 0
    assert load_prompt("brief").digest in shown


def test_an_unknown_prompt_is_refused_with_the_nearest():
    code, _, told = run("breif")
    assert code == 2
    assert "Did you mean 'brief'?" in told
    assert set(COMMANDS) >= {"prompt"}
