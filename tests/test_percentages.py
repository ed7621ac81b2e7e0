"""Percentages that are read as they are: no error beside "100 %", and one image more is another text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.percentages import percent, probability, share
from tests.draws import draws


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (356, 359, "99.2 %"),
        (359, 359, "100 %"),
        (0, 359, "0 %"),
        (9_999, 10_000, "99.99 %"),
        (59_999, 60_000, "99.998 %"),
        (999, 1_000, "99.9 %"),
        (11, 12, "91.7 %"),
        (1, 1_000_000, "0.0001 %"),
        (0, 0, "–"),
    ],
)
def test_shares_by_hand(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


@given(st.integers(1, 2_000_000).flatmap(lambda whole: st.tuples(st.integers(0, whole - 1), st.just(whole))), st.integers(0, 3))
@draws(2)
def test_one_more_is_another_text_and_only_all_are_100_per_cent(counts: tuple[int, int], least: int) -> None:
    part, whole = counts
    texts = [share(number, whole, least=least) for number in (part, part + 1)]
    assert texts[0] != texts[1]
    for number, text in zip((part, part + 1), texts, strict=True):
        value = float(text.removesuffix(" %"))
        assert (value == 100) == (number == whole)
        assert (value == 0) == (number == 0)
        decimals = len(text.removesuffix(" %").partition(".")[2])
        assert abs(value - 100 * number / whole) <= 0.5 * 10**-decimals * (1 + 1e-9)


@pytest.mark.parametrize(("part", "whole"), [(-1, 3), (4, 3), (1, 0)])
def test_parts_of_no_whole_are_refused(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match=f"part={part}: expected a number from 0 to {whole}"):
        share(part, whole)


@given(st.floats(0, 1), st.integers(0, 3))
@draws(2)
def test_fractions_are_rounded_but_not_to_all_or_nothing(fraction: float, decimals: int) -> None:
    for text, exact in ((percent(fraction, decimals), fraction in (0, 1)), (probability(fraction, decimals), False)):
        bound, number = re.fullmatch(r"(?:([<>]) )?([\d.]+) %", text).groups()  # pyright: ignore[reportOptionalMemberAccess]
        assert (float(number) in (0, 100)) == exact
        if bound == ">":
            assert 100 * fraction >= float(number)
        elif bound == "<":
            assert 100 * fraction <= float(number)
        else:
            assert abs(float(number) - 100 * fraction) <= 0.5 * 10**-decimals * (1 + 1e-9)


@pytest.mark.parametrize(("value", "text"), [(0.5, "50.0 %"), (0.99949, "99.9 %"), (0.9996, "> 99.9 %"), (1.0, "> 99.9 %")])
def test_a_probability_is_never_certainty(value: float, text: str) -> None:
    assert probability(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_called_so(value: float) -> None:
    assert percent(value) == probability(value) == "not a number"


def test_more_than_the_whole_is_not_the_whole() -> None:
    assert [percent(value, 0) for value in (0.997, 1.0, 1.002, 1.2)] == ["> 99 %", "100 %", "> 100 %", "120 %"]
