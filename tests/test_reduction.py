"""Reductions place points among those that they were fitted to, also when restored from these and their places."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dlcourse.analysis.reduction import METHODS, _umap, reduction


@pytest.fixture(scope="module")
def points():
    return load_digits(n_class=4, return_X_y=True)[0].astype(np.float32)


TAKES_SECONDS = {
    "umap": pytest.mark.slow,  # numba compiles umap-learn in every process
    "tsne": pytest.mark.whole,
}


@pytest.mark.parametrize("method", [pytest.param(m, marks=TAKES_SECONDS.get(m, ())) for m in METHODS])
def test_points_come_to_lie_where_they_belong(points, method):
    known, new = points[:400], points[400:600]
    first = reduction(method)
    places = first.fit(known)
    assert places.shape == (400, 2) and places.dtype == np.float64
    spread = places.std()
    moved = np.linalg.norm(first.transform(known) - places, axis=1)
    assert np.median(moved) < 0.1 * spread
    found = first.transform(new)
    # what lies beside a new point on the map is like it
    nearest = np.linalg.norm(found[:, None] - places[None], axis=2).argmin(1)
    apart = np.linalg.norm(known[nearest] - new, axis=1)
    assert np.median(apart) < 0.85 * np.median(np.linalg.norm(known[:200] - new, axis=1))
    again = reduction(method)
    again.restore(known, places)
    np.testing.assert_allclose(again.transform(new), found, atol=1e-3 * spread)
    np.testing.assert_array_equal(reduction(method).fit(known), places)


def test_umap_where_numba_cannot_write_beside_it_nor_in_the_home(tmp_path, monkeypatch):
    import numba

    (tmp_path / "umap.py").write_text(
        "import numba\nif not numba.config.CACHE_DIR:\n"
        "    raise RuntimeError(\"cannot cache function 'rdist': no locator available for file 'umap.py'\")\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    assert _umap().__file__ == str(tmp_path / "umap.py")
    assert Path(numba.config.CACHE_DIR).is_dir()
    monkeypatch.delitem(sys.modules, "umap")
