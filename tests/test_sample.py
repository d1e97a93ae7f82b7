"""`sample`: the images of a trained model, and one sentence for each mistake."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.analysis.latents import between, directions
from dlcourse.data.image_files import read_picture
from dlcourse.models.build import load_run
from dlcourse.runs.result import read_result
from tests.conftest import small_faces


@pytest.fixture(scope="module")
def runs(tmp_path_factory, request):
    """A run of each family, made once."""
    from dlcourse.commands.train import run
    from dlcourse.config import compose
    from tests.conftest import FACE_NET, FACES

    folder = tmp_path_factory.mktemp("runs")
    np.savez(folder / "faces.npz", train_x=small_faces())
    found = {}
    colours = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), np.uint8)
    np.savez(folder / "colours.npz", train_x=colours)
    for name, model, own in (
        ("autoencoder", "autoencoder", []),
        ("vae", "vae", []),
        ("gan", "gan", ["model.discriminator.width=4"]),
        ("small", "vae", ["data.size=16"]),
        ("colour", "vae", ["data.size=16", f"data.path={folder / 'colours.npz'}"]),
    ):
        words = [f"model={model}", *FACES, *FACE_NET, "plots=false", "debug=fast"]
        words += [f"data.path={folder / 'faces.npz'}", f"data_dir={folder}", *own]
        found[name] = run(compose(*words), folder=folder / name)["folder"]
    return found


@pytest.fixture
def pictures(tmp_path):
    """Two files, one of them with a name that a shell's user might give it."""
    paths = [tmp_path / "a.png", tmp_path / "bär (2).png"]
    for path, picture in zip(paths, small_faces(2), strict=True):
        Image.fromarray(picture).resize((50, 40)).save(path)
    return paths


def outcome():
    (folder,) = Path("out").iterdir() if Path("out").exists() else (None,)
    return arrays_of(folder), sheet_size(folder)


def arrays_of(folder):
    with np.load(Path(folder) / "samples.npz") as file:
        return dict(file)


def sheet_size(folder):
    with Image.open(Path(folder) / "samples.png") as sheet:
        return sheet.size


def where(name="one"):
    return f"hydra.run.dir=out/{name}"


@pytest.mark.parametrize("model", [pytest.param("vae", marks=pytest.mark.whole), "gan"])
def test_samples_are_a_function_of_the_seed(command, runs, model):
    def drawn(name, *words):
        code, said, err = command("sample", f"run={runs[model]}", f"hydra.run.dir={name}", *words)
        assert code == 0 and "Results saved to" in said, err
        return arrays_of(name)

    first, again, other = drawn("a", "n=10"), drawn("b", "n=10"), drawn("c", "n=10", "seed=1")
    assert first["pictures"].shape == (10, 32, 32) and first["z"].shape == (10, 6)
    assert (first["pictures"] == again["pictures"]).all() and (first["z"] != other["z"]).any()
    nearer = drawn("d", "n=10", "truncation=0.5")
    assert np.allclose(nearer["z"], first["z"] / 2)
    assert (drawn("g", "latents=d/samples.npz")["pictures"] == nearer["pictures"]).all()
    assert sheet_size("a") == (4 * 34 - 2, 3 * 34 - 2)  # ten in four columns
    drawn("e", "n=10", "grid=5")
    assert sheet_size("e") == (5 * 34 - 2, 2 * 34 - 2)
    assert (drawn("f", "latents=a/samples.npz")["pictures"] == first["pictures"]).all()


def test_nine_steps_between_random_points(command, runs):
    code, _, err = command("sample", f"run={runs['gan']}", where(), "interpolate=9", "n=3", "way=lerp")
    assert code == 0, err
    arrays, sheet = outcome()
    z = arrays["z"].reshape(3, 9, 6)
    assert np.allclose(z[:, 4], (z[:, 0] + z[:, 8]) / 2, atol=1e-6)
    assert sheet == (9 * 34 - 2, 3 * 34 - 2)


@pytest.mark.parametrize("model", ["autoencoder", "vae"])
def test_between_given_pictures_the_ends_are_those_pictures(command, runs, pictures, model):
    code, _, err = command("sample", f"run={runs[model]}", where(), f"between=[{pictures[0]},{pictures[1]}]")
    assert code == 0, err
    arrays, sheet = outcome()
    assert arrays["pictures"].shape == (11, 32, 32) and arrays["z"].shape == (9, 6)
    assert sheet == (11 * 34 - 2, 32)
    assert np.allclose(arrays["pictures"][0], read_picture(pictures[0], (1, 32, 32)))
    assert np.allclose(arrays["pictures"][-1], read_picture(pictures[1], (1, 32, 32)))


