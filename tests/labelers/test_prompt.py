"""Prompts: what is asked, how a prompt file is checked, and the card of a trained model."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.errors import InputError, LexiconError, UnknownNameError
from hilum.core.vocabulary import CHEXPERT14, NIH14, Finding, State, Vocabulary
from hilum.labelers._lexicon_files import load_vocabulary
from hilum.labelers._llm_card import CARD_FILE, LlmCard, load_card, save_card
from hilum.labelers._prompt import JSON, Example, Prompt, load_prompt, prompt_from, shipped_prompts

MINE = """
[mine]
version = "3"
instruction = "Decide:\\n{findings}\\n"
report = "<{report}>"
finding = "* {finding} = {definition}"
undefined = "* {finding}"
none_note = " (yes or nothing)"

[mine.states]
blank = "silent"
positive = "there"
negative = "gone"
uncertain = "maybe so"
"""


def prompt_file(folder: Path, text: str = MINE) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", shipped_prompts())
def test_what_ships_asks_for_every_finding_with_four_words(name: str) -> None:
    question = load_prompt(name).question("Clear lungs.", NIH14)
    assert question.items == NIH14.names
    assert question.choices == ("blank", "positive", "negative", "uncertain")
    assert [load_prompt(name).state_of(i) for i in range(4)] == list(State)
    assert "Clear lungs." in question.messages[-1].content


def test_the_brief_prompt_is_short_and_the_full_one_defines_every_finding() -> None:
    [brief] = load_prompt("brief").question("", CHEXPERT14).messages
    assert 15 <= len(brief.content.split()) <= 30
    [full] = load_prompt("full").question("", CHEXPERT14).messages
    for finding in CHEXPERT14.findings:
        assert finding.definition
        assert f"- {finding.name}: {finding.definition}" in full.content


@pytest.mark.parametrize("vocabulary", [CHEXPERT14, NIH14], ids=lambda v: v.name)
def test_every_shipped_finding_has_a_definition_of_one_line(vocabulary: Vocabulary) -> None:
    for finding in vocabulary.findings:
        assert 10 < len(finding.definition) <= 120
        assert len(finding.definition.splitlines()) == 1


@given(text=st.text(alphabet=st.sampled_from("{report}{names}{findings} \\n.ab"), max_size=40))
def test_a_report_is_put_in_as_it_is(text: str) -> None:
    [turn] = load_prompt("brief").question(text, CHEXPERT14).messages
    assert turn.content.endswith(text.strip())


def test_examples_become_turns_with_answers_in_the_form_that_is_asked_for() -> None:
    small = Vocabulary("small", (Finding("Mass"), Finding("Clear", role="none")))
    example = Example("A mass.", (State.POSITIVE, State.BLANK))
    prompt = load_prompt("brief")
    question = prompt.question("No mass.", small, examples=[example])
    assert [m.role for m in question.messages] == ["user", "assistant", "user"]
    assert question.messages[1].content == "Mass: positive\nClear: blank"
    assert "Label this" in question.messages[0].content
    assert "Label this" not in question.messages[2].content
    in_json = prompt.question("No mass.", small, examples=[example], form=JSON)
    assert in_json.messages[1].content == '{"Mass": "positive", "Clear": "blank"}'
    assert "JSON object with these keys: Mass, Clear." in in_json.messages[2].content


def test_a_prompt_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    prompt = load_prompt(prompt_file(tmp_path))
    own = Vocabulary(
        "own", (Finding("Mass", definition="a lump"), Finding("Cyst"), Finding("None", role="none"))
    )
    question = prompt.question(" No mass. ", own)
    assert question.choices == ("silent", "there", "gone", "maybe so")
    assert question.messages[0].content == (
        "Decide:\n* Mass = a lump\n* Cyst\n* None (yes or nothing)\n<No mass.>"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<{report}>", "<>", r"mine\.toml, \[mine\], report: needs \{report\} exactly once"),
        ("{findings}", "{finding}", r"\[mine\], instruction: \{finding\} is not filled in here"),
        ('version = "3"', "version = 3", r"\[mine\], version: must be text in quotes; got 3"),
        ('version = "3"', 'verion = "3"', r"\[mine\]: unknown key 'verion'; allowed: about, "),
        ('"gone"', '"There"', r"\[mine\], states: two states have the same word"),
        ('"gone"', '"gone: no"', r"\[mine\], states, negative: must be a word or a few"),
        ('negative = "gone"', "", r"\[mine\], states, negative: .* got None"),
        ('finding = "* {finding} = {definition}"', "", r"\[mine\]: the key 'finding' is missing"),
        ("[mine]", "[mine", r"mine\.toml: is not valid TOML"),
        ("[mine.states]", "[other.states]", r"\[mine\]: the key 'states' is missing"),
    ],
)
def test_a_bad_prompt_file_is_refused_with_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_prompt(prompt_file(tmp_path, MINE.replace(old, new, 1)))


def test_a_prompt_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no prompt 'ful'\. Did you mean 'full'\?"):
        load_prompt("ful")
    with pytest.raises(InputError, match="cannot be read"):
        load_prompt(tmp_path / "no.toml")
    with pytest.raises(InputError, match=r"has 2 prompts \(mine, more\)"):
        load_prompt(prompt_file(tmp_path, MINE + MINE.replace("mine", "more")))


@pytest.mark.parametrize("name", shipped_prompts())
def test_a_prompt_is_the_same_after_it_was_written(tmp_path: Path, name: str) -> None:
    prompt = load_prompt(name)
    again = load_prompt(prompt_file(tmp_path, prompt.to_toml()))
    assert again == prompt
    assert again.digest == prompt.digest
    assert again.about == prompt.about
    assert prompt_from(prompt.to_dict(), name=name, where="here") == prompt


def test_odd_signs_survive_the_writing_of_a_prompt(tmp_path: Path) -> None:
    odd = Prompt("a b", "1", 'C:\\new "x" """\n\ttab\n', "{report}", "{finding}", ("a", "b", "c", "d"))
    text = odd.to_toml()
    assert tomllib.loads(text)["a b"]["instruction"] == odd.instruction
    assert load_prompt(prompt_file(tmp_path, text)) == odd


