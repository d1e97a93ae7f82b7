"""Labelled images: what is read, held out, refused and downloaded."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch

from dlcourse.config import compose
from dlcourse.data import mnist
from dlcourse.data.cifar import CIFAR10, CIFAR100
from dlcourse.data.images import statistics
from dlcourse.data.mnist import MNIST, FashionMNIST
from dlcourse.errors import UserError
from dlcourse.models.build import build_data
from tests.conftest import small_arrays


def save(path, **changes):
    arrays = {**small_arrays("mnist"), **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return str(path)


def opened(path, **options):
    data = MNIST("mnist", "nowhere", path, **options)
    data.setup()
    return data


def test_splits_are_disjoint_and_the_same_for_every_seed(tmp_path):
    x = np.arange(300, dtype=np.uint8).reshape(300, 1, 1).repeat(28, 1).repeat(28, 2)
    x[256:, 0, 0] += 100
    path = save(tmp_path / "a.npz", train_x=x, train_y=np.zeros(300, np.int64))
    data, other = opened(path, validation=50), opened(path, validation=50, seed=3)
    train, val = data.arrays["train"][0], data.arrays["val"][0]
    assert (len(train), len(val)) == (250, 50)
    assert len({tuple(p.flatten()[:2].tolist()) for p in torch.cat([train, val])}) == 300
    assert torch.equal(val, other.arrays["val"][0])
    assert len(opened(path, validation=0.1).arrays["val"][0]) == 30


def test_changed_digits_are_mnists_and_always_changed_alike(image_sets):
    plain, changed, again = (
        build_data(compose(f"data={name}", "data.validation=60", f"seed={seed}"))
        for name, seed in (("mnist", 0), ("mnist_changed", 0), ("mnist_changed", 5))
    )
    for data in (plain, changed, again):
        data.setup()
    for split in ("train", "val"):
        assert torch.equal(plain.arrays[split][0], changed.arrays[split][0])
    before, after = plain.arrays["test"], changed.arrays["test"]
    assert torch.equal(after[1], before[1]) and after[0].dtype == torch.uint8
    assert (after[0] != before[0]).flatten(1).any(1).all()
    assert torch.equal(after[0], again.arrays["test"][0])
    change = "data.change={rotation: 0, zoom: [1, 1], shear: 0, shift: 0}"
    still = build_data(compose("data=mnist_changed", "data.validation=60", change))
    still.setup()
    assert torch.equal(still.arrays["test"][0], before[0])


def test_without_a_seed_the_last_ones_are_held_out(tmp_path):
    labels = np.arange(300) % 10
    x = np.repeat(labels.astype(np.uint8), 28 * 28).reshape(300, 28, 28)
    data = opened(save(tmp_path / "a.npz", train_x=x, train_y=labels), validation=50, split_seed=None)
    assert torch.equal(data.arrays["train"][1], torch.from_numpy(labels[:250]))
    assert torch.equal(data.arrays["val"][0], torch.from_numpy(x[250:]))


def test_without_validation_everything_is_trained_on(tmp_path):
    data = opened(save(tmp_path / "a.npz"), validation=0)
    assert set(data.arrays) == {"train", "test"} and len(data.train_dataloader()) == 300 // 128


def test_a_class_without_images_is_counted(tmp_path):
    labels = np.arange(300) % 9
    data = opened(save(tmp_path / "a.npz", train_y=labels), validation=0)
    assert data.task.class_counts == (34,) * 3 + (33,) * 6 + (0,)


@pytest.mark.parametrize("shape", [(50, 8, 9), (50, 8, 9, 3)])
def test_statistics_are_exact(shape):
    x = torch.randint(0, 256, shape, dtype=torch.uint8)
    mean, std = statistics(x)
    flat = x.double().reshape(-1, shape[3] if len(shape) == 4 else 1)
    torch.testing.assert_close(torch.tensor(mean).double(), flat.mean(0), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(torch.tensor(std).double(), flat.std(0, unbiased=False), rtol=1e-6, atol=1e-5)


WRONG = {
    "does not contain test_y: set data.path to another file": {"test_y": None},
    "train_x must be uint8": {"train_x": np.zeros((300, 28, 28), np.float32)},
    "or \\[N, H, W, 3\\], not uint8 \\[300, 28, 28, 2\\]": {"train_x": np.zeros((300, 28, 28, 2), np.uint8)},
    "whole numbers \\[300\\], one label": {"train_y": np.zeros((300, 2), np.int64)},
    "not float64 \\[300\\]": {"train_y": np.full(300, np.nan)},
    "contains the label 10, but mnist has 0 to 9": {"train_y": np.full(300, 10)},
    "contains the label -1": {"test_y": np.full(60, -1)},
    "give both in the same size": {"test_x": np.zeros((60, 32, 32), np.uint8)},
    "object": {"train_x": np.array([{}, []], dtype=object)},
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_file_is_refused(words, tmp_path):
    with pytest.raises(UserError, match=words if words != "object" else "could not be read as .npz"):
        opened(save(tmp_path / "a.npz", **WRONG[words]))


def test_a_truncated_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    save(path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match="could not be read as .npz"):
        opened(str(path))
    with pytest.raises(UserError, match="not found"):
        opened(str(tmp_path / "b.npz"))


@pytest.mark.parametrize("validation", [-1, 1.5, 300, 100_000])
def test_a_wrong_validation_split_is_refused(validation, tmp_path):
    with pytest.raises(UserError, match="data.validation="):
        opened(save(tmp_path / "a.npz"), validation=validation)


def test_a_batch_larger_than_the_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="batch_size=301 is larger than the 300"):
        opened(save(tmp_path / "a.npz"), validation=0, batch_size=301).train_dataloader()
    with pytest.raises(UserError, match="batch_size=0 is below 1"):
        MNIST("mnist", "nowhere", batch_size=0)


def test_a_coarse_label_must_belong_to_its_fine_one(tmp_path):
    arrays = small_arrays("cifar100")
    arrays["train_y"][5, 1] = (arrays["train_y"][5, 1] + 1) % 20
    np.savez(tmp_path / "a.npz", **arrays)
    data = CIFAR100("cifar100", "nowhere", str(tmp_path / "a.npz"))
    with pytest.raises(UserError, match="combines a fine label with a wrong coarse one"):
        data.setup()


def test_the_hierarchy_of_cifar100():
    assert len(CIFAR100.CLASSES) == 100 and len(CIFAR100.GROUPS) == 20
    assert np.bincount(CIFAR100.GROUP_OF).tolist() == [5] * 20
    assert CIFAR100.GROUPS[CIFAR100.GROUP_OF[CIFAR100.CLASSES.index("otter")]] == "aquatic mammals"


def test_the_hierarchy_is_the_published_one(real_data):
    arrays = np.load(real_data("cifar100") / "cifar100.npz", allow_pickle=False)
    assert [name.replace("_", " ") for name in arrays["fine"].tolist()] == list(CIFAR100.CLASSES)
    assert [name.replace("_", " ") for name in arrays["coarse"].tolist()] == list(CIFAR100.GROUPS)
    assert (np.asarray(CIFAR100.GROUP_OF)[arrays["test_y"][:, 0]] == arrays["test_y"][:, 1]).all()


# Downloads, from a server of our own ----------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path):
    """Serves tmp_path/www; gives its folder and its address."""
    www = tmp_path / "www"
    www.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(www))) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield www, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def idx(array):
    """An array in the IDX format of MNIST, packed."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def idx_files(folder):
    arrays = small_arrays("mnist")
    names = {"train-images-idx3": "train_x", "train-labels-idx1": "train_y", "t10k-images-idx3": "test_x"}
    names |= {"t10k-labels-idx1": "test_y"}
    for name, key in names.items():
        (folder / f"{name}-ubyte.gz").write_bytes(idx(arrays[key]))
    return arrays, [(p.name, hashlib.md5(p.read_bytes()).hexdigest()) for p in sorted(folder.iterdir())]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_mnist_is_downloaded_checked_and_kept(server, tmp_path, monkeypatch):
    from torchvision import datasets

    www, address = server
    arrays, resources = idx_files(www)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    data = MNIST("mnist", str(tmp_path / "data"), validation=0)
    data.prepare_data()
    data.setup()
    assert np.array_equal(data.arrays["train"][0].numpy(), arrays["train_x"])
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["mnist.npz"]
    (www / resources[0][0]).write_bytes(b"something else")
    MNIST("mnist", str(tmp_path / "data")).prepare_data()  # it is there: nothing is asked for
    with pytest.raises(
        UserError, match="the download failed .*connect to the network, or set data.path to a prepared .npz file"
    ):
        MNIST("mnist", str(tmp_path / "elsewhere")).prepare_data()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_fashion_mnist_comes_from_debians_files_where_they_are(tmp_path, monkeypatch):
    folder = tmp_path / "debian"
    folder.mkdir()
    arrays, _ = idx_files(folder)
    monkeypatch.setattr(mnist, "DEBIAN_FASHION", folder)
    data = FashionMNIST("fashion_mnist", str(tmp_path / "data"), validation=0)
    data.setup()
    assert np.array_equal(data.arrays["test"][1].numpy(), arrays["test_y"]) and data.task.classes[9] == "ankle boot"


