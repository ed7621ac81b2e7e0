import time
from typing import Any

import numpy as np
import pytest

from jcnn import data
from jcnn.data.dataset import Dataset
from jcnn.figures import DARK, LIGHT, contact_sheet, to_png, to_svg
from jcnn.figures.contact_sheet import (
    INNER,
    MOST,
    about_contact_sheet,
    averaged,
    colours,
    compose,
    extent,
    firsts,
    fitted,
    plan,
)


def synthetic(classes, count, shape, names=None):
    generator = np.random.default_rng(classes)
    return Dataset(
        name="synthetic",
        split="train",
        images=generator.integers(0, 256, (count, *shape), dtype=np.uint8),
        labels=generator.integers(0, classes, count, dtype=np.int32),
        class_names=tuple(names or (f"class {number}" for number in range(classes))),
        fingerprint="",
    )


def planned(dataset, per_class=12, max_classes=20) -> Any:
    return plan(dataset, per_class, max_classes)


def drawn(dataset, **options) -> Any:
    """The axes and their array."""
    axes: Any = contact_sheet(dataset, **options).axes[0]
    (image,) = axes.images
    return axes, np.asarray(image.get_array())


def tile_at(canvas, sheet, number, image):
    """One image as it stands on the sheet, at its own size again."""
    top, left = sheet.corner(number, image)
    height, width = sheet.tile
    return canvas[top : top + height : sheet.zoom, left : left + width : sheet.zoom]


def check_every_place(dataset, canvas, sheet):
    seen = 0
    for number in range(len(sheet.chosen)):
        members = dataset.images[dataset.labels == number]
        for image in range(sheet.chosen.shape[1]):
            tile = tile_at(canvas, sheet, number, image)
            if image < len(members):
                np.testing.assert_array_equal(tile[..., :3], np.broadcast_to(members[image], (*dataset.input_shape[:2], 3)))
                assert (tile[..., 3] == 255).all()
                seen += 1
            else:
                assert not tile.any(), "blank"
    assert (canvas[..., 3] == 255).sum() == seen * sheet.tile[0] * sheet.tile[1], "nothing is drawn beside the images"


def words_of(axes):
    texts = [text.get_text() for text in axes.texts]
    return list(zip(texts[::2], texts[1::2], strict=True))


def test_the_digits_stand_in_their_rows_in_the_order_of_the_set():
    digits = data.load("digits", "train")
    axes, canvas = drawn(digits)
    sheet = planned(digits)
    assert sheet.columns == 1
    assert sheet.chosen.shape == (10, 12)
    check_every_place(digits, canvas, sheet)
    assert words_of(axes) == [(str(digit), str((digits.labels == digit).sum())) for digit in range(10)]
    assert axes.get_title(loc="left") == "digits · train\n1,438 images · 8×8×1 · 10 classes · first 12 of each"


def test_an_image_pixel_is_a_crisp_square():
    digits = data.load("digits", "train")
    axes, canvas = drawn(digits, per_class=3)
    zoom = planned(digits, 3).zoom
    assert zoom == 3
    top, left = planned(digits, 3).corner(4, 1)
    square = canvas[top + 2 * zoom : top + 3 * zoom, left + 5 * zoom : left + 6 * zoom, 0]
    assert (square == digits.images[digits.labels == 4][1, 2, 5, 0]).all()
    assert axes.images[0].get_interpolation() == "none"
    (left, right), (bottom, top) = axes.images[0].get_extent()[:2], axes.images[0].get_extent()[2:]
    assert (right - left) / canvas.shape[1] == pytest.approx((bottom - top) / canvas.shape[0])


@pytest.mark.parametrize("shape", [(20, 31, 3), (31, 20, 3), (1, 1, 1), (3, 90, 1), (90, 3, 1)])
@pytest.mark.parametrize("classes", [3, 25])
def test_odd_sizes(shape, classes):
    dataset = synthetic(classes, 60, shape)
    axes, canvas = drawn(dataset)
    sheet = planned(dataset)
    check_every_place(dataset, canvas, sheet)
    visible = np.flatnonzero(canvas[..., 3].any(axis=0)).max() + 1
    assert visible * sheet.pixel <= INNER + 1e-9, "nothing leaves the page"
    heights = [text.get_position()[1] for text in axes.texts[::2]][: sheet.rows]
    assert (np.diff(heights) > 1.2 * sheet.size / 72).all(), "lines of text do not touch"