def test_the_digest_is_of_what_is_asked_alone() -> None:
    prompt = load_prompt("brief")
    plain = prompt.to_dict()
    digests = [
        prompt_from({**plain, key: plain[key] + "."}, name="x", where="x").digest
        for key in ("instruction", "report", "json", "version")
    ]
    assert prompt.digest not in digests
    assert len(set(digests)) == 4
    assert prompt_from({**plain, "about": "other"}, name="x", where="x").digest == prompt.digest


def test_a_card_says_how_a_trained_model_is_asked(tmp_path: Path) -> None:
    own = Vocabulary(
        "own", (Finding("Mass", aliases=("lump",), definition="a lump"), Finding("None", role="none"))
    )
    card = LlmCard(load_prompt("brief"), own, "impression")
    assert load_card(tmp_path) is None
    assert load_card("some/id-on-a-hub") is None
    save_card(tmp_path, card)
    assert load_card(tmp_path) == card
    save_card(tmp_path, LlmCard(load_prompt("full"), CHEXPERT14))
    found = load_card(tmp_path)
    assert found is not None
    assert found.vocabulary is CHEXPERT14


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ('{"format": "other"}', "its field 'format' must be"),
        (
            '{"format": "hilum llm 1", "prompt": {"version": "1"}}',
            r"prompt: the key 'instruction' is missing",
        ),
    ],
)
def test_a_bad_card_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / CARD_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_card(tmp_path)


def test_definitions_of_ones_own_findings_come_from_the_vocabulary_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'vocabulary = "mine"\nbase = "chexpert14"\n[[finding]]\nname = "Scoliosis"\n'
        'definition = " a spine that is curved to the side "\n',
        encoding="utf-8",
    )
    vocabulary = load_vocabulary(str(path))
    assert vocabulary.names == (*CHEXPERT14.names, "Scoliosis")
    assert vocabulary.findings[-1].definition == "a spine that is curved to the side"
    assert vocabulary.findings[0] == CHEXPERT14.findings[0]
    assert load_vocabulary() is CHEXPERT14
    path.write_text('vocabulary = "mine"\n[[finding]]\nname = "A"\ndefinition = "a\\nb"\n', encoding="utf-8")
    with pytest.raises(LexiconError, match=r"line 2, finding 'A': definition .* is one line of text"):
        load_vocabulary(str(path))