def cifar_archive(path, folder, labels, arrays, batches):
    """The published archive's shape: pickled batches of rows of 3072 numbers."""
    sums = {}
    with tarfile.open(path, "w:gz") as archive:
        for name, split, part in batches:
            rows = arrays[f"{split}_x"][part].transpose(0, 3, 1, 2).reshape(-1, 3072)
            y = arrays[f"{split}_y"][part]
            content = pickle.dumps({"data": rows, labels: (y if y.ndim == 1 else y[:, 0]).tolist()})
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            sums[name] = hashlib.md5(content).hexdigest()
        names = {"label_names": [], "fine_label_names": []}
        content = pickle.dumps(names)
        member = tarfile.TarInfo(f"{folder}/meta")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return sums, hashlib.md5(content).hexdigest()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(("module", "labels"), [(CIFAR10, "labels"), (CIFAR100, "fine_labels")])
def test_cifar_is_downloaded_with_both_labels(module, labels, server, tmp_path, monkeypatch):
    from torchvision import datasets

    www, address = server
    name = module.__name__.lower()
    published, arrays = getattr(datasets, module.__name__), small_arrays(name)
    batches = [("a", "train", slice(0, 150)), ("b", "train", slice(150, None)), ("c", "test", slice(None))]
    sums, meta = cifar_archive(www / "x.tar.gz", published.base_folder, labels, arrays, batches)
    monkeypatch.setattr(published, "url", f"{address}x.tar.gz")
    monkeypatch.setattr(published, "filename", "x.tar.gz")
    monkeypatch.setattr(published, "tgz_md5", hashlib.md5((www / "x.tar.gz").read_bytes()).hexdigest())
    monkeypatch.setattr(published, "train_list", [["a", sums["a"]], ["b", sums["b"]]])
    monkeypatch.setattr(published, "test_list", [["c", sums["c"]]])
    monkeypatch.setattr(published, "meta", {**published.meta, "filename": "meta", "md5": meta})
    data = module(name, str(tmp_path / "data"), validation=0)
    data.setup()
    for split in ("train", "test"):
        assert np.array_equal(data.arrays[split][0].numpy(), arrays[f"{split}_x"])
        assert np.array_equal(data.arrays[split][1].numpy(), arrays[f"{split}_y"])
