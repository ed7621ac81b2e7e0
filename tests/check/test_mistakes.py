"""Every mistake of the catalogue, made wherever it can be made, is found, named and hinted at; nothing right resembles one.

Each is graded once, as one operation at least; as all it applies to in the deep tests.
"""

from collections.abc import Callable

import numpy as np
import pytest

from jcnn.check import CATALOGUE, KINDS, Mistake, grade
from jcnn.check.operations import kind_of
from tests.check.steps import expect_steps
from tests.draws import DRAWS

EVERYWHERE = DRAWS > 40
DRAWN = {mistake.name: np.random.default_rng(number).choice(sorted(mistake.wrong)) for number, mistake in enumerate(CATALOGUE)}


def made(kind: str) -> list[Mistake]:
    """The mistakes to make as this kind."""
    return [mistake for mistake in CATALOGUE if kind in mistake.wrong and (EVERYWHERE or DRAWN[mistake.name] == kind)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if made(kind)])
def test_every_mistake_is_found_and_named(kind: str, record_property: Callable[[str, object], None]) -> None:
    graded = [(mistake, grade(mistake.wrong[kind], kind)) for mistake in made(kind)]
    for mistake, report in graded:
        record_property(f"{mistake.name} in {kind}", f"{report.verdict}, {report.mistakes}")
    missed = {m.name: (r.verdict, r.mistakes) for m, r in graded if (r.verdict, r.mistakes) != (m.verdict, (m.name,))}
    assert graded
    assert not missed
    for mistake, report in graded:
        _, what, how = expect_steps(report)
        assert mistake.sentence not in what
        assert mistake.sentence in how or mistake.verdict == "rounding"


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_agrees_with_itself(kind: str) -> None:
    report = grade(kind_of(kind).reference, kind)
    assert (report.verdict, report.diagnosis, report.mistakes, report.left_out) == ("agrees", None, (), ())


def test_the_catalogue_is_large_and_says_what_it_means() -> None:
    assert len({mistake.name for mistake in CATALOGUE}) >= 100
    for mistake in CATALOGUE:
        assert mistake.wrong
        assert set(mistake.wrong) <= set(KINDS)
        assert mistake.sentence.endswith(".")
        assert 20 < len(mistake.sentence) < 300
