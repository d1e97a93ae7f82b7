"""Pictures from files, as models want them."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlcourse.errors import UserError

# What Pillow may raise at a file that is broken, or no picture at all.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, SyntaxError, RuntimeError, struct.error),
    Image.DecompressionBombError,
)


def read_picture(path: Path, in_shape: tuple[int, ...]) -> np.ndarray:
    """A picture as a model wants it: turned as its EXIF says, cut square in the middle, resized.

    Args:
        path: of any picture that Pillow reads.
        in_shape: channels, height and width; one channel is grey.

    Returns:
        uint8 [H, W] or [H, W, 3].
    """
    channels, height, width = in_shape
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture.convert("RGBA"))
        if picture.mode.startswith("I;16") or picture.mode == "I":
            picture = Image.fromarray((np.asarray(picture) / 257).clip(0, 255).astype(np.uint8))
        picture = picture.convert("L" if channels == 1 else "RGB")
        return np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS))


def picture_files(source: Path) -> list[Path]:
    """The picture itself, or a folder's files by name, hidden ones left out.

    Raises:
        UserError: it does not exist or is empty.
    """
    if not source.exists():
        raise UserError(f"input={source} does not exist: name a picture or a folder of pictures")
    if source.is_file():
        return [source]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise UserError(f"{source} is an empty folder: put pictures into it")
    return files
