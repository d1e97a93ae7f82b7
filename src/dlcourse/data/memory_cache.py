"""What data sets loaded stays in memory between the runs of one process, such as the jobs of a sweep."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

LIMIT = 2**30  # bytes; what was used longest ago goes first
# Settings that change nothing of what is loaded.
OWN = ("batch_size", "augment", "seed")

State = dict[str, Any]  # attributes of a data module
_kept: "OrderedDict[Hashable, State]" = OrderedDict()


def loaded(settings: Mapping[str, Any], path: str | Path | None, load: Callable[[], State]) -> State:
    """What `load` gives, or gave before for the same settings and files.

    Nobody writes into a data set's arrays, so that runs can share them.

    Args:
        settings: plain values that a data module was made from.
        path: of its file or folder; when it is written anew, it is loaded anew.
        load: gives what loading leaves in the module, its `arrays` among it.
    """
    key = repr(sorted(item for item in settings.items() if item[0] not in OWN)), _stamp(path)
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
    """Bytes of all arrays, each counted once."""
    tensors: dict[int, Tensor] = {t.data_ptr(): t for arrays in state["arrays"].values() for t in arrays}
    return sum(t.nbytes for t in tensors.values())


def _stamp(path: str | Path | None) -> Hashable:
    if path is None or not Path(path).exists():
        return None
    files = sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]
    return tuple((str(file.absolute()), (found := file.stat()).st_mtime_ns, found.st_size) for file in files)
