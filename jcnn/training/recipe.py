"""How a network is trained: every choice in one frozen value, checked before anything starts, and the optimiser they make."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jcnn import geometry
from jcnn.data import augmentations
from jcnn.data.augmentations import Augment
from jcnn.network import Params
from jcnn.training import averaging
from jcnn.training.averaging import Averaging
from jcnn.training.errors import first_difference
from jcnn.training.schedules import SCHEDULES, Schedule

Dtype = Literal["float32", "bfloat16", "float16", "float64"]
MasterDtype = Literal["float32"]
Optimizer = Literal["sgd", "adam", "adamw", "muon"]


@dataclass(frozen=True)
class Recipe:
    """How to train; with the network, the images and the code's version it decides the result.

    `fit` checks it; `check` does so before.

    Attributes:
        epochs: How often every training image is seen.
        batch_size: Images per step.
        learning_rate: The largest step size, reached after the warm-up.
        momentum: How much of the last direction is kept, Nesterov's way; 0 is plain SGD.
        schedule: How the learning rate goes on after the warm-up: cosine or linear (to zero at the end), or constant; one-cycle
            also rises by a cosine, from a 25th of the largest.
        warmup: The part of all steps over which the learning rate first rises, 0 to 1.
        weight_decay: Pull of the weights towards zero, added to their gradients; biases are left alone.
        augment: What is done to the images, differently each time: a tuple of `jcnn.data.augmentations`, such as
            `(Flip(), Crop(4))`; True: `(Warp(),)`, a little shifted, turned and resized; False: nothing.
        seed: Decides the first weights, the order of the images and the augmentation.
        dtype: The numbers to compute in.
        optimizer: How gradients become updates: sgd; adam or adamw, whose β₁ is the momentum and whose β₂ is 0.999; muon, which
            takes the learning rates of adamw; or any Optax transformation, which then has a learning rate, momentum, schedule
            and weight decay of its own.
        label_smoothing: How much of every target is spread evenly over all classes, 0 to below 1.
        average: What is evaluated and saved in place of the last weights: an average of them over the steps,
            `jcnn.training.EMA(…)` or `Lookahead(…)`.
        master_dtype: Keep and update the weights in float32 while gradients are computed in dtype (mixed precision).
        test_time_flip: Ask the trained network about every image and its mirror image, and take the mean of both answers.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    weight_decay: float = 1e-3
    augment: Augment = True
    seed: int = 0
    dtype: Dtype = "float32"
    optimizer: Optimizer | optax.GradientTransformation = "sgd"
    label_smoothing: float = 0.0
    average: Averaging | None = None
    master_dtype: MasterDtype | None = None
    test_time_flip: bool = False

    @property
    def own_optimizer(self) -> bool:
        """Whether the optimiser is none that has a name here."""
        return isinstance(self.optimizer, optax.GradientTransformation)

    @property
    def weights_dtype(self) -> Dtype:
        """The numbers that weights are kept in, evaluated with and saved in."""
        return self.master_dtype or self.dtype

    def check(self) -> None:
        """Raises ValueError for a value of another type or out of range, by name."""
        check_kinds(self, KINDS)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected at least 1")
        ranges = {
            "momentum": (0 <= self.momentum < 1, "a number from 0 to below 1"),
            "warmup": (0 <= self.warmup <= 1, "a number from 0 to 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "a number from 0 on"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "a number from 0 to below 1"),
        }
        for name, (inside, expected) in ranges.items():
            if not inside:
                raise ValueError(f"{name}={getattr(self, name)}: expected {expected}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate={self.learning_rate}: expected a positive number")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed}: expected an integer from 0 to 2³² − 1")
        for name, allowed in (("schedule", get_args(Schedule)), ("dtype", get_args(Dtype))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        augmentations.check(self.augment)
        averaging.check(self.average)
        self._check_master_dtype()
        self._check_optimizer()

    def _check_master_dtype(self) -> None:
        if self.master_dtype not in (None, *get_args(MasterDtype)):
            raise ValueError(f"master_dtype={self.master_dtype!r}: expected float32, or None for that of dtype")
        if self.master_dtype and self.dtype == "float64":
            raise ValueError(
                f"master_dtype={self.master_dtype!r}: expected None beside dtype='float64', or weights would be kept in "
                "fewer digits than they are computed with"
            )

    def _check_optimizer(self) -> None:
        if self.own_optimizer:
            for name in OF_NAMED_OPTIMIZERS:
                if getattr(self, name) != (default := getattr(Recipe, name)):
                    raise ValueError(
                        f"{name}={getattr(self, name)!r}: expected {default!r}, the default, since it has no effect on an "
                        f"optimizer of your own; give it to that one"
                    )
        elif isinstance(self.optimizer, optax.MultiSteps):
            raise ValueError(
                "optimizer: an optax.MultiSteps is no transformation itself: give what its gradient_transformation() returns"
            )
        elif not isinstance(self.optimizer, str) or self.optimizer not in get_args(Optimizer):
            expected = f"one of {', '.join(get_args(Optimizer))}, or an optax.GradientTransformation, such as optax.lion(1e-4)"
            raise ValueError(geometry.wrong("optimizer", self.optimizer, expected))


KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("schedule", "dtype"), ((str,), "a word")),
    **dict.fromkeys(("epochs", "batch_size", "seed"), ((int,), "an integer")),
    **dict.fromkeys(("learning_rate", "momentum", "warmup", "weight_decay", "label_smoothing"), ((float, int), "a number")),
    "master_dtype": ((str, type(None)), "float32 or None"),
    "test_time_flip": ((bool,), "True or False"),
}
"""Python's types of the values, as JSON gives them back; True is no integer here."""

