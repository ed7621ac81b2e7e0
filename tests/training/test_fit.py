"""`fit`: anybody's network, arrays and optimiser; what it leaves, what it tells, and what it refuses."""

import inspect
import json
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

import jcnn
from jcnn import AvgPool, Conv, Dense, Flatten, Recipe, Relu, Tanh, fit, value_and_grad
from jcnn.data.augmentations import AlternatingFlip, Crop, Mixup
from jcnn.data.batches import epoch_order
from jcnn.data.dataset import DataError, Dataset
from jcnn.training import (
    EMA,
    CheckpointError,
    Interrupted,
    Result,
    TrainingError,
    checkpoint,
    fitting,
    restore_run,
    stored_config,
)
from jcnn.training.step import State, initial_params

RANDOM = np.random.default_rng(0)
NETWORK = (Conv(3, 2), Tanh(), Flatten(), Dense(4))
IMAGES = RANDOM.integers(0, 256, (21, 4, 4, 1)).astype(np.uint8)
LABELS = RANDOM.integers(0, 4, 21)
TEST = IMAGES[:5], LABELS[:5]
RECIPE = Recipe(epochs=3, batch_size=5, augment=False, dtype="float64")
PER_EPOCH = 4  # 21 images, and the last one of an order fills no batch
QUIET = Console(file=StringIO())


def quick(
    recipe: Recipe = RECIPE, *, train: Any = (IMAGES, LABELS), test: Any = None, network: Any = NETWORK, **how: Any
) -> Result:
    return fit(network, train, test, recipe=recipe, **{"console": QUIET, "report": False, **how})


def assert_same_bits(ours: Any, theirs: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def batches(recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray]]:
    """Those of all steps, as NumPy takes them from the images."""
    rows = [
        np.asarray(epoch_order(recipe.seed, epoch, len(IMAGES)))[place * 5 : place * 5 + 5]
        for epoch in range(recipe.epochs)
        for place in range(PER_EPOCH)
    ]
    return [(IMAGES[chosen] / 255, LABELS[chosen]) for chosen in rows]


gradients_of = jax.jit(partial(value_and_grad, NETWORK))


def trained_by(recipe: Recipe, update: Callable[[int, Any, Any, Any], tuple[Any, Any]], memory: Any) -> Any:
    """The parameters after all steps of `update(step, gradients, params, memory) -> (params, memory)`."""
    params = initial_params(recipe, NETWORK, (4, 4, 1))
    for step, (x, labels) in enumerate(batches(recipe)):
        _, gradients = gradients_of(params, x, labels)
        params, memory = update(step, gradients, params, memory)
    return params


def decay(params: Any, rate: float) -> Any:
    return jax.tree.map(lambda p: rate * p if p.ndim > 1 else jnp.zeros_like(p), params)


CONSTANT = replace(RECIPE, schedule="constant", warmup=0.0, learning_rate=0.0625, momentum=0.75, weight_decay=0.125)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_is_its_formula(name: Any) -> None:
    """m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η m̂ / (√v̂ + ε), and where weight decay comes in."""

    def update(step: int, g: Any, params: Any, memory: Any) -> tuple[Any, Any]:
        m, v = memory
        pull = decay(params, 0.125)
        g = jax.tree.map(jnp.add, g, pull) if name == "adam" else g
        m = jax.tree.map(lambda m, g: 0.75 * m + 0.25 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, v, g)
        first, second = 1 - 0.75 ** (step + 1), 1 - 0.999 ** (step + 1)
        by = jax.tree.map(lambda m, v: (m / first) / (jnp.sqrt(v / second) + 1e-8), m, v)
        by = by if name == "adam" else jax.tree.map(jnp.add, by, pull)
        return jax.tree.map(lambda p, d: p - 0.0625 * d, params, by), (m, v)

    zeros = jax.tree.map(jnp.zeros_like, initial_params(RECIPE, NETWORK, (4, 4, 1)))
    # Adam divides by roots of tiny numbers, and Optax takes the powers of β in float32 where they are compared with.
    expected = trained_by(CONSTANT, update, (zeros, zeros))
    found = quick(replace(CONSTANT, optimizer=name)).params
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)


