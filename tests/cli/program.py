"""Runs `hilum` as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "runner" / "plugin"


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join((str(ROOT / "src"), str(PLUGIN)))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "NO_COLOR": "1", **more}


def hilum(
    *arguments: object, cwd: Path, stdin: bytes | None = None, limit: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The finished process. `limit` is the greatest size of a file that it may write."""

    def small_files() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit or 0, limit or 0))

    return subprocess.run(
        [sys.executable, "-m", "hilum.cli.main", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=None if limit is None else small_files,
    )


def told(done: subprocess.CompletedProcess[bytes]) -> str:
    """The error message of a run that had to fail, without traceback."""
    message = done.stderr.decode()
    assert done.returncode == 2, message
    assert "Traceback" not in message
    assert message.startswith("error: ")
    return message
