from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hilum.core.errors import InputError
from hilum.tables.pairs import Pairs, join_texts, read_texts


def csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def joined(references: Path, candidates: Path, **options: Any) -> Pairs:
    how = options.pop("how", "auto")
    return join_texts(
        read_texts(references, "references", **options),
        read_texts(candidates, "candidates", **options),
        how=how,
    )


@pytest.fixture
def references(tmp_path: Path) -> Path:
    return csv(tmp_path / "r.csv", "study_id,report\na,No edema.\nb,Small effusion.\nc,Clear lungs.\n")


def test_rows_are_joined_by_key_in_the_order_of_the_references(tmp_path: Path, references: Path) -> None:
    candidates = csv(tmp_path / "c.csv", "report,study_id\nThree.,c\nOne.,a\nTwo.,b\n")
    pairs = joined(references, candidates)
    assert pairs.ids == ("a", "b", "c")
    assert pairs.candidates == ("One.", "Two.", "Three.")
    assert pairs.references[1] == ("Small effusion.",)
    assert pairs.joined == "key"
    assert any("3 rows stand at another place" in note for note in pairs.notes)


def test_position_is_used_without_keys_or_on_request(tmp_path: Path, references: Path) -> None:
    bare = csv(tmp_path / "bare.csv", "text\nOne.\nTwo.\nThree.\n")
    pairs = joined(references, bare)
    assert (pairs.joined, pairs.ids, pairs.candidates) == (
        "position",
        ("a", "b", "c"),
        ("One.", "Two.", "Three."),
    )
    assert "only one file has keys, so rows were joined by position" in pairs.notes
    assert joined(bare, bare).ids == ("0", "1", "2")
    keyed = csv(tmp_path / "keyed.csv", "study_id,report\nb,One.\na,Two.\nc,Three.\n")
    pairs = joined(references, keyed, how="position")
    assert pairs.candidates[0] == "One."
    assert "joined by position, but 2 rows have another key in the two files" in pairs.notes


def test_keys_that_do_not_match_are_counted(tmp_path: Path, references: Path) -> None:
    candidates = csv(tmp_path / "c.csv", "study_id,report\na,One.\nx,Two.\ny,Three.\nz,Four.\n")
    with pytest.raises(
        InputError, match=r"2 of 3 references have no candidate \('b', 'c'\), and 3 of 4 candidates"
    ):
        joined(references, candidates)
    candidates = csv(tmp_path / "c.csv", "study_id,report\na,One.\na,Two.\nb,Three.\n")
    with pytest.raises(InputError, match=r"1 keys of column 'study_id' stand more than once: 'a'"):
        joined(references, candidates)
    candidates = csv(tmp_path / "c.csv", "study_id,report\na,One.\n,Two.\nc,Three.\n")
    with pytest.raises(InputError, match=r"1 keys of column 'study_id' are empty: row 2"):
        joined(references, candidates)
    assert joined(references, candidates, how="position").candidates[1] == "Two."


def test_unequal_numbers_by_position(tmp_path: Path, references: Path) -> None:
    bare = csv(tmp_path / "bare.csv", "text\nOne.\nTwo.\n")
    with pytest.raises(InputError, match=r"has 3 rows and .* 2"):
        joined(references, bare)
    with pytest.raises(InputError, match="has no key column"):
        joined(references, bare, how="key")
    with pytest.raises(InputError, match="allowed: auto, key, position"):
        joined(references, references, how="keys")


def test_empty_texts(tmp_path: Path, references: Path) -> None:
    candidates = csv(tmp_path / "c.csv", "study_id,report\na,\nb,nan\nc,Three.\n")
    pairs = joined(references, candidates)
    assert pairs.candidates == ("", "", "Three.")
    assert "2 candidates are empty; they are scored as they are" in pairs.notes
    pairs = joined(candidates, references)
    assert (pairs.ids, pairs.candidates) == (("c",), ("Clear lungs.",))
    assert "2 pairs were left out because the reference is empty" in pairs.notes
    nothing = csv(tmp_path / "n.csv", "report\n  \nnan\n")
    with pytest.raises(InputError, match="every reference is empty"):
        joined(nothing, nothing)


