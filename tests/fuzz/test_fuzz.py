"""Whatever is handed to a public name, it works, or an error of ours says by name what is wrong with it.

By default a part of all calls, the same every time; all of them where `JCNN_DRAWS` is set to draw more.
"""

import random
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jcnn
from tests.draws import DRAWS
from tests.fuzz.calls import ALL, CALLS, DRILLS, NO_CALLS
from tests.fuzz.drive import PATIENCE, Case, Worker, cases
from tests.fuzz.values import DTYPES, TRACED, VALUES

DEEP = DRAWS > 40
PART = 400
FINE = ("ok", "refused")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.stop()


def chosen() -> list[Case]:
    """All calls, or a part of them."""
    everything = cases()
    return everything if DEEP else random.Random(14).sample(everything, PART)  # noqa: S311


def test_every_public_name_has_a_valid_call() -> None:
    assert {*CALLS, *NO_CALLS} == set(jcnn.__all__)
    assert not set(CALLS) & set(NO_CALLS)


@pytest.mark.parametrize("name", ["conv", "max_pool", "apply"])
def test_the_valid_calls_are_valid(name: str) -> None:
    results = jax.tree.leaves(ALL[name]())
    assert results
    assert all(np.isfinite(result).all() for result in results)


def test_one_argument_wrong(worker: Worker) -> None:
    assert [outcome for case in chosen() if (outcome := worker.ask(case)).word not in FINE] == []


shapes = st.lists(st.integers(0, 4), max_size=7)
arrays = st.builds(lambda dtype, shape: f"{dtype}[{','.join(map(str, shape))}]", st.sampled_from(DTYPES), shapes)


@st.composite
def two_wrong(draw: st.DrawFn) -> Case:
    """A call with two arguments replaced, or all it has."""
    name = draw(st.sampled_from([name for name, call in ALL.items() if call.arguments]))
    arguments = draw(st.permutations(list(ALL[name].arguments)))[:2]
    return name, {argument: draw(st.sampled_from([*VALUES, *TRACED]) | arrays) for argument in arguments}


@given(two_wrong())
@settings(max_examples=DRAWS if DEEP else 60)
def test_two_arguments_wrong(worker: Worker, case: Case) -> None:
    outcome = worker.ask(case)
    assert outcome.word in FINE, outcome


def test_what_it_was_made_to_find_is_noticed(worker: Worker) -> None:
    found = {}
    for drill in DRILLS:
        worker.patience = 2.0 if drill == "hang" else PATIENCE
        found[drill] = worker.ask((drill, {"x": "one"})).word
    worker.patience = PATIENCE
    assert found == {**dict.fromkeys(DRILLS, "obscure"), "abort": "abort", "hang": "hang"}
