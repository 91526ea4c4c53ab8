"""What every data set promises, whoever wrote it: run for each name that `DATA_SETS` knows.

A data set that reads files has its layout, invented: a function `write(root)` in `tests/datasets/layout_NAME.py` or
`tests/datasets/test_NAME.py`.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from hilum.core.errors import InputError, UnknownNameError
from hilum.core.imaging import Study
from hilum.datasets import DATA_SETS, Access, DataSet, Expected, ItemStatus, get_data_set

LAYOUTS = Path(__file__).parents[1] / "datasets"
HEAVY = ("torch", "cv2", "pydicom", "PIL", "scipy", "sklearn", "transformers", "matplotlib")
MOST = 200
"""Studies of a data set that are looked at; a generated one may have no end."""

Layout = Callable[[Path], None]


@pytest.fixture(params=DATA_SETS.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def layout(name: str, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.syspath_prepend(LAYOUTS)
    for module in (f"layout_{name}", f"test_{name}"):
        write: Layout | None = None
        if (LAYOUTS / f"{module}.py").is_file():
            write = getattr(importlib.import_module(module), "write", None)
        if write is not None:
            return write
    if get_data_set(name, Path()).card.access is Access.GENERATED:
        pytest.skip("it is generated; there is no layout of somebody else's files")
    pytest.fail(
        f"add a function write(root) to tests/datasets/layout_{name}.py that writes invented files in the published "
        "layout; docs/add-a-data-set.md shows one"
    )


@pytest.fixture
def whole(name: str, layout: Layout, tmp_path: Path) -> DataSet:
    (tmp_path / name).mkdir()
    layout(tmp_path / name)
    return get_data_set(name, tmp_path / name)


def files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def tables(root: Path) -> list[Path]:
    """Files that are no images; the smallest ones first, fifteen at most."""
    found = [path for path in files(root) if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".dcm")]
    return sorted(found, key=lambda path: (path.suffix == ".txt", str(path)))[:15]


def facts(study: Study) -> tuple[object, ...]:
    """All of a study that can be compared."""
    images = [(i.id, i.path, i.view, i.boxes, i.spacing_mm) for i in study.images]
    labels = {source: labels.states for source, labels in study.labels.items()}
    told = (study.sex, study.race, study.age_years, study.split, study.licence, dict(study.meta))
    return (study.id, study.patient, images, study.report, labels, study.priors, *told)


def test_its_card_is_complete(name: str) -> None:
    card = get_data_set(name, Path()).card
    for text in (card.title, card.licence, card.citation, card.how_to_get):
        assert text.strip() == text != ""
    assert isinstance(card.access, Access)
    generated = card.access is Access.GENERATED
    assert generated or card.homepage.startswith("https://")
    assert generated or "http" in card.how_to_get or "git clone" in card.how_to_get
    assert card.expected or generated
    assert card.synthetic or not generated
    for one in card.expected:
        assert isinstance(one, Expected)
        assert one.pattern
        assert one.what
        assert not Path(one.pattern).is_absolute()
        assert one.count is None or one.count > 0
    assert generated or any(one.required for one in card.expected), "what can one not do without?"
    assert len(set(card.splits)) == len(card.splits)
    assert len(set(card.labels)) == len(card.labels)
    assert all(len(line) < 700 for line in (card.licence, card.how_to_get, card.citation))


def test_it_is_told_what_it_is(name: str) -> None:
    build = DATA_SETS.get(name)
    module = importlib.import_module(build.__module__)
    data_set = type(get_data_set(name, Path()))
    for thing in (module, build, data_set):
        assert inspect.getdoc(thing), thing
    assert data_set.__doc__ != DataSet.__doc__
    parameters = list(inspect.signature(build).parameters.values())
    assert parameters[0].name == "root"
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[1:])


def test_the_page_of_data_sets_has_it(name: str) -> None:
    if not DATA_SETS.get(name).__module__.startswith("hilum."):
        pytest.skip("it is in another package")
    page = (Path(__file__).parents[2] / "docs" / "data-sets.md").read_text(encoding="utf-8")
    card = get_data_set(name, Path()).card
    line = next((line for line in page.splitlines() if line.startswith(f"| `{name}` |")), "")
    assert line, f"add a row to docs/data-sets.md, in its first table, that starts with: | `{name}` |"
    assert f"| {card.access.value} |" in line
    assert all(f"`{source}`" in line or source.startswith("reader bc") for source in card.labels)


def test_making_one_touches_nothing_and_it_can_be_sent_to_a_worker(name: str, tmp_path: Path) -> None:
    data = get_data_set(name, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    again = pickle.loads(pickle.dumps(data))
    assert (type(again), again.root) == (type(data), data.root)


def test_importing_them_all_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hilum.api.doctor import list_data_sets; list_data_sets(); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_wrong_folder_is_told_and_not_raised(name: str, tmp_path: Path) -> None:
    data = get_data_set(name, tmp_path / "none")
    if data.card.access is Access.GENERATED:
        pytest.skip("it needs no folder")
    (tmp_path / "file").write_text("no folder")
    for place, word in (("none", "does not exist"), ("file", "is a file")):
        (item,) = get_data_set(name, tmp_path / place).check().items
        assert item.status is ItemStatus.WRONG
        assert word in item.note
        assert str(tmp_path / place) in item.note


def test_an_empty_folder_has_everything_missing_and_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    data = get_data_set(name, tmp_path)
    if data.card.access is Access.GENERATED:
        pytest.skip("it needs no folder")
    found = data.check()
    assert not found.ok
    assert len(found.items) >= len(data.card.expected)
    statuses = {item.status for item in found.items}
    assert statuses <= {ItemStatus.MISSING, ItemStatus.ABSENT}
    for item in found.items:
        assert item.found == 0
        assert item.note == "" or item.status is ItemStatus.MISSING
        assert data.card.how_to_get in item.note or item.status is ItemStatus.ABSENT


def test_studies_of_an_empty_folder_name_what_is_missing(name: str, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        data = get_data_set(name, place)
        if data.card.access is Access.GENERATED:
            pytest.skip("it needs no folder")
        for split in (None, *data.card.splits):
            with pytest.raises(InputError) as caught:
                data.studies(split)
            assert str(place) in str(caught.value)
            assert data.card.how_to_get in str(caught.value)
            assert "Next step" in str(caught.value)


def test_an_unknown_split_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="split"):
        get_data_set(name, tmp_path).studies("no such split")


def test_nothing_is_missing_of_its_layout_and_it_is_counted(whole: DataSet) -> None:
    found = whole.check()
    assert [item for item in found.items if item.status is ItemStatus.MISSING] == []
    assert found.counts["studies"] == len(list(whole.studies())) > 0
    assert found.counts["images"] == sum(len(study.images) for study in whole.studies())
    assert {"studies", "images", "reports"} <= found.counts.keys()


def test_its_studies_are_as_the_card_says(whole: DataSet) -> None:
    studies = list(islice(whole.studies(), MOST))
    ids = [study.id for study in studies]
    assert "" not in ids
    assert len(set(ids)) == len(ids)
    sources: set[str] = set()
    for study in studies:
        sources.update(study.labels)
        assert set(study.labels) <= set(whole.card.labels)
        assert study.split in (*whole.card.splits, "")
        assert study.sex in ("F", "M", "")
        assert study.age_years is None or 0 <= study.age_years < 120
        assert study.id not in study.priors
        assert not study.priors or study.patient
        assert all(len(labels.states) == len(labels.vocabulary) for labels in study.labels.values())
        assert all(image.path is not None and image.path.is_file() for image in study.images)
        assert len({image.id for image in study.images}) == len(study.images)
        assert all(text == text.strip() for text in (study.id, study.patient, study.licence))
    assert sources or not whole.card.labels
    assert all(set(study.priors) <= set(ids) for study in studies)


def test_two_walks_and_two_processes_give_the_same(whole: DataSet) -> None:
    first = list(map(facts, islice(whole.studies(), MOST)))
    assert list(map(facts, islice(pickle.loads(pickle.dumps(whole)).studies(), MOST))) == first


def test_splits_are_parts_of_the_whole_in_its_order(whole: DataSet) -> None:
    ids = [study.id for study in islice(whole.studies(), MOST)]
    seen: list[str] = []
    for split in whole.card.splits:
        try:
            part = list(islice(whole.studies(split), MOST))
        except InputError:
            continue
        assert all(study.split == split for study in part)
        own = [study.id for study in part]
        assert own == [one for one in ids if one in set(own)]
        seen += own
    assert len(seen) == len(set(seen))


def test_half_a_folder_is_told_and_never_raised_by_check(whole: DataSet) -> None:
    for path in list(files(whole.root))[::2]:
        path.unlink()
    found = whole.check()
    assert found.items
    assert {item.status for item in found.items} - {ItemStatus.FOUND}


def test_a_missing_or_foreign_table_is_told_and_never_raised_by_check(whole: DataSet) -> None:
    for path in tables(whole.root):
        content = path.read_bytes()
        for wrong in (None, b"", b"\x00\xff\x1f garbage", b"a,b\n1,2\n", content[: len(content) // 2]):
            path.unlink() if wrong is None else path.write_bytes(wrong)
            found = whole.check()
            assert found.items, (path, wrong)
            assert readable(whole) or not found.ok, (path, wrong)
            path.write_bytes(content)


def readable(data: DataSet) -> bool:
    """Whether its studies come without an InputError; any other error is a fault of the data set."""
    try:
        list(islice(data.studies(), MOST))
    except InputError:
        return False
    return True
