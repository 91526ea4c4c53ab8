"""Where a server is asked, and the key it is asked with: read once, checked, and never shown."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from hilum.core.errors import InputError

_TAIL = "/chat/completions"
_VERSION = re.compile(r"/v\d+[a-z0-9]*$")
_PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_KEY_RUN = 6


class Address(NamedTuple):
    """The addresses of one server: for questions, for its list of models, and as it is shown."""

    ask: str
    models: str
    shown: str
    local: bool
    plain: bool


def address_of(endpoint: str) -> Address:
    """The addresses behind `endpoint`: a server, its `/v1`, or the full path of its chat completions.

    A server alone gets `/v1/chat/completions`, any other path `/chat/completions`. Raises InputError for what is no
    address of http or https, and for one with a password or with a query other than api-version.
    """
    text = endpoint.strip()
    if "://" not in text:
        text = ("http://" if _is_local(_host(text)) else "https://") + text
    try:
        parts = urlsplit(text)
        port_known = parts.port is None or parts.port > 0
    except ValueError:
        port_known, parts = False, urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "The address of the server has a user or a password in it (not shown). Next step: leave it out; the key "
            "goes into an environment variable."
        )
    if any(name != "api-version" for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise InputError(
            "The address of the server has a query behind '?' (not shown); only api-version is allowed there. "
            "Next step: leave it out; the key goes into an environment variable."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_known or _odd(text):
        raise InputError(
            f"{endpoint!r} is no address of a server. Next step: such as http://localhost:8000/v1 (vLLM), "
            "http://localhost:11434/v1 (Ollama) or http://localhost:8080/v1 (llama.cpp)."
        )
    return _addresses(parts)


def _addresses(parts: SplitResult) -> Address:
    path = parts.path.rstrip("/")
    base = path[: -len(_TAIL)] if path.endswith(_TAIL) else (path or "/v1")
    return Address(
        ask=urlunsplit((parts.scheme, parts.netloc, base + _TAIL, parts.query, "")),
        models=urlunsplit((parts.scheme, parts.netloc, base + "/models", parts.query, "")),
        shown=urlunsplit((parts.scheme, parts.netloc, base + _TAIL, "", "")),
        local=_is_local(parts.hostname or ""),
        plain=parts.scheme == "http",
    )


def without_version(address: Address) -> bool:
    """Whether no `/v1` or the like stands before `/chat/completions`, which a 404 may come from."""
    return not _VERSION.search(address.shown[: -len(_TAIL)])


class Key:
    """A secret that goes into one header; printing, formatting or comparing it shows nothing of it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Key(not shown)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not pickled")

    def headers(self) -> dict[str, str]:
        """The header that carries the key."""
        return {"Authorization": f"Bearer {self._value}"}

    def is_in(self, text: str) -> bool:
        """Whether a text has a piece of the key (6 characters in a row)."""
        run = min(_KEY_RUN, len(self._value))
        return any(self._value[at : at + run] in text for at in range(len(self._value) - run + 1))


def key_of(variable: str | None) -> Key | None:
    """The key in an environment variable; None where it is not set or no variable is named.

    Raises InputError, without the key, when it has characters that no header can carry.
    """
    value = os.environ.get(variable, "").strip() if variable else ""
    if not value:
        return None
    if not all("!" <= sign <= "~" for sign in value):
        raise InputError(
            f"The key in {variable_shown(variable)} has spaces, line ends or signs that are not ASCII (not shown). "
            "Next step: set the variable to the key alone."
        )
    return Key(value)


def variable_shown(variable: str | None) -> str:
    """The name of the variable for a message; not the name when it might be a key that was given by mistake."""
    if variable and _PLAIN_NAME.fullmatch(variable):
        return f"the environment variable {variable}"
    return "the environment variable that was named for the key (its name is not shown: it may be the key itself)"


def _host(text: str) -> str:
    try:
        return urlsplit(f"//{text}").hostname or ""
    except ValueError:
        return ""


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _odd(text: str) -> bool:
    return any(sign.isspace() or not sign.isprintable() for sign in text)