def test_a_hundred_classes_are_all_there_in_two_columns_and_fast():
    dataset = synthetic(100, 3000, (32, 32, 3))
    to_png(contact_sheet(synthetic(2, 2, (4, 4, 1))))
    before = time.process_time()
    axes, canvas = drawn(dataset)
    assert time.process_time() - before < 2
    sheet = planned(dataset)
    assert (sheet.columns, sheet.rows) == (2, 50)
    assert sheet.chosen.shape[1] >= 4
    check_every_place(dataset, canvas, sheet)
    assert [name for name, _ in words_of(axes)] == list(dataset.class_names)
    for number, (name, count) in enumerate(zip(axes.texts[::2], axes.texts[1::2], strict=True)):
        top, left = sheet.corner(number, 0)
        for x, y in (name.get_position(), count.get_position()):
            assert left - sheet.label <= x / sheet.pixel < left
            assert top < y / sheet.pixel < top + sheet.tile[0]
    assert sheet.corner(50, 0)[0] == sheet.corner(0, 0)[0]
    assert sheet.corner(50, 0)[1] > sheet.corner(0, sheet.chosen.shape[1] - 1)[1]


def test_max_classes_decides_when_the_second_column_begins():
    dataset = synthetic(5, 50, (8, 8, 1))
    assert planned(dataset, max_classes=5).columns == 1
    sheet = planned(dataset, max_classes=4)
    assert (sheet.columns, sheet.rows) == (2, 3)
    check_every_place(dataset, compose(dataset.images, sheet), sheet)


def test_few_and_no_images_leave_blanks():
    dataset = synthetic(3, 5, (6, 6, 3), ["many", "none", "one"])._replace(labels=np.array([0, 2, 0, 0, 0], np.int32))
    axes, canvas = drawn(dataset)
    sheet = planned(dataset)
    np.testing.assert_array_equal(sheet.chosen, [[0, 2, 3, 4], [-1, -1, -1, -1], [1, -1, -1, -1]])
    check_every_place(dataset, canvas, sheet)
    assert words_of(axes) == [("many", "4"), ("none", "0"), ("one", "1")]
    assert about_contact_sheet(dataset).endswith("from 0 of class none to 4 of class many.")


def test_no_images_at_all_are_empty_rows():
    dataset = synthetic(3, 0, (6, 6, 1))
    axes, canvas = drawn(dataset)
    assert not canvas.any()
    assert [number for _, number in words_of(axes)] == ["0", "0", "0"]
    assert about_contact_sheet(dataset).endswith("every class has 0 images.")


@pytest.mark.parametrize("dataset", [synthetic(1, 0, (6, 6, 1))._replace(class_names=()), synthetic(2, 3, (0, 6, 1))])
def test_nothing_to_show_is_said(dataset):
    (text,) = contact_sheet(dataset).axes[0].texts
    assert text.get_text() == "synthetic, train: no classes or no pixels to show."
    assert about_contact_sheet(dataset) == "Contact sheet of synthetic, train: no classes or no pixels to show."


def test_the_first_of_each_class():
    labels = np.array([2, 0, 2, 2, 0], np.int32)
    np.testing.assert_array_equal(firsts(labels, np.array([2, 0, 3]), 2), [[1, 4], [-1, -1], [0, 2]])


def test_opacity_is_drawn_on_white():
    pixels = np.array([[[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 255, 51]]]], np.uint8)
    np.testing.assert_array_equal(colours(pixels)[0, 0], [[10, 20, 30], [255, 255, 255], [204, 224, 255]])
    dataset = synthetic(2, 6, (5, 7, 4))
    _, canvas = drawn(dataset)
    tile = tile_at(canvas, planned(dataset), 1, 0)
    np.testing.assert_array_equal(tile[..., :3], colours(dataset.images[dataset.labels == 1])[0])
    assert (tile[..., 3] == 255).all()


def test_averaging_is_the_mean_of_each_square_and_of_what_is_left_at_the_edges():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    small = averaged(images, 3)
    assert small.shape == (2, 2, 3, 3)
    for row in range(2):
        for column in range(3):
            square = images[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].astype(np.float64)
            np.testing.assert_allclose(small[:, row, column], square.mean(axis=(1, 2)), atol=0.501)
    assert averaged(images, 1) is images


def test_images_finer_than_the_page_are_averaged():
    dataset = synthetic(2, 30, (300, 200, 1))
    sheet = planned(dataset)
    assert sheet.shrink > 1
    canvas = compose(dataset.images, sheet)
    expected = averaged(dataset.images[dataset.labels == 1][2:3], sheet.shrink)[0]
    np.testing.assert_array_equal(tile_at(canvas, sheet, 1, 2)[..., 0], expected[..., 0])


