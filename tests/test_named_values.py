"""Values by name: their words and their data give them back, and what is neither is refused with what was expected."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.data.augmentations import AUGMENTATIONS, Crop, Cutout, Warp
from jcnn.named_values import from_data, from_words, in_words, to_data, usage
from jcnn.training.averaging import AVERAGING, EMA, Lookahead
from tests.draws import draws

TABLES: dict[str, Any] = {"augment": AUGMENTATIONS, "average": AVERAGING}
RANGES: dict[str, Any] = {
    **{name: st.integers(1, 10**6) for name in ("padding", "size", "steps")},
    **{name: st.floats(1e-3, 0.999) for name in ("contrast", "decay", "pull")},
    **{name: st.floats(1e-9, 1e9) for name in ("alpha", "shift", "degrees", "zoom", "brightness")},
    "fill": st.floats(allow_nan=False, allow_infinity=False),
}


@st.composite
def values(draw: st.DrawFn) -> tuple[str, Any]:
    what = draw(st.sampled_from(sorted(TABLES)))
    kind = draw(st.sampled_from(list(TABLES[what].values())))
    return what, kind(**{field.name: draw(RANGES[field.name]) for field in fields(kind)})


@draws()
@given(values())
def test_words_and_data_give_the_value_back(drawn: tuple[str, Any]) -> None:
    what, value = drawn
    assert from_words(what, in_words(value, TABLES[what]), TABLES[what]) == value
    assert from_data(what, json.loads(json.dumps(to_data(value, TABLES[what]))), TABLES[what]) == value


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("crop", Crop(4)),
        ("crop:2", Crop(2)),
        ("cutout:4:0.5", Cutout(4, 0.5)),
        ("warp:2", Warp(shift=2.0)),
        ("warp:0:1e1:0.5", Warp(0.0, 10.0, 0.5)),
    ],
)
def test_numbers_stand_in_the_order_of_the_fields(words: str, value: Any) -> None:
    assert from_words("augment", words, AUGMENTATIONS) == value


def test_defaults_are_written_too() -> None:
    assert to_data(Lookahead(), AVERAGING) == {"lookahead": {"steps": 5, "pull": 0.5}}
    assert in_words(Lookahead(), AVERAGING) == "lookahead"
    assert in_words(EMA(0.5), AVERAGING) == "ema:0.5"
    assert usage("lookahead", AVERAGING) == "lookahead[:steps=5[:pull=0.5]]"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: from_words("augment", "corp", AUGMENTATIONS), r"augment 'corp': .*did you mean crop\?", id="name"),
        pytest.param(lambda: from_words("augment", "flip:3", AUGMENTATIONS), "'flip:3': expected flip$", id="too many"),
        pytest.param(lambda: from_words("augment", "crop:x", AUGMENTATIONS), "padding is 'x', expected an", id="no number"),
        pytest.param(lambda: from_words("augment", "crop:1.5", AUGMENTATIONS), "is '1.5', expected an", id="a fraction"),
        pytest.param(lambda: from_words("augment", "crop:-1", AUGMENTATIONS), "'crop:-1': padding=-1: expected", id="range"),
        pytest.param(lambda: from_words("average", "ema:1", AVERAGING), "decay=1.0: expected", id="decay"),
        pytest.param(lambda: from_data("average", {"ema": {}}, AVERAGING), "the fields decay", id="data without a field"),
        pytest.param(lambda: from_data("average", {"ema": 3}, AVERAGING), "average ema=3: expected", id="a number"),
        pytest.param(lambda: from_data("average", {"ema": {"decay": "x"}}, AVERAGING), "decay='x'", id="a word for a number"),
        pytest.param(lambda: from_data("average", [], AVERAGING), r"average=\[\]: expected {NAME", id="a list"),
        pytest.param(lambda: from_data("average", {"a": {}, "b": {}}, AVERAGING), "expected {NAME", id="two"),
        pytest.param(lambda: from_data("average", {"mean": {}}, AVERAGING), "average 'mean': expected one of", id="no such"),
    ],
)
def test_what_is_none_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
