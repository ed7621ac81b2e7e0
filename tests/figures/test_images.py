import numpy as np
import pytest
from matplotlib.figure import Figure

from jcnn.figures.images import TILE, draw_image, enlarge, largest, mosaic


def test_enlarge_makes_squares_of_pixels():
    tile = np.array([[[1, 2], [3, 4]]])
    np.testing.assert_array_equal(enlarge(tile, 2)[0], [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])


@pytest.mark.parametrize("shape", [(5, 30, 30), (5, 3, 3), (1, 1, 1), (7, 40, 2), (4, 5, 5, 3)])
def test_every_tile_is_in_the_mosaic_once_and_the_rest_is_empty(shape):
    rng = np.random.default_rng(0)
    tiles = rng.random(shape)
    canvas = mosaic(tiles, 3)
    zoom = max(1, -(-TILE // max(shape[1:3])))
    assert np.isfinite(canvas).sum() == tiles.size * zoom**2
    np.testing.assert_array_equal(np.unique(canvas[np.isfinite(canvas)]), np.unique(tiles))
    np.testing.assert_array_equal(canvas[: shape[1] * zoom : zoom, : shape[2] * zoom : zoom], tiles[0])


def test_largest_ignores_what_is_not_finite():
    assert largest(np.array([1.0, -3.0, np.nan, np.inf])) == 3.0
    assert largest(np.array([np.nan])) == 1.0
    assert largest(np.zeros(3)) == 1.0


def test_images_are_drawn_unchanged():
    rng = np.random.default_rng(0)
    axes = Figure().add_subplot()
    colour = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(draw_image(axes, colour).get_array(), colour)
    grey = draw_image(axes, colour[..., :1])
    np.testing.assert_array_equal(grey.get_array(), colour[..., 0])
    assert grey.get_clim() == (0, 255)