@pytest.mark.parametrize("classes", [4, 30])
def test_long_names_end_before_the_images(classes):
    names = ["W" * 60, "i" * 300, "two\nlines of $x^2$ and more and more", "字" * 40] + ["x"] * (classes - 4)
    dataset = synthetic(classes, 200, (8, 8, 1), names)
    figure = contact_sheet(dataset)
    axes: Any = figure.axes[0]
    to_png(figure, dpi=figure.dpi)
    for name, number in zip(axes.texts[:6:2], axes.texts[1:6:2], strict=True):
        assert name.get_text().endswith("…")
        assert name.get_window_extent().x1 < number.get_window_extent().x0
        sheet = planned(dataset)
        images = axes.transData.transform((sheet.corner(0, 0)[1] * sheet.pixel, 0))[0]
        assert number.get_window_extent().x1 < images
    assert axes.texts[4].get_text().startswith("two lines of")
    # Matplotlib's font lacks these letters; the reader's draws them one em wide.
    assert len(axes.texts[6].get_text()) < 14
    assert b"\xe5\xad\x97" in to_svg(figure)


def test_fitted_text_is_as_long_as_fits():
    text = "an ordinary sentence of words"
    assert fitted(text, 10, extent(text, 10) + 1e-9) == text
    short = fitted(text, 10, 1.0)
    assert short.endswith("…")
    assert 0.8 < extent(short, 10) <= 1.0
    assert fitted("W", 10, 0.01) == "…"
    assert not fitted(" ", 10, 1.0)


def test_more_classes_than_a_sheet_holds_are_cut_off_and_it_is_said():
    dataset = synthetic(MOST + 1, 500, (2, 2, 1))
    sheet = planned(dataset)
    assert len(sheet.chosen) == len(sheet.names) == MOST
    assert f"{MOST} of {MOST + 1} classes" in about_contact_sheet(dataset)


def test_the_words_say_what_is_there():
    digits = data.load("digits", "train")
    assert about_contact_sheet(digits, per_class=1) == (
        "Contact sheet of digits, train: 1,438 images · 8×8×1 · 10 classes · first of each; "
        "from 139 of class 8 to 146 of class 1."
    )
    one = synthetic(1, 1, (4, 4, 3))
    assert "1 image · 4×4×3 · 1 class · first of each; every class has 1 image." in about_contact_sheet(one)


def test_themes_and_the_same_bytes_every_time():
    dataset = synthetic(3, 9, (4, 4, 3))
    light, dark = (to_svg(contact_sheet(dataset, theme=theme)) for theme in (LIGHT, DARK))
    assert light != dark
    assert DARK.paper.encode() in dark
    assert light == to_svg(contact_sheet(dataset))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": np.zeros((4, 5, 5, 2), np.uint8)}, r"dataset\.images \(4, 5, 5, 2\): expected 1 \(grey\), 3 .* not 2"),
        ({"images": np.zeros((4, 5, 5, 5), np.uint8)}, r"dataset\.images .* not 5"),
        ({"images": np.zeros((4, 5, 5), np.uint8)}, r"dataset\.images \(4, 5, 5\) of uint8: expected \(N, H, W, C\)"),
        ({"images": np.zeros((4, 5, 5, 1), np.float32)}, r"dataset\.images .* of float32: expected .* uint8"),
        ({"labels": np.zeros(3, np.int32)}, r"dataset\.labels \(3,\): expected \(4,\)"),
        ({"labels": np.array([0, 1, 2, 0], np.int32)}, r"dataset\.labels go from 0 to 2: expected 0 to 1"),
        ({"labels": np.array([0, 1, -1, 0], np.int32)}, r"dataset\.labels go from -1 to 1"),
    ],
)
def test_sets_that_cannot_be_drawn(changed, message):
    dataset = synthetic(2, 4, (5, 5, 1))._replace(**changed)
    for function in (contact_sheet, about_contact_sheet):
        with pytest.raises(ValueError, match=message):
            function(dataset)


def test_numbers_below_one():
    dataset = synthetic(2, 4, (5, 5, 1))
    with pytest.raises(ValueError, match="per_class=0: expected at least 1"):
        contact_sheet(dataset, per_class=0)
    with pytest.raises(ValueError, match="max_classes=-1: expected at least 1"):
        about_contact_sheet(dataset, max_classes=-1)