@pytest.mark.parametrize(
    "data",
    [
        {"a": ["No edema."], "b": ["Small effusion.", "Effusion."], "c": "Clear lungs."},
        [
            {"id": "a", "references": "No edema."},
            {"id": "b", "references": ["Small effusion.", "Effusion."]},
            {"id": "c", "references": ["Clear lungs."]},
        ],
    ],
    ids=["mapping", "objects"],
)
def test_json_with_several_references(tmp_path: Path, data: Any) -> None:
    file = tmp_path / "r.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    lines = tmp_path / "c.jsonl"
    lines.write_text(
        "".join(json.dumps({"id": k, "prediction": k.upper()}) + "\n" for k in "cab"), encoding="utf-8"
    )
    pairs = joined(file, lines)
    assert pairs.references == (("No edema.",), ("Small effusion.", "Effusion."), ("Clear lungs.",))
    assert pairs.candidates == ("A", "B", "C")
    assert pairs.several


def test_json_lines_with_several_references_and_a_plain_list(tmp_path: Path) -> None:
    lines = tmp_path / "r.jsonl"
    lines.write_text(
        '{"references": ["No \\"edema\\".", "Clear."]}\n{"references": ["One."]}\n', encoding="utf-8"
    )
    plain = tmp_path / "c.json"
    plain.write_text('["x", "y"]', encoding="utf-8")
    pairs = joined(lines, plain)
    assert pairs.references == (('No "edema".', "Clear."), ("One.",))
    assert (pairs.candidates, pairs.joined) == (("x", "y"), "position")


def test_one_file_with_two_columns(tmp_path: Path) -> None:
    file = csv(tmp_path / "both.csv", "id,prompt,ground_truth,prediction\n1,p,No edema.,Edema.\n")
    pairs = joined(file, file)
    assert (pairs.references, pairs.candidates) == ((("No edema.",),), ("Edema.",))
    named = read_texts(file, "candidates", column="Prompt")
    assert named.texts == (("p",),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ('{"a": "x", "a": "y"}', "1 keys stand twice"),
        ('"text"', "a JSON str"),
        ("[]", "has no row"),
        ('[{"report": "x"}, "y"]', "1 of 2 rows are no object"),
        ('[{"x": "y"}]', "--reference-column NAME"),
        ('{"a": 3}', "1 of 1 rows hold no text: row 1: number instead of text"),
        ('{"a": ["x", 3]}', "a list that holds other values than texts"),
        ('{"a": {"report": "x"}}', "dict instead of text"),
    ],
)
def test_json_of_another_form_is_told(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_texts(file, "references")


def test_columns_and_files_that_are_not_there(tmp_path: Path, references: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'reprot'.* Did you mean 'report'"):
        read_texts(references, "candidates", column="reprot")
    with pytest.raises(InputError, match="no key column 'uid'"):
        read_texts(references, "references", key="uid")
    with pytest.raises(InputError, match="There is no file"):
        read_texts(tmp_path / "x.json", "references")
    odd = csv(tmp_path / "odd.csv", "report,Report\nx,y\n")
    assert read_texts(odd, "references").texts == (("x",),)
    odd = csv(tmp_path / "odd.csv", "REPORT,Report\nx,y\n")
    with pytest.raises(InputError, match="2 columns could be 'report'"):
        read_texts(odd, "references")
    several = csv(tmp_path / "c.json", '{"a": ["x", "y"]}')
    with pytest.raises(InputError, match="1 candidates are lists of several texts"):
        joined(several, several)


def test_a_text_that_looks_like_a_list_or_a_number_is_a_text(tmp_path: Path) -> None:
    file = csv(tmp_path / "r.csv", 'report\n"[""broken]"\n42\n"[""a"" and ""b""]"\n')
    assert read_texts(file, "references").texts == (('["broken]',), ("42",), ('["a" and "b"]',))
