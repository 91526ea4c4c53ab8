"""The contract of every part store; a new backend is one more entry of STORES."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hilum.core.errors import OutputError, ResumeError
from hilum.runner.store import FolderStore, PartStore

STORES: dict[str, Callable[[Path], PartStore]] = {"folder": lambda path: FolderStore(path / "parts")}
JOB = {"input": "abc", "options": {"section": "both", "html": None}}


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], PartStore]:
    return lambda: STORES[request.param](tmp_path)


def test_a_saved_chunk_is_there_after_a_reopen(make):
    store = make()
    store.open(JOB)
    assert not store.has(0)
    store.save(0, {"rows": b"a\n", "empty": b""})
    store.close()
    again = make()
    again.open(JOB)
    assert again.has(0)
    assert not again.has(1)
    assert again.path(0, "rows").read_bytes() == b"a\n"
    assert again.path(0, "empty").read_bytes() == b""
    again.close()


def test_saving_again_replaces(make):
    store = make()
    store.open(JOB)
    store.save(3, {"rows": b"old"})
    store.save(3, {"rows": b"new"})
    assert store.has(3)
    assert store.path(3, "rows").read_bytes() == b"new"
    store.close()


@pytest.mark.parametrize("damage", [b"", b"a", b"b\n", b"a\n\n"])
def test_a_torn_or_changed_part_makes_the_chunk_undone(make, damage):
    store = make()
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.path(0, "rows").write_bytes(damage)
    assert not store.has(0)
    store.path(0, "rows").unlink()
    assert not store.has(0)
    store.close()


def test_another_job_is_refused_and_told_apart(make):
    store = make()
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.close()
    with pytest.raises(ResumeError) as caught:
        make().open({"input": "abd", "options": {"section": "findings", "html": None}})
    message = str(caught.value)
    assert "input was 'abc' and is now 'abd'" in message
    assert "options.section was 'both' and is now 'findings'" in message
    assert "html" not in message
    assert "--fresh" in message
    same = make()
    same.open(JOB)
    assert same.has(0)
    same.close()


def test_a_start_that_finished_nothing_keeps_no_other_job_out_where_parts_are_all_there_is(tmp_path):
    other = {"input": "abd"}
    for job in (JOB, other):
        store = FolderStore(tmp_path / "p", parts_alone=True)
        store.open(job)
        assert not store.has(0)
        store.close()
    with pytest.raises(ResumeError):
        FolderStore(tmp_path / "p").open(JOB)
    store.open(other)
    store.save(0, {"rows": b"a\n"})
    store.close()
    with pytest.raises(ResumeError):
        FolderStore(tmp_path / "p", parts_alone=True).open(JOB)


def test_fresh_forgets(make):
    store = make()
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.close()
    again = make()
    again.open({"input": "other"}, fresh=True)
    assert not again.has(0)
    again.close()


def test_a_store_in_use_is_refused(make):
    store = make()
    store.open(JOB)
    with pytest.raises(ResumeError, match=r"in use by another hilum \(process \d+\)"):
        make().open(JOB)
    store.close()
    again = make()
    again.open(JOB)
    again.close()


def test_remove_leaves_nothing(make, tmp_path):
    store = make()
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from hilum.runner.store import FolderStore; "
        "s = FolderStore(Path(sys.argv[1])); s.open({}); s.save(0, {'a': b'1'}); os.kill(os.getpid(), 9)"
    )
    dead = subprocess.run([sys.executable, "-c", code, str(tmp_path / "parts")], check=False, timeout=30)
    assert dead.returncode == -9
    assert (tmp_path / "parts" / "lock").read_text().isdigit()
    store = FolderStore(tmp_path / "parts")
    store.open({})
    assert store.has(0)
    store.close()


def test_somebody_elses_files_in_the_folder_stay(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    store = FolderStore(folder)
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.remove()
    assert [p.name for p in folder.iterdir()] == ["thesis.txt"]


def test_a_half_written_manifest_starts_over(tmp_path):
    folder = tmp_path / "parts"
    store = FolderStore(folder)
    store.open(JOB)
    store.save(0, {"rows": b"a\n"})
    store.close()
    (folder / "manifest.json").write_text('{"inp')
    store.open(JOB)
    assert not store.has(0)
    store.close()


def test_a_file_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "parts").write_text("a file")
    with pytest.raises(OutputError, match="Cannot write in"):
        FolderStore(tmp_path / "parts").open(JOB)


def test_no_room_is_an_output_error_that_says_how_to_go_on(tmp_path, monkeypatch):
    store = FolderStore(tmp_path / "parts")
    store.open(JOB)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"No space left on device.*run the same command again"):
        store.save(0, {"rows": b"a\n"})
    monkeypatch.undo()
    assert not store.has(0)
    store.close()