def test_muon_steps_along_orthogonal_matrices() -> None:
    """Of filters as the matrix of all that an output sums up by outputs; as far as by AdamW, by which biases go."""
    recipe = replace(CONSTANT, optimizer="muon", epochs=1, batch_size=21, weight_decay=0.0)
    first = initial_params(recipe, NETWORK, (4, 4, 1))
    after = quick(recipe).params
    for layer in (0, 3):
        moved = np.asarray(after[layer]["w"] - first[layer]["w"]) / -0.0625
        matrix = moved.reshape(-1, moved.shape[-1])
        sizes = np.linalg.svd(matrix, compute_uv=False) / (0.2 * np.sqrt(max(matrix.shape)))
        # Newton–Schulz by these coefficients brings them to 0.7 … 1.2; gradients of scores add up to 0, and one stays 0.
        assert sizes[sizes > 1e-9].min() > 0.6
        assert (sizes > 1e-9).sum() == 3
        assert sizes.max() < 1.3
        # Adam's first step, Nesterov's way: as far for every bias, (1 + β₁ / (1 + β₁)) times the rate.
        moved = np.abs(after[layer]["b"] - first[layer]["b"])
        np.testing.assert_allclose(moved, 0.0625 * (1 + 0.75 / 1.75), rtol=1e-3)


OWN = {
    "lion": lambda: optax.lion(1e-2, weight_decay=0.1),
    "clipped, with a schedule": lambda: optax.chain(
        optax.clip_by_global_norm(0.5), optax.rmsprop(optax.linear_schedule(0.1, 0.0, 12), momentum=0.5)
    ),
    "every third step": lambda: optax.MultiSteps(optax.adam(1e-2), 3).gradient_transformation(),
    "of extra arguments": lambda: optax.with_extra_args_support(optax.sgd(0.1)),
}


@pytest.mark.parametrize("name", OWN)
def test_any_optax_transformation_is_stepped_as_in_a_loop_by_hand(name: str) -> None:
    own = OWN[name]()

    def update(_: int, gradients: Any, params: Any, memory: Any) -> tuple[Any, Any]:
        updates, memory = own.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory

    with jax.numpy_dtype_promotion("standard"):  # as `fit` has it for other people's code
        expected = trained_by(RECIPE, update, own.init(initial_params(RECIPE, NETWORK, (4, 4, 1))))
    result = quick(replace(RECIPE, optimizer=own))
    # Optax's schedules are float32, and one compiled rounds otherwise than one that is not.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), result.params, expected)
    assert not any("learning_rate" in record for record in result.records)


@pytest.mark.parametrize(
    ("shape", "network"),
    [
        pytest.param((6,), (Dense(4),), id="vectors"),
        pytest.param((9, 2), (Conv(3, 3), Relu(), AvgPool(2), Flatten(), Dense(4)), id="signals"),
        pytest.param((4, 5, 3, 2), (Conv(3, 2), Relu(), Flatten(), Dense(4)), id="volumes"),
    ],
)
def test_examples_of_any_rank_and_bytes_as_their_fractions(shape: tuple[int, ...], network: Any) -> None:
    images = RANDOM.integers(0, 256, (21, *shape)).astype(np.uint8)
    recipe = replace(RECIPE, epochs=2)
    whole = quick(recipe, network=network, train=(images, LABELS), test=(images[:6], LABELS[:6]))
    parts = quick(
        recipe, network=network, train=(images / 255, LABELS.tolist()), test=(jnp.asarray(images[:6] / 255), LABELS[:6])
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), whole.params, parts.params)
    logits = jax.jit(partial(jcnn.apply, network))(parts.params, images[:6] / 255)
    np.testing.assert_allclose(parts.tested[1].probabilities, jax.nn.softmax(logits), rtol=1e-12)
    assert whole.tested[0].class_names == ("0", "1", "2", "3")


