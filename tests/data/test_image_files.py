"""Files of any format, bit depth, size and name become images of 256 levels, or are refused with the reason."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcourse.data import image_files
from dlcourse.data.image_files import (
    UNREADABLE,
    as_text,
    files_below,
    printable,
    read_picture,
    why_unreadable,
)

RAMP = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)  # black on the left, white on the right


def _png16(path: Path, rows: np.ndarray, kind: int, more: bytes = b"") -> None:
    """A PNG of 16 bits a value, big-endian rows [H, ...], with a chunk before the data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 64, 64, 16, kind, 0, 0, 0)
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    more = chunk(b"tRNS", more) if more else b""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    )


def _save(values: np.ndarray, mode: str | None = None):
    def save(path: Path) -> None:
        image = Image.fromarray(values)
        (image.convert(mode) if mode else image).save(path)

    return save


RGB = np.dstack([RAMP] * 3)
KINDS = {
    "grey.png": _save(RAMP),
    "float_to_1.tif": _save(RAMP.astype(np.float32) / 255),
    "float_to_255.tif": _save(RAMP.astype(np.float32)),
    "float_to_65535.tif": _save(RAMP.astype(np.float32) * 257),
    "sixteen.png": _save(RAMP.astype(np.uint16) * 257),
    "twelve_in_sixteen.png": _save((RAMP.astype(np.float32) * 4095 / 255).astype(np.uint16)),
    "eight_in_sixteen.png": _save(RAMP.astype(np.uint16)),
    "int32_of_16.tif": _save(RAMP.astype(np.int32) * 257),
    "int32_of_8.tif": _save(RAMP.astype(np.int32)),
    "cmyk.tif": _save(RGB, "CMYK"),
    "cmyk.jpg": _save(RGB, "CMYK"),
    "palette.png": _save(RAMP, "P"),
    "palette.gif": _save(RAMP, "P"),
    "opaque.png": _save(np.dstack([RAMP, np.full_like(RAMP, 255)])),
    "sixteen_transparent.png": lambda path: _png16(path, RAMP.astype(np.uint16) * 257, 0, struct.pack(">H", 1)),
    "sixteen_colour.png": lambda path: _png16(path, RGB.astype(np.uint16) * 257, 2),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_ramp_stays_a_ramp(tmp_path, name):
    KINDS[name](tmp_path / name)
    for channels in (1, 3):
        read = read_picture(tmp_path / name, (channels, 64, 64)).reshape(64, 64, -1).mean(2)
        assert np.abs(read - RAMP).max() < 6, name


def test_lab_is_converted(tmp_path):
    from PIL import ImageCms

    lab = ImageCms.profileToProfile(
        Image.fromarray(RGB), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lab.save(tmp_path / "lab.tif")
    assert np.abs(read_picture(tmp_path / "lab.tif", (1, 64, 64)).astype(int) - RAMP).max() < 6


def test_transparent_values_become_white(tmp_path):
    _png16(tmp_path / "a.png", RAMP.astype(np.uint16) * 257, 0, struct.pack(">H", 0))
    read = read_picture(tmp_path / "a.png", (1, 64, 64))
    assert (read[:, 0] == 255).all() and read[:, 1].max() < 12


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((20, 20), -0.5, np.float32), "float values are -0.5 to -0.5: scale them to 0 to 1"),
        (np.full((20, 20), 1e6, np.float32), "float values are 1e\\+06"),
        (np.full((20, 20), np.nan, np.float32), "float values are nan"),
        (np.full((20, 20), -3, np.int32), "values are -3 to -3, but grey levels cannot be negative"),
    ],
)
def test_values_of_an_unknown_range_are_refused(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(UNREADABLE, match=words) as error:
        read_picture(tmp_path / "a.tif", (1, 20, 20))
    assert why_unreadable(error.value) == str(error.value)


@pytest.mark.parametrize("name", ["scan.png", "scan.jpg"])
def test_a_large_image_is_read(tmp_path, name):
    """90 million pixels, above Pillow's own limit."""
    Image.new("L", (9_500, 9_500), 200).save(tmp_path / name)
    assert (read_picture(tmp_path / name, (1, 32, 32)) == 200).all()


def test_a_photograph_is_decoded_at_reduced_size(tmp_path, monkeypatch):
    Image.fromarray(RAMP).resize((1024, 1024)).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    seen = []
    monkeypatch.setattr(image_files, "_eight_bits", lambda image: seen.append(image.size) or image)
    assert np.abs(read_picture(tmp_path / "a.jpg", (1, 64, 64)).astype(int) - RAMP).max() < 6
    assert seen == [(128, 128)]


def test_the_limit_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "LARGEST", 1_000_000)
    Image.new("L", (1001, 1000)).save(tmp_path / "a.png")
    with pytest.raises(UNREADABLE, match="1001x1000 pixels are more than 1 million, the limit") as error:
        read_picture(tmp_path / "a.png", (1, 20, 20))
    assert "make it smaller" in why_unreadable(error.value)
    assert "make it smaller" in why_unreadable(Image.DecompressionBombError())


def test_files_below_a_folder_without_hidden_ones(tmp_path):
    for name in ("b/2.png", "a/1.png", ".hidden/x.png", "a/.x.png", "0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in files_below(tmp_path)] == ["0.png", "a/1.png", "b/2.png"]


def test_odd_names_become_text():
    odd = os.fsdecode(b"caf\xe9 a\\b\nc.png")
    assert as_text(Path(odd)) == "caf\\xe9 a\\b\nc.png" and printable(odd) == "caf\\xe9 a\\b\\nc.png"
    assert printable("Zürich $a$.png") == "Zürich $a$.png"
