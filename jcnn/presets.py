"""Networks by name, as functions of the input's shape and the number of classes."""

from collections.abc import Callable

from jcnn import geometry
from jcnn.layers import AvgPool, Conv, Dense, Flatten, Layer, MaxPool, Relu, Shape, Tanh
from jcnn.names import check_name


def _scores(classes: int) -> Dense:
    """The last layer: one score per class."""
    return Dense(geometry.integer("classes", classes, 1))


def small(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """The default: two conv–relu–pool stages and one hidden layer.

    Inputs below 16 pixels are pooled once less early, so that the second stage still has a map to look at.
    """
    *sizes, _ = geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    early = (MaxPool(2),) if min(sizes) >= 16 else ()
    return (
        Conv(32, 3, padding="same"),
        Relu(),
        *early,
        Conv(64, 3, padding="same"),
        Relu(),
        MaxPool(2),
        Flatten(),
        Dense(128),
        Relu(),
        _scores(classes),
    )


def lecture(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """The network of the course: [conv–relu–conv–relu–pool] × 2, then one fully connected layer of class scores.

    The same for every input shape.
    """
    geometry.example_shape("input_shape", input_shape, (1, 2, 3))
    stage = (Conv(16, 3, padding=1), Relu(), Conv(16, 3, padding=1), Relu(), MaxPool(2))
    return (*stage, *stage, Flatten(), _scores(classes))


def lenet5(input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """LeNet-5 (LeCun et al. 1998), with average pooling and tanh; all maps connected, a plain softmax at the end.

    Published for 32×32. Smaller images are padded by 2 in the first convolution (28×28 becomes what it was designed for), those
    below 28 in both.
    """
    size = min(geometry.example_shape("input_shape", input_shape, (1, 2, 3))[:-1])
    return (
        Conv(6, 5, padding=0 if size >= 32 else 2),
        Tanh(),
        AvgPool(2),
        Conv(16, 5, padding=0 if size >= 28 else 2),
        Tanh(),
        AvgPool(2),
        Flatten(),
        Dense(120),
        Tanh(),
        Dense(84),
        Tanh(),
        _scores(classes),
    )


PRESETS: dict[str, Callable[[Shape, int], tuple[Layer, ...]]] = {"small": small, "lecture": lecture, "lenet5": lenet5}


def help_text() -> str:
    """What the help of a command says of the choice."""
    *names, last = PRESETS
    return f"The network: {', '.join(names)} or {last}."


def check(name: str) -> None:
    """Refuses a name that is no preset's.

    Raises:
        ValueError: no such preset; the message lists them.
    """
    check_name("network", name, PRESETS)


def preset(name: str, input_shape: Shape, classes: int) -> tuple[Layer, ...]:
    """The network of this name.

    Raises:
        ValueError: no such preset; the message lists them.
    """
    check(name)
    return PRESETS[name](input_shape, classes)
