"""A bad entry of a lexicon is told with its file, line and rule; a user's own vocabulary needs no code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.core.errors import HilumError, InputError, LexiconError, UnknownNameError
from hilum.core.records import propagate_parents
from hilum.core.vocabulary import CHEXPERT14, State
from hilum.labelers import ReportSpans, _lexicon_files, get_labeler
from hilum.labelers._lexicon import load_lexicon

HEAD = 'vocabulary = "mine"\n\n[[finding]]\nname = "Rash"\n\n'  # 5 lines: the first entry stands on line 6


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def label(path: str, text: str) -> dict[str, State]:
    [labels] = get_labeler("rules", vocabulary=path).label_batch([ReportSpans(text)])
    return {name: state for name, state in labels.as_dict().items() if state}


def rule(table: str = "mention", **fields: str) -> str:
    given = {"id": '"rash"', "finding": '"Rash"', "phrases": '["rash"]', **fields}
    return f"[[{table}]]\n" + "".join(f"{key} = {value}\n" for key, value in given.items() if value)


BAD_ENTRIES = {
    "wrong key": (rule(phrase='["x"]'), r"line 6, mention 'rash': unknown key 'phrase'; allowed: .*phrases"),
    "no id": (rule(id=""), r"line 6, mention .*: needs id = "),
    "no phrases": (rule(phrases=""), r"line 6, mention 'rash': needs phrases = "),
    "empty phrases": (rule(phrases="[]"), r"line 6, mention 'rash': needs phrases = "),
    "empty phrase": (rule(phrases='["rash", ""]'), r"line 6, mention 'rash': needs phrases = "),
    "phrases no list": (rule(phrases='"rash"'), r"line 6, mention 'rash': needs phrases = "),
    "phrase without word": (
        rule(phrases='["!"]'),
        r"line 6, mention 'rash': the phrase '!' has no word in it",
    ),
    "unknown finding": (
        rule(finding='"Rahs"'),
        r"line 6, mention 'rash': There is no finding 'Rahs'\. Did you mean 'Rash'\?",
    ),
    "open parenthesis": (
        rule(phrases='["(a|b rash"]'),
        r"line 6, mention 'rash': phrase has a '\(' without '\)'",
    ),
    "closed parenthesis": (
        rule(phrases='["a) rash"]'),
        r"line 6, mention 'rash': phrase has a '\)' without '\('",
    ),
    "all optional": (rule(phrases='["rash?"]'), r"line 6, mention 'rash': phrase can be empty"),
    "bad state": (
        rule(positive='"maybe"'),
        r"line 6, mention 'rash': positive = 'maybe' is no state; allowed: blank, positive",
    ),
    "wrong kind of cue": (
        rule("cue", finding="", kind='"negation"'),
        r"line 6, cue 'rash': kind 'negation' is not one of .*negation-before",
    ),
    "key of another table": (
        rule("abnormality"),
        r"line 6, abnormality 'rash': unknown key 'finding'; allowed: id, note, phrases",
    ),
    "duplicate phrase": (
        rule() + "\n" + rule(id='"rash-again"'),
        r"line 11, mention 'rash-again': the phrase 'rash' stands also in 'mine/rash'; keep one",
    ),
    "second of two": (
        rule() + "\n" + rule(id='"two"', phrases="[]"),
        r"line 11, mention 'two': needs phrases",
    ),
    "finding without name": ("[[finding]]\nparent = 'Rash'\n", r'line 6, finding .*: needs name = "'),
    "difference without why": (
        '[[difference]]\nname = "odd"\n',
        r"""line 6, difference 'odd': needs name = "\.\.\." and why = """,
    ),
    "change of no rule": (
        rule() + '\n[[difference]]\nname = "odd"\nwhy = "so"\nchange = [{ id = "mine/rush", drop = true }]\n',
        r"mine\.toml.*'mine/rush', which does not exist",
    ),
    "change with a wrong key": (
        rule()
        + '\n[[difference]]\nname = "odd"\nwhy = "so"\nchange = [{ id = "mine/rash", remove = true }]\n',
        r"line 11, difference 'odd': a change takes .*drop",
    ),
    "bad TOML": ("[[mention\n", r"is not valid TOML: .*line 6"),
    "unknown table": ("[[mentions]]\nid = 'x'\n", r"unknown key 'mentions'; allowed: .*mention"),
}


@pytest.mark.parametrize(("entry", "message"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_entry_is_told_with_file_line_and_rule(write, entry: str, message: str) -> None:
    with pytest.raises(LexiconError, match=message) as error:
        load_lexicon(write(HEAD + entry))
    assert "mine.toml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('vocabulary = "mine"\n', r"mine\.toml.*nothing to label"),
        (HEAD + '[[finding]]\nname = "Rash"\n', "twice"),
        (HEAD + '[[finding]]\nname = "Spot"\nparent = "Rush"\n', "unknown parent 'Rush'"),
        (HEAD + '[[finding]]\nname = "Spot"\nrole = "thing"\n', "role 'thing'; allowed: finding"),
        (
            'base = "chexpert41"\nvocabulary = "mine"\n',
            r"base 'chexpert41' is not shipped; allowed: chexpert14, nih14",
        ),
    ],
)
def test_a_vocabulary_that_contradicts_itself_is_told(write, text: str, message: str) -> None:
    with pytest.raises(HilumError, match=message):
        load_lexicon(write(text))


def test_a_name_or_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'chexpert14'"):
        load_lexicon("chexpert")
    with pytest.raises(UnknownNameError, match=r"no convention 'hous'\. Did you mean 'house'"):
        load_lexicon(convention="hous")
    with pytest.raises(InputError, match=r"gone\.toml"):
        load_lexicon(str(tmp_path / "gone.toml"))


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LexiconError, match=r"mine\.toml.*is not valid TOML"):
        load_lexicon(str(path))


def test_a_vocabulary_of_ones_own_from_scratch(write) -> None:
    mine = write(
        HEAD
        + '[[finding]]\nname = "Swelling"\nparent = "Rash"\n\n'
        + rule()
        + "\n"
        + rule(id='"swelling"', finding='"Swelling"', phrases='["(limb|joint)? swelling"]')
    )
    assert label(mine, "No rash, but joint swelling is possible.") == {
        "Rash": State.NEGATIVE,
        "Swelling": State.UNCERTAIN,
    }
    [labels] = get_labeler("rules", vocabulary=mine).label_batch([ReportSpans("Limb swelling.")])
    assert propagate_parents(labels)["Rash"] is State.POSITIVE
    assert labels.vocabulary.name == "mine"


def test_new_findings_on_top_of_chexpert14(write) -> None:
    text = (
        'vocabulary = "mine"\nbase = "chexpert14"\n\n[[finding]]\nname = "Bronchiectasis"\nparent = "Lung Opacity"\n'
        'aliases = ["Bronchial Widening"]\n\n[[mention]]\nid = "bronchiectasis"\nfinding = "Bronchiectasis"\n'
        'phrases = ["(cylindrical|saccular)? bronchiectasis"]\n'
    )
    mine = get_labeler("rules", vocabulary=write(text))
    assert mine.vocabulary.names == (*CHEXPERT14.names, "Bronchiectasis")
    assert mine.vocabulary.ancestors("bronchial widening") == ("Lung Opacity",)
    [labels] = mine.label_batch([ReportSpans("Saccular bronchiectasis. No pleural effusion.")])
    assert {n: s for n, s in labels.as_dict().items() if s} == {
        "Bronchiectasis": State.POSITIVE,
        "Pleural Effusion": State.NEGATIVE,
    }
    assert [e.entry for e in labels.deciding("Bronchiectasis")] == ["mine/bronchiectasis"]
    assert mine.stamp["vocabulary"] == "mine"


def test_ones_own_phrase_takes_the_place_of_the_shipped_one(write) -> None:
    text = 'vocabulary = "mine"\nbase = "chexpert14"\n\n[[mention]]\nid = "scar"\n'
    text += 'finding = "Pleural Other"\nphrases = ["scar"]\n'
    assert label(write(text), "A scar.") == {"Pleural Other": State.POSITIVE}
    assert label("chexpert14", "A scar.") == {"Lung Opacity": State.POSITIVE}


def test_ones_own_spellings_are_understood(write) -> None:
    mine = write(HEAD + rule() + '\n[spellings]\nrash = ["exanthem"]\n')
    assert label(mine, "No exanthem.") == {"Rash": State.NEGATIVE}
    assert label(mine, "Rashes.") == {"Rash": State.POSITIVE}


def test_the_digest_is_of_every_file_of_the_stack(write) -> None:
    digests = {
        load_lexicon(v, convention=c).digest for v in ("chexpert14", "nih14") for c in ("house", "chexpert")
    }
    assert len(digests) == 4
    one, two = (load_lexicon(write(HEAD + rule() + remark)).digest for remark in ("", "# remark\n"))
    assert one != two
    assert load_lexicon().digest == load_lexicon().digest


@pytest.mark.parametrize("vocabulary", ["chexpert14", "nih14"])
def test_the_rules_of_a_lexicon_have_one_id_each(vocabulary: str) -> None:
    for file in (_lexicon_files.shipped(n) for n in _lexicon_files.shipped_names()):
        tables = ("cue", "mention", "structure", "abnormality")
        ids = [entry["id"] for table in tables for entry in file.data.get(table, [])]
        assert len(ids) == len(set(ids)), file.name
    lexicon = load_lexicon(vocabulary)
    assert all("/" in r.id for r in lexicon.rules.values())
    assert all(0 <= t.finding <= lexicon.other for r in lexicon.rules.values() for t in r.targets)


def test_policies_of_uncertain_name_findings_and_cues_that_exist() -> None:
    lexicon = load_lexicon("nih14")
    cues = {r.id for r in lexicon.rules.values()} | {"cues/alternative"}
    assert set(lexicon.yes_cues) <= set(lexicon.vocabulary.names)
    assert set().union(*lexicon.yes_cues.values()) <= cues


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('vocabulary = "m"\n[[finding]]\nname = "Gas"\nrol = "device"\n', "unknown key 'rol'"),
        ('vocabulary = "m"\n[[finding]]\nname = "Gas"\nparent = "Air"\n', "unknown parent 'Air'"),
        ('vocabulary = "nih14"\nbase = "nih14"\n', "shipped vocabulary"),
        ('vocabulary = "m"\nbase = "nih14"\n[uncertain]\nEdma = ["probable"]\n', "Did you mean 'Edema'"),
        (
            'vocabulary = "m"\nbase = "nih14"\n[uncertain]\nEdema = ["probabel"]\n',
            "Did you mean 'cues/probable'",
        ),
    ],
)
def test_a_vocabulary_file_is_checked_before_it_is_used(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(LexiconError, match=re.escape(said)) as caught:
        load_lexicon(str(path))
    assert "mine.toml" in str(caught.value)