def test_a_data_set_and_its_arrays_are_the_same() -> None:
    digits = jcnn.data.load("digits")
    digits = digits._replace(images=digits.images[:40], labels=digits.labels[:40])
    network, recipe = (Flatten(), Dense(10)), replace(RECIPE, augment=True, dtype="float32")
    named, arrays = (quick(recipe, network=network, train=train) for train in (digits, (digits.images, digits.labels)))
    assert_same_bits(named.params, arrays.params)
    assert (named.config["data"], arrays.config["data"]) == ("digits", "arrays")


def test_without_out_nothing_touches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen = []

    def look(*_: object) -> None:
        seen.append([*tmp_path.rglob("*")])
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers  # nothing to save

    result = quick(test=TEST, callbacks=[look], report=True)
    assert seen == [[]] * 7
    assert not [*tmp_path.rglob("*")]
    assert result.out is None
    assert result.evaluation is not None


def test_without_test_images_nothing_is_evaluated(tmp_path: Path) -> None:
    result = quick(out=tmp_path / "run", report=True)
    assert (result.evaluation, result.test) == (None, None)
    assert {record["split"] for record in result.records} == {"train"}
    with pytest.raises(ValueError, match="without test images"):
        result.tested  # noqa: B018 (it raises)
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert "Learning curves" in page
    assert "Confusion matrix" not in page
    assert "its layers are listed above" in page
    assert '<th scope="row">optimizer</th><td>sgd</td>' in page
    assert checkpoint.candidates(tmp_path / "run/checkpoints")


def test_the_report_of_signals_counts_and_shows_no_pictures(tmp_path: Path) -> None:
    signals = IMAGES.reshape(21, 8, 2)
    network = Conv(3, 3), Tanh(), Flatten(), Dense(4)
    quick(train=(signals, LABELS), test=(signals[:5], LABELS[:5]), network=network, out=tmp_path, report=True)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "a network on arrays" in page
    assert "Confusion matrix" in page
    assert "through the network" not in page


def test_the_last_evaluation_is_the_result_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    counted = fitting.evaluator

    def counting(*arguments: Any, **options: Any) -> Any:
        evaluate = counted(*arguments, **options)
        return lambda *asked: made.append(evaluate(*asked)) or made[-1]

    monkeypatch.setattr(fitting, "evaluator", counting)
    result = quick(test=TEST)
    assert len(made) == RECIPE.epochs
    assert result.evaluation is made[-1]
    assert result.records[-1]["loss"] == made[-1].loss


def test_callbacks_are_called_in_their_order_after_every_record(tmp_path: Path) -> None:
    told: list[tuple[str, int, Mapping[str, Any]]] = []
    states: list[State] = []
    on_the_disk = []

    def first(step: int, metrics: dict[str, Any], _: State) -> None:
        told.append(("first", step, dict(metrics)))
        metrics["loss"] = "spoiled"

    def second(step: int, metrics: Mapping[str, Any], state: State) -> None:
        told.append(("second", step, metrics))
        states.append(jax.tree.map(np.array, state))
        on_the_disk.append(checkpoint.load(checkpoint.candidates(tmp_path / "checkpoints")[0]).step)

    result = quick(test=TEST, callbacks=(first, second), out=tmp_path)
    splits = ((4, "train"), (4, "test"), (8, "train"), (8, "test"), (12, "train"), (12, "unaugmented"), (12, "test"))
    assert [(name, step, metrics["split"]) for name, step, metrics in told] == [
        (name, step, split) for step, split in splits for name in ("first", "second")
    ]
    assert [metrics for _, _, metrics in told[::2]] == [metrics for _, _, metrics in told[1::2]] == result.records
    assert on_the_disk == [4, 4, 8, 8, 12, 12, 12]
    assert_same_bits(states[-1].params, result.params)


