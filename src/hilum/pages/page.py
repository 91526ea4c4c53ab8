"""One self-contained HTML page: no request leaves it, and nothing but its own style and script runs in it."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType

from hilum.pages.evidence import visible


def escape(text: str) -> str:
    """`text` for an HTML element or a quoted attribute; characters that no page can hold are made visible."""
    return html.escape(visible(text), quote=True)


def html_page(
    title: str,
    body: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    stamp: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A whole page around `body`, which is HTML already; the same arguments give the same characters.

    `styles` and `scripts` name files of this folder (`page.css` always comes first). They are put into the
    page, whose content security policy allows them by hash and nothing else: no request, no inline handler.
    `stamp` (what made the page: vocabulary, convention, version) is printed at the foot.
    """
    style = "".join(_asset(name) for name in ("page.css", *styles))
    script = "".join(_asset(name) for name in scripts)
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n<style>{style}</style>\n'
        f"</head>\n<body>\n{body}\n{_footer(stamp)}"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return files("hilum.pages").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _source(content: str) -> str:
    if not content:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _footer(stamp: Mapping[str, str]) -> str:
    if not stamp:
        return ""
    rows = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in stamp.items())
    return f'<footer>\n<dl class="stamp">{rows}</dl>\n</footer>\n'
