from __future__ import annotations

import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from program import ROOT, environment, hilum

import hilum as package


def test_version(tmp_path):
    done = hilum("--version", cwd=tmp_path)
    assert done.stdout.decode() == f"hilum {package.__version__}\n"


def test_help_names_every_command_and_option(tmp_path):
    shown = hilum("--help", cwd=tmp_path).stdout.decode()
    for command in ("label", "explain", "selftest"):
        assert command in shown
    options = hilum("label", "--help", cwd=tmp_path).stdout.decode()
    for option in (
        "--output", "-o", "--labeler", "--vocabulary", "--column", "--section", "--convention", "--evidence",
        "--html", "--html-limit", "--workers", "--propagate-parents", "--fresh",
    ):  # fmt: skip
        assert option in options


def test_an_unknown_option_is_a_usage_error(tmp_path):
    done = hilum("label", "x.csv", "--sections", "all", cwd=tmp_path)
    assert done.returncode == 2
    assert "--section" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_help_and_version_load_nothing_heavy():
    import subprocess

    code = (
        "import sys\nfrom hilum.cli import main\n"
        "print(sorted({'numpy', 'polars', 'pandas', 'torch', 'hilum.labelers.rules'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[]\n"


def test_selftest_passes_as_shipped(tmp_path):
    done = hilum("selftest", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert "all labels as shipped" in done.stdout.decode()


def test_the_program_is_installed_under_its_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"hilum": "hilum.cli.main:main"}