class Enough(Exception):  # noqa: N818 (no error: a callback of somebody's own)
    """What a callback may raise."""


def stop_at(step: int) -> Callable[..., None]:
    def callback(now: int, *_: object) -> None:
        if now == step:
            raise Enough

    return callback


@pytest.mark.parametrize("name", ["adam", "of its own"])
def test_a_run_that_a_callback_ends_keeps_its_checkpoint_and_resumes_to_the_same_bits(name: Any, tmp_path: Path) -> None:
    recipe = replace(RECIPE, dtype="float32", optimizer=OWN["clipped, with a schedule"]() if name == "of its own" else name)
    whole = quick(recipe, test=TEST)
    with pytest.raises(Enough):
        quick(recipe, test=TEST, out=tmp_path, callbacks=[stop_at(8)])
    assert checkpoint.load(checkpoint.candidates(tmp_path / "checkpoints")[0]).step == 8
    again: list[int] = []
    resumed = quick(recipe, test=TEST, out=str(tmp_path), resume=True, callbacks=[lambda step, *_: again.append(step)])
    assert again == [12, 12, 12]
    assert_same_bits(resumed.params, whole.params)
    assert [record["loss"] for record in resumed.records] == [record["loss"] for record in whole.records]
    assert resumed.tested[1].loss == whole.tested[1].loss
    stored = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert {name: value for name, value in stored.items() if name != "digest"} == resumed.config == whole.config


