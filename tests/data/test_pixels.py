"""The description of how files become pixels: checked, stored, and read back."""

import json
from typing import Any

import pytest

from jcnn.data.pixels import Pixels, from_data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", 2),
        ("channels", True),
        ("channels", "3"),
        ("polarity", "guess"),
        ("alpha", None),
        ("size_rule", "tile"),
        ("value_range", (0,)),
        ("value_range", (1, 1)),
        ("value_range", (0, float("nan"))),
        ("value_range", (0, True)),
    ],
)
def test_what_means_nothing_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}="):
        Pixels(**{name: value}).check()


@pytest.mark.parametrize("pixels", [Pixels(), Pixels(4, "inverted", "black", "crop", (-1, 2.5))])
def test_round_trip(pixels: Pixels) -> None:
    pixels.check()
    assert from_data(json.loads(json.dumps(pixels.as_data()))) == pixels


@pytest.mark.parametrize(
    "data", [None, [], {}, {"channels": 1}, {**Pixels().as_data(), "normalisation": "v"}, {**Pixels().as_data(), "alpha": 3}]
)
def test_what_is_no_description_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"description|normalisation|alpha"):
        from_data(data)


def test_only_what_was_chosen() -> None:
    assert Pixels().chosen() == {}
    assert Pixels(alpha="black", value_range=(0, 9)).chosen() == {"alpha": "black", "value_range": [0, 9]}
