"""Plug-ins by module name: a file in a folder is a plug-in; third parties add theirs by entry point."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from hilum.core.errors import UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Folder(Generic[T]):
    """The plug-ins of one kind.

    A plug-in is a module of `package` whose name does not start with `_` and which defines `attribute`,
    or an entry point of the group `hilum.<kind>s` that points at such an object. There is no list to edit.
    """

    kind: str
    package: str
    attribute: str

    def names(self) -> list[str]:
        """Sorted names of all plug-ins, found without importing them."""
        own = {m.name for m in pkgutil.iter_modules(importlib.import_module(self.package).__path__)}
        return sorted({n for n in own if not n.startswith("_")} | set(self._third_parties()))

    def get(self, name: str) -> T:
        """The plug-in called `name`.

        Raises UnknownNameError, with the nearest name, when there is none.
        """
        if name not in self.names():
            raise UnknownNameError(self.kind, name, self.names())
        third = self._third_parties()
        if name in third:
            return cast("T", third[name].load())
        module = importlib.import_module(f"{self.package}.{name}")
        return cast("T", getattr(module, self.attribute))

    def _third_parties(self) -> dict[str, EntryPoint]:
        return {e.name: e for e in entry_points(group=f"hilum.{self.kind}s")}