def test_a_layer_that_cannot_be_stored_is_trained_where_nothing_is(tmp_path: Path) -> None:
    class Local(jcnn.Layer):
        def forward(self, params: Any, x: jax.Array, context: Any = None) -> tuple[jax.Array, None]:
            return x, None

    network = (Local(), *NETWORK)
    assert "Local" in quick(network=network).config["network"]
    with pytest.raises(ValueError, match="Local"):
        quick(network=network, out=tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_finished_run_is_evaluated_once_more_and_changes_nothing(tmp_path: Path) -> None:
    finished = quick(test=TEST, out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    resumed = quick(test=TEST, out=tmp_path, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert resumed.tested[1].loss == finished.tested[1].loss


OTHERS: dict[str, tuple[Any, str]] = {
    "another named optimizer": ({"optimizer": "adam"}, r"optimizer='adam' \(stored: 'sgd'\)"),
    "an optimizer of its own": ({"optimizer": optax.sgd(0.1)}, r"optimizer=\{'optax': .* \(stored: 'sgd'\)"),
    "another seed": ({"seed": 1}, r"seed=1 \(stored: 0\); use the stored values, or another out$"),
}


@pytest.mark.parametrize(("change", "message"), OTHERS.values(), ids=OTHERS)
def test_another_recipe_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(Enough):
        quick(out=tmp_path, callbacks=[stop_at(4)])
    with pytest.raises(TrainingError, match=message):
        quick(replace(RECIPE, **change), out=tmp_path, resume=True)
    with pytest.raises(TrainingError, match="add resume=True to go on with it, or give another out"):
        quick(out=tmp_path)
    with pytest.raises(TrainingError, match=r"config: network/layers/0=\{'Flatten': \{\}\} \(stored: \{'Conv': .*\); use"):
        quick(network=(Flatten(), Dense(4)), out=tmp_path, resume=True)
    with pytest.raises(TrainingError, match=r"config: network/layers/3/Dense/units=5 \(stored: 4\); use"):
        quick(network=(*NETWORK[:3], Dense(5)), out=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="the images of arrays are not those"):
        quick(train=(IMAGES[::-1], LABELS), out=tmp_path, resume=True)


def test_an_optimizer_of_another_structure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Enough):
        quick(replace(RECIPE, optimizer=optax.sgd(0.1)), out=tmp_path, callbacks=[stop_at(4)])
    with pytest.raises(TrainingError, match=r"config: optimizer/optax/0/trace/0/b='float64\[3\]' \(stored: nothing\); use"):
        quick(replace(RECIPE, optimizer=optax.sgd(0.1, momentum=0.9)), out=tmp_path, resume=True)
    with pytest.raises(
        TrainingError, match=r"config: optimizer/optax/tree='PyTreeDef.{,80}…? \(stored: 'PyTreeDef.{,80}…?\); use"
    ):
        quick(replace(RECIPE, optimizer=optax.chain(optax.sgd(0.1))), out=tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"is of a run of jcnn\.fit, whose network has no name: go on with it by jcnn\.fit"):
        stored_config(tmp_path)


def test_a_loss_that_is_not_finite_is_told_in_arguments() -> None:
    with pytest.raises(TrainingError, match=r"try a smaller learning_rate \(now 1e\+30\) or a longer warmup \(now 0\)"):
        quick(replace(CONSTANT, learning_rate=1e30, dtype="float32"))
    with pytest.raises(TrainingError, match=r"try smaller steps of the optimizer or dtype float32 \(now float16\); the "):
        quick(replace(RECIPE, optimizer=optax.sgd(6e4), dtype="float16"))


def changed(part: np.ndarray, at: Any, to: Any) -> np.ndarray:
    part = part.copy()
    part[at] = to
    return part


def dataset(images: np.ndarray, labels: np.ndarray, classes: int) -> Dataset:
    return Dataset("mine", "train", images, labels, tuple("abcdefgh"[:classes]), "")


def transformation(state: Any, after: Callable[[Any], Any]) -> optax.GradientTransformation:
    """Plain gradient descent, with a state of somebody's own."""

    def init(params: Any) -> Any:
        del params
        return state()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        return updates, after(state)

    return optax.GradientTransformation(init, update)


GROWING = transformation(lambda: (jnp.zeros(2),), lambda state: (*state, jnp.zeros(2)))
HALVES, NONE = IMAGES / 255, slice(0, 0)
REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a recipe that is a dict": ({"recipe": {}}, TypeError, r"^recipe=\{\}: expected a jcnn\.Recipe"),
    "no epochs": ({"recipe": replace(RECIPE, epochs=0)}, ValueError, "^epochs=0: expected at least 1"),
    "an unknown optimizer": ({"recipe": replace(RECIPE, optimizer="adan")}, ValueError, "^optimizer='adan': .* muon, or"),
    "an optimizer's class": ({"recipe": replace(RECIPE, optimizer=optax.adam)}, ValueError, r"^optimizer=<function adam"),
    "a rate beside an own optimizer": (
        {"recipe": replace(RECIPE, optimizer=optax.sgd(1.0), learning_rate=0.1)},
        ValueError,
        r"^learning_rate=0\.1: expected 0\.05, the default, since it has no effect",
    ),
    "an optimizer that needs the loss": (
        {"recipe": replace(RECIPE, optimizer=optax.contrib.reduce_on_plateau())}, ValueError, "^optimizer: it cannot be used",
    ),
    "an optimizer that grows": (
        {"recipe": replace(RECIPE, optimizer=GROWING)},
        ValueError,
        r"^optimizer: its update makes 'float64\[2\]' of state/1, which is nothing; expected the same kind$",
    ),
    "a line search": (
        {"recipe": replace(RECIPE, optimizer=optax.lbfgs())},
        ValueError,
        r"^optimizer: it cannot .* 'value_fn'; a step has .* as a line search needs it: give an .* loop of your own around ",
    ),
    "steps of many batches": (
        {"recipe": replace(RECIPE, optimizer=optax.MultiSteps(optax.adam(1e-3), 3))},
        ValueError,
        r"^optimizer: an optax\.MultiSteps is no transformation itself: give what its gradient_transformation\(\) returns$",
    ),
    "smoothing of everything": ({"recipe": replace(RECIPE, label_smoothing=1.0)}, ValueError, "^label_smoothing=1.0: expected"),
    "an average that is none": ({"recipe": replace(RECIPE, average="ema")}, ValueError, "^average='ema': expected EMA"),
    "augmentation by a word": ({"recipe": replace(RECIPE, augment="flip")}, ValueError, "^augment='flip': expected True"),
    "weights of fewer digits": (
        {"recipe": replace(RECIPE, master_dtype="float32")}, ValueError, "^master_dtype='float32': expected None beside dtype",
    ),
    "a schedule of another name": ({"recipe": replace(RECIPE, schedule="step")}, ValueError, "^schedule='step': expected one"),
    "vectors that are mirrored": (
        {"recipe": replace(RECIPE, test_time_flip=True), "train": (HALVES[:, 0, 0], LABELS), "network": (Dense(4),)},
        ValueError,
        "^test_time_flip=True: expected images",
    ),
    "batches that are too large": ({"recipe": replace(RECIPE, batch_size=22)}, ValueError, "^batch_size=22: .* the 21 "),
    "augmented vectors": (
        {"recipe": replace(RECIPE, augment=True), "train": (HALVES[:, 0], LABELS), "network": (Flatten(), Dense(4))},
        ValueError,
        r"^augment=True: .*give Recipe\(augment=False\)",
    ),
    "a callback that is none": ({"callbacks": [3]}, TypeError, r"^callbacks=\[3\]: expected"),
    "one callback alone": ({"callbacks": print}, TypeError, r"^callbacks=.*: expected a tuple of functions"),
    "nothing to resume": ({"resume": True}, ValueError, "^resume=True: expected out"),
    "images alone": ({"train": IMAGES}, TypeError, "^train=.*expected a jcnn.data.Dataset, or a pair of arrays"),
    "three arrays": ({"train": (IMAGES, LABELS, LABELS)}, TypeError, "^train="),
    "ragged images": ({"train": ([[1], [1, 2]], LABELS)}, TypeError, r"^train\[0\]=\[\[1\], \[1, 2\]\]: expected an array"),
    "images of integers": ({"train": (IMAGES.astype(int), LABELS)}, TypeError, r"^train\[0\] has images of int64"),
    "images of another precision": (
        {"train": (HALVES.astype("float32"), LABELS)}, TypeError, r"^train\[0\] has images of float32: .* or float64",
    ),
    "a number an image": ({"train": (IMAGES[:, 0, 0, 0], LABELS)}, ValueError, r"^train\[0\] has shape \(21,\): "),
    "images with a hole": ({"train": (changed(HALVES, 3, np.nan), LABELS)}, ValueError, r"^train\[0\] has 16 values"),
    "labels of floats": ({"train": (IMAGES, LABELS / 1)}, TypeError, r"^train\[1\] has dtype float64: expected integers"),
    "labels that are truths": ({"train": (IMAGES, LABELS > 1)}, TypeError, r"^train\[1\] has dtype bool: expected integers"),
    "a label too few": ({"train": (IMAGES, LABELS[1:])}, ValueError, r"^train\[1\] has shape \(20,\): expected \(21,\)"),
    "labels one-hot": ({"train": (IMAGES, np.eye(4, dtype=int)[LABELS])}, ValueError, r"^train\[1\] has shape \(21, 4\)"),
    "no images": ({"train": (IMAGES[NONE], LABELS[NONE])}, DataError, "the train images of arrays: there are none"),
    "a label beyond the scores": (
        {"train": (IMAGES, changed(LABELS, 2, 4))}, DataError, "label 4 of image 2 is out of range .* from 0 to 3",
    ),
    "a negative label": ({"train": (IMAGES, changed(LABELS, 2, -1))}, DataError, "label -1 of image 2 is out of range"),
    "a label that int32 wraps": ({"train": (IMAGES, changed(LABELS, 2, 2**32))}, DataError, "label 4294967296 of image 2"),
    "scores for other classes": ({"train": dataset(IMAGES, LABELS, 6)}, ValueError, "^network ends in 4 scores: expected 6"),
    "a network that ends in maps": ({"network": NETWORK[:2]}, ValueError, r"^network ends in \(3, 3, 3\) for one image"),
    "a network that does not fit": ({"network": (Conv(3, 5), *NETWORK[1:])}, ValueError, "layer 1"),
    "a network that is a layer": ({"network": Dense(4)}, ValueError, "^network="),
    "test images of another shape": ({"test": (IMAGES[:, 1:], LABELS)}, ValueError, r"^test has images of shape \(3, 4, 1\)"),
    "test images of another dtype": ({"test": (HALVES, LABELS)}, TypeError, "^test has images of float64: expected uint8"),
    "test labels beyond the scores": ({"test": (IMAGES, LABELS + 4)}, DataError, "the test images of arrays: label"),
    "test images that are none": ({"test": (IMAGES[NONE], LABELS[NONE])}, DataError, "test images of arrays: there are none"),
    "test classes by other names": ({"test": dataset(IMAGES, LABELS, 4)}, ValueError, r"^test has the classes \('a', "),
}  # fmt: skip


@pytest.mark.parametrize(("how", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_by_name_before_anything_is_compiled_or_written(
    how: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for compiling in ("resident_steps", "initial_state", "evaluator"):
        monkeypatch.setattr(fitting, compiling, lambda *_: pytest.fail("something is compiled"))
    out = {} if "resume" in how else {"out": tmp_path / "run"}
    with pytest.raises(error, match=message):
        quick(**{**how, **out})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        pytest.param(lambda: {"noise": jax.random.key(0)}, "the state's optimizer/noise is key<fry>, which no", id="keys"),
        pytest.param(
            lambda: [jnp.zeros(2), jnp.zeros(3, jnp.float8_e4m3fn)],
            r"the state's optimizer/1 is float8_e4m3fn, which no checkpoint can hold: expected one of bool, .*, float64; only ",
            id="float8",
        ),
        pytest.param(
            lambda: {"a": {"b": jnp.zeros(2)}, "a/b": jnp.zeros(3)},
            "two arrays of the state are both called optimizer/a/b in a checkpoint: expected names that differ; only without",
            id="names with slashes",
        ),
    ],
)
def test_an_optimizer_that_no_file_can_hold_is_trained_where_there_is_none(
    state: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=1, optimizer=transformation(state, lambda state: state))
    quick(recipe)
    monkeypatch.setattr(fitting, "resident_steps", lambda *_: pytest.fail("something is compiled"))
    with pytest.raises(ValueError, match=f"^{message}"):
        quick(recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "spoil"), [("checkpoints", Path.touch), ("report.html", Path.mkdir)], ids=["checkpoints", "report"]
)
def test_what_is_in_the_way_is_found_before_anything_is_compiled(
    name: str, spoil: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(tmp_path / name)
    monkeypatch.setattr(fitting, "resident_steps", lambda *_: pytest.fail("something is compiled"))
    for resume in (False, True):
        with pytest.raises(CheckpointError, match=rf"^{tmp_path / name} is in the way: .* or give another out$"):
            quick(out=tmp_path, resume=resume)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == [name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param(8, "^stopped at step 8 of 12, state saved; resume=True goes on from there$", id="on the way"),
        pytest.param(12, "^stopped after the last of 12 steps, all saved; resume=True gives the result$", id="at the end"),
    ],
)
def test_a_signal_ends_the_run_whenever_it_comes(number: signal.Signals, step: int, message: str, tmp_path: Path) -> None:
    handler = signal.getsignal(number)

    def ask(now: int, *_: object) -> None:
        if now == step:
            signal.raise_signal(number)

    with pytest.raises(Interrupted, match=message) as stopped:
        quick(out=tmp_path, callbacks=[ask])
    assert stopped.value.number == number
    assert signal.getsignal(number) == handler
    assert checkpoint.load(checkpoint.candidates(tmp_path / "checkpoints")[0]).step == step
    assert_same_bits(quick(out=tmp_path, resume=True).params, quick().params)


def test_parameters_of_64_bits_say_where_they_can_be_used() -> None:
    with jax.enable_x64(False):
        params = quick().params
        x = IMAGES.astype(np.float32)
        said = r"x float32, params.* float64.* under `with jax\.enable_x64\(True\):`"
        with pytest.raises(TypeError, match=said):
            jcnn.apply(NETWORK, params, x)
        with pytest.raises(TypeError, match=said):
            value_and_grad(NETWORK, params, x, LABELS)
        with jax.enable_x64(True):
            assert jcnn.apply(NETWORK, params, IMAGES / 255).dtype == np.float64


ALL_AT_ONCE = Recipe(
    epochs=3,
    batch_size=5,
    augment=(AlternatingFlip(), Crop(1), Mixup()),
    dtype="bfloat16",
    master_dtype="float32",
    average=EMA(0.8),
    label_smoothing=0.1,
    schedule="one-cycle",
    test_time_flip=True,
)


def test_a_run_of_all_at_once_goes_on_to_the_same_bits_and_its_averages_are_what_is_tested_and_kept(tmp_path: Path) -> None:
    network = (Conv(3, 2), jcnn.BatchNorm(), *NETWORK[1:])
    whole = quick(ALL_AT_ONCE, network=network, test=TEST)

    def stop(step: int, *_: object) -> None:
        if step == 2 * PER_EPOCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(ALL_AT_ONCE, network=network, test=TEST, out=tmp_path, callbacks=[stop])
    states: list[State] = []
    keep = [lambda *told: states.append(jax.tree.map(np.asarray, told[-1]))]
    again = quick(ALL_AT_ONCE, network=network, test=TEST, out=tmp_path, resume=True, callbacks=keep, placement="streamed")
    assert_same_bits((again.params, again.state), (whole.params, whole.state))
    assert_same_bits((again.params, again.state), tuple(states[-1].average))
    assert not np.array_equal(again.params[0]["w"], states[-1].params[0]["w"])

    restored = restore_run(tmp_path, pytest.fail)
    assert_same_bits((restored.params, restored.state), (whole.params, whole.state))
    assert restored.test_time_flip
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        logits = [
            np.asarray(jcnn.apply(network, restored.params, (x / 255).astype(np.float32), state=restored.state), np.float64)
            for x in (TEST[0], TEST[0][:, :, ::-1])
        ]
    assert again.evaluation is not None
    np.testing.assert_allclose(again.evaluation.probabilities, jax.nn.softmax((logits[0] + logits[1]) / 2), rtol=1e-5)


def test_images_of_a_run_with_master_weights_are_of_their_dtype() -> None:
    recipe = replace(ALL_AT_ONCE, epochs=1)
    with pytest.raises(TypeError, match=r"^train\[0\] has images of float64: .* or float32"):
        quick(recipe, train=(HALVES, LABELS))
    assert quick(recipe, train=(HALVES.astype("float32"), LABELS)).params[0]["w"].dtype == "float32"


@pytest.mark.parametrize(
    "changed", [{"augment": (Crop(2),)}, {"average": EMA(0.9)}, {"label_smoothing": 0.2}, {"test_time_flip": False}], ids=str
)
def test_a_run_by_another_recipe_is_not_gone_on_with(changed: dict[str, Any], tmp_path: Path) -> None:
    recipe = replace(ALL_AT_ONCE, epochs=1, dtype="float32", master_dtype=None, augment=(Crop(1),), average=EMA(0.8))
    with pytest.raises(KeyboardInterrupt):
        quick(recipe, out=tmp_path, callbacks=[interrupt])
    (name,) = changed
    with pytest.raises(TrainingError, match=rf"was started with another config: {name}"):
        quick(replace(recipe, **changed), out=tmp_path, resume=True)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_every_choice_of_a_recipe_is_said_in_its_help() -> None:
    said = inspect.getdoc(Recipe) or ""
    for field in fields(Recipe):
        assert f"    {field.name}: " in said
