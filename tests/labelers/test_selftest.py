from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from hilum.cli.main import app
from hilum.core.errors import SelfTestError
from hilum.core.vocabulary import SHIPPED
from hilum.labelers import _lexicon, _lexicon_files, _selftest
from hilum.labelers._selftest import SETTINGS, read_cases, run


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[str], str]], None]:
    """Changes the text of one shipped lexicon file, for this test only."""
    shipped = _lexicon_files.shipped

    def change(name: str, edit: Callable[[str], str]) -> None:
        def read(wanted: str) -> _lexicon_files.LexiconFile:
            file = shipped(wanted)
            if wanted != name:
                return file
            text = edit(file.text)
            assert text != file.text
            return _lexicon_files.parse(file.name, text.encode(), is_shipped=True)

        monkeypatch.setattr(_lexicon, "shipped", read)
        monkeypatch.setattr(_lexicon_files, "shipped", read)

    return change


def test_it_passes_and_counts_its_texts() -> None:
    done = run()
    assert done.sentences >= 120
    assert done.reports >= 15
    assert done.phrases > 2000
    assert done.notes == ()


def test_each_case_names_known_findings_with_codes_of_label_files() -> None:
    for case in read_cases():
        assert case.text.strip()
        for setting, (vocabulary, _) in SETTINGS.items():
            names = SHIPPED[vocabulary].names
            assert set(case.expected[setting]) <= set(names), case.text
            assert set(case.expected[setting].values()) <= {1, 0, -1}, case.text
    assert {c for case in read_cases() for c in case.expected["house"].values()} == {1, 0, -1}


def test_every_finding_is_met_in_every_state() -> None:
    met = {(n, code) for case in read_cases() for n, code in case.expected["house"].items()}
    names = [n for n in SHIPPED["chexpert14"].names if n != "No Finding"]
    assert {n for n in names if (n, 1) not in met} == set()
    assert {n for n in names if (n, 0) not in met} == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("cues", '"no", "not"', '"not"', "Pleural Effusion"),
        ("chexpert14", 'phrases = ["effusion", ', "phrases = [", "Pleural Effusion"),
        ("chexpert14", '"pneumothorax", ', "", "Pneumothorax"),
        ("chexpert14", "pacemaker", "pacemakes", "Support Devices"),
        ("cues", 'kind = "negation-before"', 'kind = "uncertainty-before"', "expected 0, got -1"),
        ("words", '"oedema"', '"oedemo"', "Edema"),
        ("other", "scoliosis", "scoliosos", "No Finding"),
        ("nih14", 'finding = "Hernia"', 'finding = "Fibrosis"', "Hernia (nih14, convention house)"),
        (
            "convention_chexpert",
            'unspecified = "positive"',
            'unspecified = "negative"',
            "convention chexpert",
        ),
    ],
)
def test_a_changed_lexicon_fails_and_names_the_finding(
    change, file: str, old: str, new: str, named: str
) -> None:
    change(file, lambda text: text.replace(old, new))
    with pytest.raises(SelfTestError) as error:
        run()
    message = str(error.value)
    assert named in message
    assert "expected " in message
    assert "got " in message
    assert "Next step" in message


def test_the_sentence_is_named(change) -> None:
    change("cues", lambda text: text.replace('"no", "not"', '"not"'))
    with pytest.raises(
        SelfTestError, match=r"Pleural Effusion .*expected 0, got 1 .* 'No pleural effusion\.'"
    ):
        run()


def test_the_command_fails_without_a_traceback(change) -> None:
    change("cues", lambda text: text.replace('"no", "not"', '"not"'))
    result = CliRunner().invoke(app, ["selftest"])
    assert result.exit_code == 2
    assert "Pleural Effusion" in result.output
    assert "Traceback" not in result.output


def test_the_command_tells_what_it_did() -> None:
    result = CliRunner().invoke(app, ["selftest"])
    assert result.exit_code == 0
    assert "sentences" in result.output


def test_a_change_that_alters_no_label_passes_with_a_note(change) -> None:
    change("cues", lambda text: text + "\n# a remark\n")
    done = run()
    assert any("lexicon_sha256" in note for note in done.notes)
    assert not any("evidence_sha256" in note for note in done.notes)


def test_a_renamed_rule_alters_evidence_and_no_label(change) -> None:
    change("cues", lambda text: text.replace('id = "cannot-be-excluded"', 'id = "not-ruled-out"'))
    assert any("evidence_sha256" in note for note in run().notes)


def test_a_changed_program_is_noticed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    label = _selftest._label

    def without_evidence(*args):
        return [dataclasses.replace(one, evidence=()) for one in label(*args)]

    monkeypatch.setattr(_selftest, "_label", without_evidence)
    assert len([n for n in run().notes if "evidence_sha256" in n]) == len(SETTINGS)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("chexpert14", "portacath"),
        ("chexpert14", "fibrothorax"),
        ("other", "gallstone"),
        ("other", "pneumoconiosis"),
    ],
)
def test_one_changed_letter_of_a_rare_word_is_noticed(change, name: str, word: str) -> None:
    change(name, lambda text: text.replace(f'"{word}"', f'"z{word[1:]}"'))
    with pytest.raises(SelfTestError, match=word):
        run()


def test_written_files_are_those_that_ship(tmp_path) -> None:
    _selftest.write(tmp_path)
    for name in ("phrases.jsonl", "digests.toml"):
        assert (tmp_path / name).read_text(encoding="utf-8") == _selftest._read(name)


def test_writing_refuses_when_a_sentence_has_other_labels(change, tmp_path) -> None:
    change("cues", lambda text: text.replace('"no", "not"', '"not"'))
    with pytest.raises(SelfTestError, match="Pleural Effusion"):
        _selftest.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
