"""A ResNet-8 with all that layers keep and draw: trained by `fit`, by hand and by autodiff, to the same numbers."""

from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import jcnn
from jcnn import Dropout, Ops, Recipe, Whiten
from jcnn.data.batches import epoch_order
from jcnn.training import Result
from jcnn.training.step import initial_params, step_key

RANDOM = np.random.default_rng(0)
SHAPE = (32, 32, 3)
*BODY, SCORES = jcnn.resnet(SHAPE, 10, depth=8, width=4)
NETWORK = (Whiten(2), *BODY, Dropout(0.25), SCORES)
IMAGES = RANDOM.integers(0, 256, (13, *SHAPE), np.uint8)
LABELS = RANDOM.integers(0, 10, 13)
TRAIN = IMAGES, LABELS
BATCH = 4
RATE = 1 / 16  # the same number in the float32 of a schedule
RECIPE = Recipe(
    epochs=2,
    batch_size=BATCH,
    learning_rate=RATE,
    momentum=0.0,
    weight_decay=0.0,
    warmup=0.0,
    schedule="constant",
    augment=False,
    dtype="float64",
)
fit = partial(jcnn.fit, NETWORK, TRAIN, TRAIN, recipe=RECIPE, console=Console(file=StringIO()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return fit(out=tmp_path_factory.mktemp("resnet") / "run")


def descended(gradient: Callable[..., Any]) -> Any:
    """Parameters and state after θ ← θ − rate · gradient on the batches of every epoch, each with a key of its own."""
    params, state = initial_params(RECIPE, NETWORK, SHAPE), jcnn.init_state(NETWORK, SHAPE, RECIPE.dtype)
    state = jcnn.adapt(NETWORK, state, IMAGES / 255)
    compiled, step = jax.jit(gradient), 0
    for epoch in range(RECIPE.epochs):
        order = np.asarray(epoch_order(RECIPE.seed, epoch, len(IMAGES)))
        for first in range(0, len(IMAGES) - BATCH + 1, BATCH):
            rows = order[first : first + BATCH]
            key = step_key(RECIPE.seed, jnp.asarray(step))
            (_, state), slopes = compiled(params, IMAGES[rows] / 255, LABELS[rows], state=state, key=key)
            params, step = jax.tree.map(lambda theta, slope: theta - RATE * slope, params, slopes), step + 1
    return params, state


GRADIENTS = {
    "by hand": partial(jcnn.backprop, NETWORK),
    "by hand, the fast ways": partial(jcnn.backprop, NETWORK, ops=Ops("auto", "manual")),
    "autodiff": partial(jcnn.value_and_grad, NETWORK),
}


@pytest.mark.parametrize("gradient", GRADIENTS.values(), ids=GRADIENTS)
def test_fit_ends_where_plain_descent_does(trained: Result, gradient: Callable[..., Any]) -> None:
    expected, actual = jax.tree.leaves(descended(gradient)), jax.tree.leaves((trained.params, trained.state))
    for theirs, ours in zip(expected, actual, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * max(np.abs(theirs).max(), RATE))


def test_it_is_resumed_to_the_same_bits(trained: Result, tmp_path: Path) -> None:
    def stop(step: int, *_: object) -> None:
        if step == len(IMAGES) // BATCH:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(out=tmp_path / "run", callbacks=[stop], report=False)
    resumed = fit(out=tmp_path / "run", resume=True, report=False)
    jax.tree.map(np.testing.assert_array_equal, (resumed.params, resumed.state), (trained.params, trained.state))


def test_it_is_evaluated_with_its_running_statistics(trained: Result) -> None:
    """Every image alone as among the others, and as a call of one's own with what was saved."""
    assert trained.out is not None
    jcnn.save(trained.out / "net", trained.network, trained.params, trained.state)
    network, params, state = jcnn.load(trained.out / "net")
    apply = jax.jit(partial(jcnn.apply, network))
    alone = np.concatenate([apply(params, image[None] / 255, state=state) for image in IMAGES[:3]])
    scores = np.exp(alone - alone.max(-1, keepdims=True))
    _, evaluation = trained.tested
    np.testing.assert_allclose(evaluation.probabilities[:3], scores / scores.sum(-1, keepdims=True), rtol=1e-10)


def test_it_is_drawn_and_predicts_from_its_folder(trained: Result) -> None:
    assert trained.out is not None
    page = (trained.out / "report.html").read_text("utf-8")
    assert "Residual" in page
    assert ">state<" in page
    assert page.count("<svg") + page.count("<img") > 2
    restored = jcnn.training.restore_run(trained.out, pytest.fail)
    jax.tree.map(np.testing.assert_array_equal, (restored.params, restored.state), (trained.params, trained.state))
    assert restored.network == NETWORK