@pytest.mark.whole
def test_given_pictures_are_drawn_again_beside_the_originals(command, runs, pictures):
    code, _, err = command("sample", f"run={runs['autoencoder']}", where(), f"input={pictures[0].parent}/a.png")
    assert code == 0, err
    arrays, _ = outcome()
    assert arrays["pictures"].shape == (2, 32, 32) and arrays["z"].shape == (1, 6)
    both = f"input=[{pictures[0]},{pictures[1]}]"
    code, _, err = command("sample", f"run={runs['autoencoder']}", "hydra.run.dir=both", both)
    assert code == 0 and arrays_of("both")["z"].shape == (2, 6), err


def test_of_a_folder_what_cannot_be_read_is_skipped_by_name(command, runs, pictures):
    (pictures[0].parent / "broken.png").write_text("no picture")
    code, said, err = command("sample", f"run={runs['vae']}", where(), f"input={pictures[0].parent}")
    assert code == 0 and "skipped broken.png" in said, err
    (Path("only") / "one").mkdir(parents=True)
    Path("only/text.png").write_text("no picture")
    code, _, err = command("sample", f"run={runs['vae']}", where("two"), "input=only")
    assert code == 1 and "only does not contain an image that can be decoded" in err


def test_truncated_noise_is_normalised_by_its_own_statistics(runs):
    """Or the brightness of a GAN's pictures, normalised as if the noise were whole, would change with it."""
    _, model = load_run(Path(runs["gan"]))
    norm = next(layer for layer in model.net.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    maps = []
    hook = norm.register_forward_hook(lambda *given: maps.append(given[2]))
    for settled in (False, True):
        if settled:
            model.recalibrate_batch_norm(0.3)
        maps.clear()
        model.decode_images(model.sample_latents(200, torch.Generator().manual_seed(9), 0.3))
        spread = (maps[0] - norm.bias[:, None, None]).div(norm.weight[:, None, None]).std().item()
        assert (0.8 < spread < 1.2) == settled
    hook.remove()


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        ("autoencoder", [], "an Autoencoder does not model a distribution to sample from"),
        ("autoencoder", ["interpolate=9"], "does not model a distribution"),
        ("gan", ["between=[a.png,b.png]"], "a GAN does not have an encoder"),
        ("gan", ["input=a.png"], "a GAN does not have an encoder"),
        ("vae", ["between=[a.png,nowhere.png]"], "nowhere.png not found"),
        ("vae", ["between=[a.png]"], "does not name two images"),
        ("vae", ["between=[a.png,text.png]"], "text.png: image could not be decoded"),
        ("vae", ["input=nowhere"], "input=nowhere not found"),
        ("vae", ["interpolate=1"], "interpolate=1 is not an integer of at least 2"),
        ("vae", ["n=0"], "n=0 is not an integer of at least 1"),
        ("vae", ["truncation=-1"], "truncation=-1 is not a number of at least 0"),
        ("vae", ["truncation=nan"], "truncation=nan is not a number of at least 0"),
        ("gan", ["truncation=.inf"], "truncation=.inf is not a number of at least 0"),
        ("vae", ["seed=one"], "seed=one is not an integer of at least 0"),
        ("vae", ["seed=1.5"], "seed=1.5 is not an integer"),
        ("vae", ["way=round"], "unknown way=round"),
        ("vae", ["input=a.png", "latents=z.npz"], "input and latents are mutually exclusive"),
        ("vae", ["input=a.png", "interpolate=9"], "interpolate and input are mutually exclusive"),
        ("vae", ["input=a.png", "n=9"], "n has no effect with input: remove n"),
        ("vae", ["latents=z.npz", "seed=1"], "seed has no effect with latents"),
        ("vae", ["between=[a.png,b.png]", "truncation=0.5"], "truncation has no effect with between"),
        ("vae", ["way=lerp"], "way has no effect without interpolate"),
        ("vae", ["latents=z.npz"], "latents of size 7, but those of the run have size 6"),
        ("vae", ["latents=nothing.npz"], "latents=nothing.npz not found"),
        ("vae", ["latents=empty.npz"], "lacks an array z"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(command, runs, tmp_path, model, words, said):
    for name, picture in zip("ab", small_faces(2), strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    (tmp_path / "text.png").write_text("no picture")
    np.savez(tmp_path / "z.npz", z=np.zeros((2, 7), np.float32))
    np.savez(tmp_path / "empty.npz", pictures=np.zeros(3))
    code, _, err = command("sample", f"run={runs[model]}", where(), *words)
    assert code == 1 and said in err and "Traceback" not in err
    assert not list(Path("out").rglob("samples.*"))


def test_several_runs_are_compared(command, runs):
    """Their images may have different sizes."""
    code, out, _ = command("sample", f"compare=[{runs['vae']},{runs['gan']},{runs['small']}]", "n=5", where())
    assert code == 0 and "Frechet distance" in out
    table = (Path("out") / "one" / "families.md").read_text().splitlines()
    assert len(table) == 5 and "| random" in table[2] and "| vae |" in table[2] and "| gan |" in table[3]
    assert "| 32 x 32 |" in table[3] and "| 16 x 16 |" in table[4]
    with Image.open(Path("out") / "one" / "families.png") as sheet:
        assert sheet.width > 5 * 70
    code, _, err = command("sample", f"compare=[{runs['vae']},{runs['gan']}]", f"hydra.run.dir={runs['vae']}")
    kept = read_result(Path(runs["vae"]))
    assert code == 1 and "contains a run" in err and kept is not None and kept.verb == "train"


@pytest.mark.parametrize(
    ("models", "words", "said"),
    [
        (["vae", "autoencoder"], [], "(Autoencoder) cannot draw samples"),
        (["vae"], [], "does not name two runs"),
        (["vae", "gan"], ["interpolate=9"], "interpolate and compare are mutually exclusive"),
        (["vae", "colour"], [], "are of different data"),
        (["vae", "gan"], ["n=0"], "n=0 is not an integer of at least 1"),
    ],
)
def test_runs_that_cannot_be_compared_get_a_sentence(command, runs, models, words, said):
    code, _, err = command("sample", f"compare=[{','.join(str(runs[model]) for model in models)}]", where(), *words)
    assert code == 1 and said in err and "Traceback" not in err
    assert not list(Path("out").rglob("families.*"))


def test_a_wrong_run_gets_a_sentence(command, tmp_path, tiny_run):
    code, _, err = command("sample")
    assert code == 1 and "run is missing" in err
    code, _, err = command("sample", f"run={tmp_path}")
    assert code == 1 and "config.yaml" in err
    clock = tiny_run("plots=false")["folder"]
    code, _, err = command("sample", f"run={clock}")
    assert code == 1 and "holds a ClockReader, which is not a generative model" in err


def test_along_the_sphere_the_length_is_kept():
    torch.manual_seed(0)
    first, last = torch.randn(2, 256)
    ways = {way: between(first, last, 9, way) for way in ("slerp", "lerp")}
    for path in ways.values():
        assert torch.allclose(path[0], first, atol=1e-5) and torch.allclose(path[-1], last, atol=1e-5)
    assert ways["lerp"][4].norm() < 0.8 * first.norm() < ways["slerp"][4].norm()
    lengths = ways["slerp"].norm(dim=1)
    assert torch.allclose(lengths.diff(), (last.norm() - first.norm()) / 8, atol=1e-3)
    around = torch.nn.functional.cosine_similarity(ways["slerp"][1:], ways["slerp"][:-1])
    assert torch.allclose(around, around.mean(), atol=1e-4)
    assert torch.isfinite(between(first, first, 9)).all() and torch.isfinite(between(first, -first, 9)).all()


def test_traversals_go_the_ways_that_latents_vary_most(runs):
    _, model = load_run(Path(runs["autoencoder"]))
    pictures = torch.from_numpy(small_faces(40))
    start, ways, spans, names = directions(model, pictures)
    latents = model.latents(pictures)
    assert torch.equal(start, latents[0]) and names[0] == "direction 1"
    assert torch.allclose(ways @ ways.T, torch.eye(6), atol=1e-4)
    assert torch.allclose(spans, 3 * (latents @ ways.T).std(0), rtol=1e-3) and (spans.diff() <= 0).all()
    _, gan = load_run(Path(runs["gan"]))
    start, ways, _, names = directions(gan, torch.from_numpy(small_faces(4)))
    assert torch.allclose(ways @ ways.T, torch.eye(6), atol=1e-4) and names[0] == "direction 1"
