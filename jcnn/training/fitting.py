"""`fit`: any network, any images, any optimiser, from the first weights to the result."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jcnn import geometry, printing
from jcnn.data.augmentations import check_rank
from jcnn.data.batches import to_input
from jcnn.data.dataset import Dataset, Examples, checked_examples, checked_test, with_classes
from jcnn.data.stream import Placement, free_memory
from jcnn.data.stream import placement as chosen_placement
from jcnn.layers import Network, Ops
from jcnn.layers.composite import adapts, as_layer
from jcnn.network import NetworkError, Params, adapt, trace
from jcnn.network_data import NetworkDataError, to_data
from jcnn.training import checkpoint, settings
from jcnn.training.config import as_stored
from jcnn.training.errors import Spelling, as_argument, as_command
from jcnn.training.evaluation import Evaluation, evaluator
from jcnn.training.loop import Callback, Loop, Outcome
from jcnn.training.metrics import Record, timing
from jcnn.training.recipe import Recipe, check_optimizer, described, optimizer, recipe_values
from jcnn.training.run_files import Keeper, Memory, RunFiles, write_report
from jcnn.training.run_folders import held
from jcnn.training.step import (
    State,
    Weights,
    averaged,
    fastest_ops,
    initial_params,
    initial_state,
    resident_steps,
    streamed_steps,
)

if TYPE_CHECKING:
    from rich.console import Console

DEFAULT_RECIPE = Recipe()

SEEN_FIRST = 5000
"""How many training images layers such as `Whiten` look at before the first step."""


class Result(NamedTuple):
    """A finished run.

    Attributes:
        out: its folder; None: nothing was written.
        config: all that decided it, by name, as plain values: data, network, and the recipe.
        network: its layers.
        params: the final parameters, averaged where the recipe asks for that, in the recipe's `weights_dtype`; use those in
            float64 under `with jax.enable_x64(True):`.
        state: what the layers keep beside them at the end, such as running statistics, for `apply(…, state=…)`.
        records: the metrics of the whole run, also of the parts before it was resumed.
        evaluation: of the final parameters, on the test images; None: there were none.
        test: the test images; None: there were none.
        train: the training images.
        placement: where the training images were: on the device as a whole, or streamed.
        ops: formulation and gradient it was trained with.
        seconds: time spent training, evaluations and checkpoints included, compilation not; of the whole run, also of the
            parts before it was resumed.
        compile_seconds: time spent compiling, of the whole run.
        images_per_second: training images over the time of the steps alone, of the whole run.
    """

    out: Path | None
    config: dict[str, Any]
    network: Network
    params: Params
    state: Any
    records: list[Record]
    evaluation: Evaluation | None
    test: Dataset | None
    train: Dataset
    placement: Placement
    ops: Ops
    seconds: float
    compile_seconds: float
    images_per_second: float

    @property
    def tested(self) -> tuple[Dataset, Evaluation]:
        """The test images, and what the network says of them.

        Raises:
            ValueError: there were none.
        """
        if self.test is None or self.evaluation is None:
            raise ValueError("the network was trained without test images: nothing was evaluated")
        return self.test, self.evaluation


def fit(
    network: Network,
    train: Examples,
    test: Examples | None = None,
    *,
    recipe: Recipe = DEFAULT_RECIPE,
    out: Path | str | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    placement: Literal["auto", "resident", "streamed"] = "auto",
    report: bool = True,
    console: "Console | None" = None,
    described_as: Mapping[str, Any] | None = None,
) -> Result:
    """Trains a network by mini-batch descent: sample, forward, backward, update.

    The parameters are a pure function of network, images, recipe and versions: bit for bit the same on the same machine with as
    many threads, also when the run was interrupted and resumed.

    Without `out` nothing touches the disk. With it the folder holds `config.json`, `metrics.jsonl`, `checkpoints/` (one at the
    end of every epoch, the newest three kept) and at the end `report.html`. SIGTERM and Ctrl-C then end the run after the call
    of at most 20 steps that is being done: its state is saved, and `Interrupted` is raised, also after the last step, whose
    result `resume=True` gives. A second one of the same kind acts at once; so does every one without `out`, where nothing is
    saved, and in a thread other than the main one, where Python allows no handlers.

    The parameters have the recipe's dtype, or its master dtype. Those in float64 can be used where JAX has 64 bits:
    `with jax.enable_x64(True):` around `apply` and the like, or `jax.config.update("jax_enable_x64", True)` at the start; `fit`
    itself needs neither.

    Gradients are those of the operations, by hand where that was measured to be faster, joined by JAX: a layer's own `backward`
    is what `backprop` calls.

    Layers with running statistics, such as `BatchNorm`, collect them on the way, and are evaluated with them; what `Dropout`
    and its like draw hangs on the seed, the step and the layer's place alone.

    Args:
        network: a tuple of layers, whose output is one score per class.
        train: the images and labels to learn from: a `jcnn.data.Dataset`, or a pair of arrays. Images (N, *S, C): uint8, taken
            as v/255, or floats in the dtype of the parameters, taken as they are. Labels (N,): integers from 0 to classes − 1.
        test: the same, to evaluate on after every epoch; None: no evaluation.
        recipe: epochs, batch size, optimiser, seed and so on. An optimiser that has no name cannot be stored as data: `out`
            keeps the structure of its state, and to resume the same one has to be given again. Another structure is refused;
            other numbers in it, such as another learning rate, cannot be noticed.
        out: the run's folder, made if missing; nobody else trains in it meanwhile.
        resume: go on from the newest good checkpoint in `out`, if there is one.
        callbacks: functions of (step, metrics, state), called in their order after every record: of at most 20 steps, and of
            every evaluation. Metrics is a dict of its own, as a line of `metrics.jsonl`; the state is the one after `step`, its
            `params`, `network_state` and `optimizer`, and its arrays are gone with the next steps: copy what is to be kept. At
            the end of an epoch evaluation and checkpoint come first, so an exception, which ends the run, leaves the last good
            checkpoint. Of steps done before a run was resumed, they are not told again.
        placement: where the training images are: `"resident"`, on the device as a whole; `"streamed"`, the host gathers the
            batches of the next steps while the device computes, so that images mapped from a file (`np.load(…, mmap_mode="r")`)
            may be larger than memory; `"auto"`, resident where they take at most half of what is free. The result is the same,
            bit for bit.
        report: whether to write `report.html` into `out`.
        console: where progress and warnings are shown; None: the standard error.
        described_as: for `jcnn train`: what `config.json` says of "data", "image_size" and "network" in place of the data's
            name and the layers; messages name options as the command spells them.

    Returns:
        A `Result`.

    Raises:
        ValueError: an argument that is out of range, or that does not fit another; by name.
        TypeError: an argument of another type or dtype; by name.
        DataError: no images at all, or labels that are none of the classes.
        TrainingError: a loss or parameters that are not finite; `out` holds another run, or one that is being trained; or its
            metrics are damaged.
        CheckpointError: a checkpoint that cannot be written, or none that can be trusted.
        Interrupted: after SIGTERM or Ctrl-C, the state saved; only with `out`.
    """
    _check_recipe(recipe)
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise TypeError(geometry.wrong("callbacks", callbacks, "a tuple of functions of (step, metrics, state)"))
    if resume and out is None:
        raise ValueError("resume=True: expected out, the folder of the run to go on with")
    folder = None if out is None else Path(out)
    geometry.choice("placement", placement, ("auto", *get_args(Placement)))
    images = checked_call(network, train, recipe, identified=folder is not None)
    seen = None if test is None else checked_test(test, images, recipe.weights_dtype)
    console = console or printing.console(stderr=True)
    chosen = chosen_placement(images.images.nbytes, free_memory()) if placement == "auto" else placement
    spelling = as_command if described_as else as_argument
    job = _Job(tuple(network), images, seen, recipe, tuple(callbacks), chosen, console, spelling)
    if chosen == "streamed":
        job.tell(f"the {images.images.nbytes / 1e6:,.1f} MB of training images are streamed")
    with settings.fixed(recipe.dtype):
        subject = described_as or {
            "data": images.name,
            "image_size": None,
            "network": _described_network(network, stored=folder is not None),
        }
        values = as_stored({**subject, **job.recipe_values()})
        if folder is None:
            return _finish(job, None, values, Memory(), job.first_state(), 0)
        like = jax.eval_shape(job.initial_state)
        if why := checkpoint.unstorable(like):
            raise ValueError(f"{why}; only without out can it be trained")
        with held(folder, job.tell, job.spelling):
            kept = RunFiles(folder, values, images, job.tell, job.spelling)
            found = kept.open(like, job.total, resume=resume)
            result = _finish(job, folder, values, kept, *(found or (job.first_state(), 0)))
            if report:
                write_report(result)
            return result


class _Job(NamedTuple):
    """What is to be trained, checked."""

    network: Network
    images: Dataset
    test: Dataset | None
    recipe: Recipe
    callbacks: tuple[Callback, ...]
    placement: Placement
    console: "Console"
    spelling: Spelling

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; images that fill no batch are left out."""
        return len(self.images.images) // self.recipe.batch_size

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.per_epoch * self.recipe.epochs

    def initial_state(self) -> State:
        """First weights, an optimiser without memory."""
        return initial_state(self.recipe, self.network, self.images.input_shape, self.total)

    def first_state(self) -> State:
        """`initial_state`, what layers take from images taken from the first ones."""
        return first_state(self.recipe, self.network, self.images, self.total)

    def recipe_values(self) -> dict[str, Any]:
        """The recipe as plain values; an optimiser that has no name by the structure of its state, which is checked."""
        values = recipe_values(self.recipe)
        if not self.recipe.own_optimizer:
            return values
        params = jax.eval_shape(lambda: initial_params(self.recipe, self.network, self.images.input_shape))
        transformation = optimizer(self.recipe, self.total)
        check_optimizer(transformation, params)
        return {**values, "optimizer": described(transformation, params)}

    def tell(self, text: str) -> None:
        """Shows a line."""
        self.console.print(printing.plain(text), soft_wrap=True)


