"""Makes stored example runs anew: `python -m tests.stored.make [NAME ...]`, when a schema or a renderer changes.

Nets of our own, trained for a moment on what we draw or what scikit-learn brings along.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from dlcourse.commands.train import run
from dlcourse.config import compose
from tests.conftest import NET
from tests.families import COMMON, TINY_CLOCKS, TINY_TOONS

STORED = Path(__file__).parent
PICTURES = [*TINY_TOONS, "model.latent=4", "model.features=random", "model.net.width=2", "model.net.layers=2"]
EXAMPLES = {
    "classifier": ["model=mlp", "data=digits8", "model.net.widths=[8]", "model.net.dropout=0"],
    "centroid": ["model=nearest_centroid", "data=digits8"],
    "clock": ["model=clock_cyclic", *TINY_CLOCKS, *NET],
    "autoencoder": ["model=autoencoder", *PICTURES],
    "vae": ["model=vae", *PICTURES],
    "gan": ["model=gan", *PICTURES, "model.discriminator.width=2", "model.discriminator.layers=2"],
    "flow": [
        "model=flow",
        *TINY_TOONS,
        "model.features=random",
        "model.net.widths=[2]",
        "model.steps=2",
        "model.ema=0",
    ],
    "perceptron": ["model=perceptron", "data=xor"],
    "xor": ["model=xor", "data=xor", "model.restarts=4", "model.chunk=250"],
    "xor_search": ["model=xor_search", "data=xor", "model.attempts=2"],
}
KEPT = ("config.yaml", "result.json", "checkpoints/best.ckpt")


def main() -> None:
    """Write each example's folder."""
    for name in sys.argv[1:] or EXAMPLES:
        words = EXAMPLES[name]
        with TemporaryDirectory() as folder:
            made, target = Path(folder) / "run", STORED / name
            fixed = [*COMMON, "trainer.max_epochs=1", *words]
            if "xor_search" in words[0]:
                fixed.remove("trainer.precision=32-true")
            run(compose(*fixed), folder=made)
            shutil.rmtree(target, ignore_errors=True)
            for kept in KEPT:
                (target / kept).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(made / kept, target / kept)
            text = (target / "config.yaml").read_text()  # data are looked for where the tests keep theirs
            lines = [line for line in text.splitlines() if "data_dir:" not in line]
            (target / "config.yaml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
