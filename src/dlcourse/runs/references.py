"""Published results, from conf/references.yaml."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from dlcourse.config import CONF, nearest
from dlcourse.errors import UserError


@cache
def reference_rows() -> dict[str, dict[str, Any]]:
    """The rows of references.yaml by id, in file order."""
    rows = OmegaConf.to_container(OmegaConf.load(CONF / "references.yaml"))
    assert isinstance(rows, dict)
    return {str(name): row for name, row in rows.items()}


def known_references(ids: Iterable[str]) -> list[str]:
    """The ids that exist in references.yaml."""
    return [name for name in ids if name in reference_rows()]


def references(ids: Iterable[str]) -> list[dict[str, Any]]:
    """The figures of references.yaml with these ids: `id`, `metric`, `value` and `better`.

    Raises:
        UserError: an id does not exist.
    """
    rows = reference_rows()
    found = []
    for name in ids:
        if name not in rows:
            raise UserError(f"unknown reference {name}{nearest(name, rows)}")
        found.append({"id": name, **{key: rows[name][key] for key in ("metric", "value", "better")}})
    return found