def first_state(recipe: Recipe, network: Network, images: Dataset, steps: int) -> State:
    """`initial_state` for so many steps, what layers take from images taken from the first ones; averages begin with that."""
    state = initial_state(recipe, network, images.input_shape, steps)
    if not adapts(as_layer(network)):
        return state
    seen = to_input(images.images[:SEEN_FIRST], jnp.dtype(recipe.weights_dtype))
    weights = Weights(state.params, adapt(network, state.network_state, seen))
    average = recipe.average.begin(weights) if recipe.average else ()
    return state._replace(network_state=weights.network_state, average=average)


def _finish(job: _Job, out: Path | None, values: dict[str, Any], keeper: Keeper, state: State, first: int) -> Result:
    """Does the steps that are left, and evaluates."""
    ops = fastest_ops()
    evaluate = (
        None
        if job.test is None
        else evaluator(job.network, job.test, job.recipe.weights_dtype, ops, flip=job.recipe.test_time_flip)
    )
    outcome = Outcome(state, None)
    if first < job.total:
        outcome = _train(job, keeper, evaluate, ops, state, first, interruptible=out is not None)
    weights = averaged(job.recipe, outcome.state)
    evaluation = outcome.evaluation
    if evaluate is not None and evaluation is None:  # the run was finished before
        evaluation = evaluate(*weights)
    records = list(keeper.records)
    return Result(
        out,
        values,
        job.network,
        weights.params,
        weights.network_state,
        records,
        evaluation,
        job.test,
        job.images,
        job.placement,
        ops,
        *timing(records),
    )


