"""Whatever is handed to a public name, it works, or an error of ours says by name what is wrong with it.

By default a part of all calls, the same every time; all of them where `JCNN_DRAWS` is set to draw more.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn
from tests.draws import DRAWS
from tests.fuzz.calls import ALL, CALLS, NO_CALLS
from tests.fuzz.drive import Case, Worker, cases, outcomes
from tests.fuzz.values import TRACED, VALUES

DEEP = DRAWS > 40
PART = 400
FINE = ("ok", "refused")


def chosen() -> list[Case]:
    """All calls, or a part of them in which every call and every kind occurs."""
    everything = cases()
    return everything if DEEP else random.Random(14).sample(everything, PART)  # noqa: S311


def test_every_public_name_has_a_valid_call() -> None:
    assert {*CALLS, *NO_CALLS} == set(jcnn.__all__)
    assert not set(CALLS) & set(NO_CALLS)


@pytest.mark.parametrize("name", ["conv", "max_pool", "apply"])
def test_the_valid_calls_are_valid(name: str) -> None:
    ALL[name]()


def test_one_argument_wrong() -> None:
    assert [outcome for outcome in outcomes(chosen()) if outcome.word not in FINE] == []


@pytest.fixture(scope="module")
def worker() -> Worker:
    return Worker()


@st.composite
def two_wrong(draw: st.DrawFn) -> Case:
    """A call with two arguments replaced, or all it has."""
    name = draw(st.sampled_from([name for name, call in ALL.items() if call.arguments]))
    arguments = draw(st.permutations(list(ALL[name].arguments)))[:2]
    return name, {argument: draw(st.sampled_from([*VALUES, *TRACED])) for argument in arguments}


@given(two_wrong())
@settings(max_examples=DRAWS if DEEP else 60)
def test_two_arguments_wrong(worker: Worker, case: Case) -> None:
    outcome = worker.ask(case)
    assert outcome.word in FINE, outcome


def test_an_abort_a_hang_and_an_obscure_error_are_noticed() -> None:
    """The judge itself: what it was made to find."""
    from tests.fuzz import drive

    found = {}
    for kind in ("abort", "hang", "obscure"):
        found[kind] = drive.Worker().ask((f"drill: {kind}", {"x": "one"})).word
    assert found == {"abort": "abort", "hang": "hang", "obscure": "obscure"}
