"""What a claim says in numbers stands in a check of it, so that it cannot be said and not be checked."""

import inspect
import re

import pytest

from tests.experiments.topics import NAMES, load


def numbers(text: str) -> set[float]:
    """All that are written in digits, with their decimals and thousands."""
    found = re.findall(r"\d[\d,_]*(?:\.\d+)?", text)
    return {float(number.replace(",", "").replace("_", "").rstrip(".")) for number in found}


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_a_claim_are_checked(name: str) -> None:
    topic = load(name)
    checked = numbers(inspect.getsource(topic.checks))
    chosen = numbers(inspect.getsource(topic.config))
    checked |= chosen | {round(100 * number, 9) for number in chosen if number < 1}
    assert numbers(topic.claim) - checked == set()


def test_numbers() -> None:
    assert numbers("32×32×3 is 3,072; 0.5 of 1e3, 10⁻¹⁰ and 69_632.") == {32, 3, 3072, 0.5, 1, 10, 69632}