def _train(
    job: _Job,
    keeper: Keeper,
    evaluate: Callable[[Params, Any], Evaluation] | None,
    ops: Ops,
    state: State,
    first: int,
    *,
    interruptible: bool,
) -> Outcome:
    """Compiles the steps and does those from `first` on."""
    spent = timing(keeper.records)
    began = time.perf_counter()
    prepare = resident_steps if job.placement == "resident" else streamed_steps
    with prepare(job.recipe, job.network, job.images, ops, state, first) as (steps, steps_per_call):
        spent = spent._replace(compile_seconds=spent.compile_seconds + time.perf_counter() - began)
        loop = Loop(
            job.recipe,
            job.per_epoch,
            steps=steps,
            steps_per_call=steps_per_call,
            evaluate=evaluate,
            keeper=keeper,
            callbacks=job.callbacks,
            interruptible=interruptible,
            spent=spent,
            spelling=job.spelling,
            console=job.console,
        )
        return loop.run(state, first)


def _described_network(network: Network, *, stored: bool) -> Any:
    """The layers as data; as text where nothing is stored and one of them could not be found again, as one of a notebook."""
    try:
        return to_data(network)
    except NetworkDataError:
        if stored:
            raise
        return str(tuple(network))


def _checked_network(network: Network, images: Dataset) -> Dataset:
    """The images, with as many classes as the network has outputs; refuses a network that does not fit them."""
    output = trace(network, images.input_shape)[-1].output_shape
    if len(output) != 1:
        raise NetworkError(f"network ends in {output} for one image: expected (classes,), one score per class")
    if images.class_names and output != (images.classes,):
        raise NetworkError(f"network ends in {output[0]} scores: expected {images.classes}, the classes of {images.name}")
    return with_classes(images, images.class_names or tuple(map(str, range(output[0]))))


def checked_call(network: Network, train: Examples, recipe: Recipe, *, identified: bool = False) -> Dataset:
    """The images to learn from, with as many classes as the network has outputs; all three fit each other.

    Args:
        network: a tuple of layers.
        train: as `fit` takes it.
        recipe: how to train.
        identified: whether the images' fingerprint is needed.

    Raises:
        ValueError: as `fit`.
        TypeError: as `fit`.
        DataError: as `fit`.
    """
    _check_recipe(recipe)
    images = checked_examples("train", train, recipe.weights_dtype, identified=identified)
    images = _checked_network(network, images)
    _check_fit(recipe, images)
    return images


def _check_recipe(recipe: Any) -> None:
    if not isinstance(recipe, Recipe):
        raise TypeError(geometry.wrong("recipe", recipe, "a jcnn.Recipe"))
    recipe.check()


def _check_fit(recipe: Recipe, images: Dataset) -> None:
    """Refuses a recipe that does not fit the images."""
    count = len(images.images)
    if recipe.batch_size > count:
        raise ValueError(f"batch_size={recipe.batch_size}: expected at most the {count} training images of {images.name}")
    rank = len(images.input_shape) - 1
    check_rank(recipe.augment, rank)
    if recipe.test_time_flip and rank < 1:
        raise ValueError(f"test_time_flip=True: expected images, and train has shape {images.images.shape}; give False")
