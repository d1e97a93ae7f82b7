"""Keeps loaded data sets in memory between the runs of one process, such as the jobs of a sweep."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

LIMIT = 2**30  # bytes; the least recently used data set is removed first
# Settings that do not affect the loaded arrays.
OWN = ("batch_size", "augment", "seed")

State = dict[str, Any]  # attributes of a data module
_kept: "OrderedDict[Hashable, State]" = OrderedDict()


def loaded(settings: Mapping[str, Any], stamp: Hashable, load: Callable[[], State]) -> State:
    """Return what `load` returns, or returned before for the same settings and files.

    Arrays of a data set are never changed in place, so runs can share them.

    Args:
        settings: config of the data module, as plain values.
        stamp: of its files; another stamp leads to loading again.
        load: returns the attributes that loading sets in the module, including `arrays`.
    """
    key = repr(sorted(item for item in settings.items() if item[0] not in OWN)), stamp
    if key in _kept:
        _kept.move_to_end(key)
    else:
        _kept[key] = load()
        while _kept and sum(map(_size, _kept.values())) > LIMIT:
            gone = _kept.popitem(last=False)
            if gone[0] == key:
                return gone[1]
    return _kept[key] | {"arrays": dict(_kept[key]["arrays"])}


def _size(state: State) -> int:
    """Bytes of all arrays; shared ones are counted once."""
    tensors: dict[int, Tensor] = {t.data_ptr(): t for arrays in state["arrays"].values() for t in arrays}
    return sum(t.nbytes for t in tensors.values())


def stamp_of(path: str | Path | None) -> Hashable:
    """Names, times and sizes of a file, or of all files of a folder; None if it does not exist."""
    if path is None or not Path(path).exists():
        return None
    files = sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]
    return tuple((str(file.absolute()), (found := file.lstat()).st_mtime_ns, found.st_size) for file in files)
