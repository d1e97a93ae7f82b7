"""Images from files, in the shape that a model needs."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlcourse.errors import UserError

# What Pillow may raise at a file that is broken, or no image at all.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, SyntaxError, RuntimeError, struct.error),
    Image.DecompressionBombError,
)


def read_picture(path: Path, in_shape: tuple[int, ...]) -> np.ndarray:
    """An image as a model wants it: turned as its EXIF says, cut square in the middle, resized.

    Args:
        path: of any image that Pillow reads.
        in_shape: channels, height and width; one channel is grey.

    Returns:
        uint8 [H, W] or [H, W, 3].
    """
    channels, height, width = in_shape
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        if image.mode.startswith("I;16") or image.mode == "I":
            image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
        image = image.convert("L" if channels == 1 else "RGB")
        return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))


def picture_files(source: Path) -> list[Path]:
    """The image itself, or a folder's files sorted by name, without hidden ones.

    Raises:
        UserError: it does not exist or is empty.
    """
    if not source.exists():
        raise UserError(f"input={source} not found: give an image or a folder of images")
    if source.is_file():
        return [source]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise UserError(f"{source} is an empty folder: give an image or a folder of images")
    return files
