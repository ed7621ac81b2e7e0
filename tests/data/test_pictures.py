"""Image files of every kind become what a network takes, or an error that names them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jcnn.data import load
from jcnn.data.pictures import PictureError, read_picture

GREY, RGB = (8, 8, 1), (32, 32, 3)
DIGIT = load("digits", "test").images[0]


def stored(folder: Path, image: Image.Image, name: str = "image.png", **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


def test_a_digit_comes_back_from_any_size(tmp_path: Path) -> None:
    for scale in (1, 3, 20):
        large = np.kron(DIGIT[..., 0], np.ones((scale, scale), np.uint8))
        pixels, notes = read_picture(stored(tmp_path, Image.fromarray(large)), GREY)
        np.testing.assert_array_equal(pixels, DIGIT)
        assert notes == ()


def test_ink_on_paper_is_inverted(tmp_path: Path) -> None:
    pixels, notes = read_picture(stored(tmp_path, Image.fromarray(255 - DIGIT[..., 0])), GREY)
    np.testing.assert_array_equal(pixels, DIGIT)
    assert notes == ("inverted (bright border)",)


def test_a_colour_network_sees_colours_as_they_are(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 64), (250, 240, 10))
    pixels, notes = read_picture(stored(tmp_path, image), RGB)
    assert notes == ("blank: one colour everywhere",)
    np.testing.assert_array_equal(pixels, np.broadcast_to(np.array([250, 240, 10], np.uint8), RGB))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
@pytest.mark.parametrize("shape", [GREY, RGB], ids=["grey", "rgb"])
def test_every_mode_of_pixels(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    drawn = np.zeros((20, 20), np.uint8)
    drawn[5:15, 8:12] = 255
    wide = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    values = drawn.astype(wide[mode]) * 257 if mode in wide else drawn
    image = Image.fromarray(values) if mode in wide else Image.fromarray(drawn).convert(mode)
    pixels, _ = read_picture(stored(tmp_path, image, "image.tiff"), shape)
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    assert pixels[shape[0] // 2, shape[1] // 2, 0] > 150  # the stroke
    assert pixels[0, 0, 0] == 0  # the ground


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    pixels, _ = read_picture(stored(tmp_path, image), RGB)
    assert (pixels == 255).all()


def test_the_camera_s_turn_is_undone(tmp_path: Path) -> None:
    upright = Image.fromarray(np.kron(np.array([[0, 0], [0, 255]], np.uint8), np.ones((16, 16), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 3  # stored upside down
    path = stored(tmp_path, upright.rotate(180), exif=exif)
    pixels, _ = read_picture(path, GREY)
    assert pixels[-1, -1, 0] == 255
    assert pixels[0, 0, 0] == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (7, 31)])
def test_odd_sizes_keep_their_proportions(tmp_path: Path, size: tuple[int, int]) -> None:
    image = Image.new("L", size, 100)
    pixels, _ = read_picture(stored(tmp_path, image), GREY)
    assert (pixels == 100).all()  # the frame takes the border's brightness


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "is no image", id="empty"),
        pytest.param(b"not an image", "is no image", id="text"),
        pytest.param("half", "cannot be read", id="truncated"),
        pytest.param("folder", "Is a directory", id="folder"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | str | None, message: str) -> None:
    path = tmp_path / "image.png"
    if content == "folder":
        path.mkdir()
    elif content == "half":
        noise = np.random.default_rng(0).integers(0, 255, (50, 50), np.uint8)
        stored(tmp_path, Image.fromarray(noise))
        path.write_bytes(path.read_bytes()[:1000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(PictureError, match=rf"{path.name}.*{message}"):
        read_picture(path, GREY)


@pytest.mark.parametrize("size", [(20000, 1), (1, 20000)])
def test_what_is_too_narrow_is_refused_before_it_is_framed(tmp_path: Path, size: tuple[int, int]) -> None:
    """A frame in a network's proportions may be far larger than the image."""
    with pytest.raises(PictureError, match=r"image\.png is too narrow: .* pixels would be 20000×20000"):
        read_picture(stored(tmp_path, Image.new("L", size)), GREY)