OF_NAMED_OPTIMIZERS = ("learning_rate", "momentum", "schedule", "warmup", "weight_decay")
"""What only the named optimisers take from the recipe."""


def check_kinds(values: Any, kinds: dict[str, tuple[tuple[type, ...], str]]) -> None:
    """Raises ValueError, by name, for an attribute of `values` that is of another type."""
    for name, (allowed, expected) in kinds.items():
        if type(getattr(values, name)) not in allowed:
            raise ValueError(f"{name}={getattr(values, name)!r}: expected {expected}")


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe's own choices by name, also of a value that holds more than a recipe."""
    return {field.name: getattr(recipe, field.name) for field in dataclasses.fields(Recipe)}


def schedule(recipe: Recipe, steps: int) -> optax.Schedule:
    """The learning rate of every step."""
    curve = SCHEDULES[recipe.schedule](recipe.learning_rate, round(recipe.warmup * steps), steps)
    return lambda step: curve(jnp.asarray(step, jnp.float32))


def optimizer(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """The recipe's optimiser, over so many steps."""
    if isinstance(recipe.optimizer, optax.GradientTransformation):
        return recipe.optimizer
    return with_rate(recipe, schedule(recipe, steps))


def with_rate(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """The recipe's optimiser, one of those that have a name, with learning rates of one's own."""
    return NAMED[cast(Optimizer, recipe.optimizer)](recipe, rate)


def _weights(params: Params) -> Any:
    """What weight decay pulls at: all but the biases."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _sgd(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """With momentum (Nesterov), and weight decay added to the gradients."""
    momentum = recipe.momentum or None
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay, mask=_weights),
        optax.sgd(rate, momentum=momentum, nesterov=momentum is not None),
    )


def _adam(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """Kingma & Ba 2015, weight decay added to the gradients."""
    return optax.chain(
        optax.add_decayed_weights(recipe.weight_decay, mask=_weights),
        optax.adam(rate, b1=recipe.momentum),
    )


def _adamw(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """Loshchilov & Hutter 2019, weight decay beside the gradients, at the learning rate."""
    return optax.adamw(rate, b1=recipe.momentum, weight_decay=recipe.weight_decay, mask=_weights)


def _muon(recipe: Recipe, rate: optax.Schedule) -> optax.GradientTransformation:
    """Jordan et al. 2024: momentum whose matrices are replaced by orthogonal ones, by five steps of a Newton–Schulz iteration.

    Filters count as the matrix of all that one output sums up by outputs. What is no matrix, biases and scales, goes by AdamW
    with Nesterov's momentum. Updates are scaled by 0.2 √(larger side), as Liu et al. 2025, "Muon is scalable for LLM training",
    have it: so they are as large as AdamW's, and one learning rate and weight decay do for both.
    """
    return optax.contrib.muon(
        rate,
        beta=recipe.momentum,
        adam_b1=recipe.momentum,
        weight_decay=recipe.weight_decay,
        weight_decay_mask=_weights,
        consistent_rms=0.2,
        muon_weight_dimension_numbers=_as_matrices,
    )


def _as_matrices(params: Any) -> Any:
    def of(leaf: Any) -> optax.contrib.MuonDimensionNumbers | None:
        last = leaf.ndim - 1
        return optax.contrib.MuonDimensionNumbers(tuple(range(last)), (last,)) if last > 0 else None

    return jax.tree.map(of, params)


NAMED: dict[Optimizer, Callable[[Recipe, optax.Schedule], optax.GradientTransformation]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "muon": _muon,
}


def check_optimizer(transformation: optax.GradientTransformation, params: Params) -> None:
    """Refuses an optimiser that cannot be stepped with, before anything is compiled.

    Args:
        transformation: the optimiser.
        params: the parameters, or their shapes and dtypes.

    Raises:
        ValueError: its `init` or `update` fails on such parameters, or an update changes the structure of its state.
    """
    try:
        before = jax.eval_shape(transformation.init, params)
        updates, after = jax.eval_shape(transformation.update, params, before, params)
    except Exception as error:  # whatever somebody else's code makes of it
        more = NEEDS_MORE if isinstance(error, TypeError) and "required keyword-only" in str(error) else ""
        raise ValueError(f"optimizer: it cannot be used with these parameters: {error}{more}") from error
    for what, found, expected in (("state", after, before), ("parameters", updates, params)):
        if different := first_difference(_structure(found), _structure(expected), what):
            place, here, there = different
            raise ValueError(f"optimizer: its update makes {here} of {place}, which is {there}; expected the same kind")


NEEDS_MORE = (
    "; a step has gradients, state and parameters alone, and neither the loss nor a way to compute it again, as a line search "
    "needs it: give an optimizer such as optax.adam(1e-3), or write a loop of your own around jcnn.value_and_grad"
)
"""Why `optax.lbfgs` and the like cannot be used, and what to do."""


def described(transformation: optax.GradientTransformation, params: Params) -> dict[str, Any]:
    """What can be stored of an optimiser that has no name: the structure of its state."""
    return {"optax": _structure(jax.eval_shape(transformation.init, params))}


def _structure(state: Any) -> dict[str, str]:
    """What every leaf is, by its path, such as `0/mu/1/w`; and for nodes without leaves the whole tree."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(state)
    kinds = {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype.name}{list(leaf.shape)}" for path, leaf in leaves
    }
    return {**kinds, "tree": str(tree)}
