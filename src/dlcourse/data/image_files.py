"""Images from files, in the shape that a model needs: any format, bit depth and size."""

import os
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from dlcourse.errors import UserError

LARGEST = 300_000_000  # pixels of the largest image that is decoded: 1.2 GB of memory in colour
Image.MAX_IMAGE_PIXELS = LARGEST  # Pillow refuses more than twice as many, and warns at 89 million by default
DEPTHS = (8, 10, 12, 14, 16, 24, 31)  # bits of the whole numbers that cameras and scanners store


class UnsupportedImage(ValueError):
    """An image that Pillow opens but that cannot be shown in 256 levels, or is too large; the message says why."""


# Errors of Pillow for a file that is damaged or not an image.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, SyntaxError, RuntimeError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning, ImageCms.PyCMSError),
)


def why_unreadable(error: BaseException) -> str:
    """The reason why a file was skipped, as the end of a sentence.

    Args:
        error: one of `UNREADABLE`.
    """
    if isinstance(error, UnsupportedImage):
        return str(error)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {LARGEST // 10**6} million pixels, the limit: make it smaller"
    return "image could not be decoded"


def as_text(path: Path | str) -> str:
    """A path as text that can be written as UTF-8: bytes that are not UTF-8 become escapes such as `\\xe9`."""
    return os.fsencode(path).decode("utf8", "backslashreplace")


def printable(path: Path | str) -> str:
    """A path for terminals and plots: as `as_text`, with line breaks and other control characters escaped as well."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in as_text(path))


def read_picture(path: Path, in_shape: tuple[int, ...], pad: bool = False) -> np.ndarray:
    """An image in a model's shape: turned by its EXIF orientation, cropped to the centre, resized.

    Large JPEG files are decoded at reduced size. Transparent areas become white. Images of more than 8 bits are scaled
    to 256 levels by their type and range: whole numbers by the smallest usual bit depth that contains the largest
    value, floats by 1, 255 or 65535.

    Args:
        path: an image file in any format of Pillow.
        in_shape: channels, height and width; one channel is grey.
        pad: keep the whole image and repeat its edges, instead of cropping it to the centre.

    Returns:
        uint8 [H, W] or [H, W, 3].

    Raises:
        one of `UNREADABLE`; `why_unreadable` explains it.
    """
    _, height, width = in_shape
    with Image.open(path) as opened:
        if opened.width * opened.height > LARGEST:
            raise UnsupportedImage(
                f"its {opened.width}x{opened.height} pixels are more than {LARGEST // 10**6} million, the limit: "
                "make it smaller"
            )
        if opened.format == "JPEG":
            side = 2 * max(height, width)  # twice the final size, so that the last step is a good filter's
            opened.draft(None, (side, side))
        return fit_picture(opened, in_shape, pad)


def fit_picture(image: Image.Image, in_shape: tuple[int, ...], pad: bool = False) -> np.ndarray:
    """An opened image in a model's shape, see `read_picture`.

    Raises:
        one of `UNREADABLE`.
    """
    channels, height, width = in_shape
    if image.width * image.height == 1:
        raise UnsupportedImage("it has a single pixel")
    image = _eight_bits(ImageOps.exif_transpose(image))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    image = image.convert("L" if channels == 1 else "RGB")
    if not pad:
        return np.asarray(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS))
    found = np.asarray(ImageOps.contain(image, (width, height), Image.Resampling.LANCZOS))
    above, left = (height - found.shape[0]) // 2, (width - found.shape[1]) // 2
    margins = ((above, height - found.shape[0] - above), (left, width - found.shape[1] - left))
    return np.pad(found, (*margins, *[(0, 0)] * (found.ndim - 2)), mode="edge")


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of 16 or 32-bit whole numbers or of floats as one of 256 levels; any other is returned unchanged."""
    if not (image.mode in ("I", "F") or image.mode.startswith("I;16")):
        return image
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        top = next((top for top in (1.0, 255.0, 65535.0) if high <= top), None)
        if low < 0 or top is None or not np.isfinite(values).all():
            raise UnsupportedImage(
                f"its float values are {low:g} to {high:g}: scale them to 0 to 1, 0 to 255 or 0 to 65535"
            )
    else:
        if low < 0:
            raise UnsupportedImage(f"its values are {low:.0f} to {high:.0f}, but grey levels cannot be negative")
        top = next(2**bits - 1 for bits in DEPTHS if high < 2**bits)
    levels = Image.fromarray((values * (255.0 / top)).round().astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # the value that is transparent
        levels = Image.composite(Image.new("L", levels.size, 255), levels, Image.fromarray(values == clear))
    return levels


def picture_files(source: Path) -> list[Path]:
    """The image itself, or all files of a folder and its subfolders, sorted by path, without hidden ones.

    Raises:
        UserError: it does not exist or is empty.
    """
    if not source.exists():
        raise UserError(f"input={printable(source)} not found: give an image or a folder of images")
    if source.is_file():
        return [source]
    files = files_below(source)
    if not files:
        raise UserError(f"{printable(source)} is an empty folder: give an image or a folder of images")
    return files


def files_below(folder: Path) -> list[Path]:
    """All files of a folder and its subfolders, sorted by path; hidden files and folders are left out.

    Links to folders are not followed, so that a link to a parent folder does not repeat everything.
    """
    return [
        Path(root, name)
        for root, _, names in _walk(folder)
        for name in sorted(names)
        if not name.startswith(".") and Path(root, name).is_file()
    ]


def _walk(folder: Path):
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield root, folders, names
