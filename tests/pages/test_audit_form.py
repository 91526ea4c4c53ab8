from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from hilum.core.vocabulary import CHEXPERT14, State
from hilum.pages.audit_form import ANSWERS_FORMAT, FormReport, answer_state, audit_form, form_states

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FINDINGS = ("Edema", "Fracture", "No Finding")
REPORTS = [
    FormReport((("findings", "No edema."), ("impression", "Rib fracture?"))),
    FormReport((("", "</div><script>alert('x')</script> & \"edema\" \x00"),)),
    FormReport((("", "Heart and lungs are normal."),)),
]


def form(reports=REPORTS) -> str:
    return audit_form(
        "Read these",
        reports,
        vocabulary=CHEXPERT14,
        findings=FINDINGS,
        sample="0123abcd",
        stamp={"form": "0123abcd"},
    )


def test_each_finding_of_each_report_is_asked_once() -> None:
    page = form()
    names = re.findall(r'<input type="radio" name="([^"]+)" value="([a-z]+)"', page)
    assert len(names) == len(set(names)) == 3 * (4 + 4 + 2)
    assert {value for name, value in names if name.endswith("-2")} == {"positive", "blank"}
    assert page.count("<article") == 3


def test_nothing_is_answered_beforehand() -> None:
    assert not re.search(r"<input[^>]*\bchecked", form())


def test_the_form_is_the_same_again_and_asks_nothing_outside_itself() -> None:
    page = form()
    assert page == form()
    assert not re.search(
        r"https?:|//[a-z]|\bsrc=|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", page
    )
    assert "default-src 'none'" in page
    assert "unsafe" not in page


def test_texts_are_escaped() -> None:
    page = form()
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;edema&quot; ␀" in page


def test_every_control_has_a_name_for_those_who_cannot_see_it() -> None:
    page = form()
    radios = re.findall(r'<input type="radio"[^>]*>', page)
    assert all('aria-label="' in radio for radio in radios)
    assert 'aria-label="Edema: not mentioned"' in page
    bar = page[page.index('<div class="bar"') : page.index("<article")]
    for field in re.findall(r"<input[^>]*>", bar):
        before = bar[: bar.index(field)]
        assert before.rindex("<label") > before.rfind("</label>"), field


def test_the_script_speaks_of_the_same_format_and_states() -> None:
    script = files("hilum.pages").joinpath("audit_form.js").read_text("utf-8")
    assert f'const FORMAT = "{ANSWERS_FORMAT}";' in script
    states = re.search(r"const STATES = \[(.*)\];", script)
    assert states is not None
    named = [answer_state(name.strip(' "')) for name in states[1].split(",")]
    assert tuple(named) == form_states(CHEXPERT14, "Edema")


def test_answers_name_states_and_nothing_else_does() -> None:
    assert answer_state("positive") is State.POSITIVE
    assert answer_state("blank") is State.BLANK
    assert answer_state("POSITIVE") is None
    assert answer_state(1) is None


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_script_runs_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "form.html"
    path.write_text(form(), encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if not done.stdout.strip():
        pytest.skip("Chromium does not start here")
    assert '<html lang="en" class="js">' in done.stdout
    assert "0 of 3 reports answered" in done.stdout
    assert re.findall(r'<article [^>]*class="([^"]*)"', done.stdout) == ["now", "away", "away"]
