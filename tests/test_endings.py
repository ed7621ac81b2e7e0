"""What is ours to say and what nobody foresaw are told apart, by who raised it and not by its type."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

import jcnn
from jcnn import presets
from jcnn.endings import ERROR, INTERNAL, ending
from jcnn.training import Config
from jcnn.training.errors import Interrupted


def within_jcnn(line: str) -> Callable[[], object]:
    """The line, as it would run in a module of ours."""
    return lambda: exec(line, {"__name__": "jcnn.somewhere", "jax": jax, "jnp": jnp})  # noqa: S102


def ended(act: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        act()
    return ending(caught.value)


OURS = [
    pytest.param(lambda: jcnn.output_size(7, 3, stride=0), "stride", id="geometry"),
    pytest.param(lambda: presets.check("big"), "network 'big'", id="name"),
    pytest.param(lambda: Config(epochs=0).check(), "epochs=0", id="config"),
    pytest.param(lambda: jcnn.conv(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 4, 5))), "channels", id="operation"),
    pytest.param(
        lambda: jax.jit(jcnn.conv)(jnp.ones((1, 8, 8, 3)), jnp.ones((3, 3, 4, 5))), "channels", id="operation under jit"
    ),
    pytest.param(within_jcnn("raise TypeError('expected a number')"), "expected a number", id="type"),
    pytest.param(
        within_jcnn("try:\n int('x')\nexcept ValueError as error:\n raise ValueError('expected a number') from error"),
        "expected a number",
        id="another's said in our words",
    ),
]
NOT_OURS = [
    pytest.param(lambda: jnp.zeros(3).reshape(2, 2), id="jax"),
    pytest.param(within_jcnn("jnp.zeros(3).reshape(2, 2)"), id="jax, called by us"),
    pytest.param(within_jcnn("jax.jit(lambda x: jnp.dot(x, x))(jnp.ones((2, 3)))"), id="jax, traced for us"),
    pytest.param(within_jcnn("int('x')"), id="value"),
    pytest.param(within_jcnn("a, b = 1, 2, 3"), id="unpacking"),
    pytest.param(within_jcnn("{}['x']"), id="key"),
    pytest.param(within_jcnn("None.x"), id="attribute"),
    pytest.param(within_jcnn("raise ValueError(f'{None:.2f}')"), id="an error within the error"),
    pytest.param(within_jcnn("assert 1 == 2"), id="assertion"),
]


@pytest.mark.parametrize(("act", "words"), OURS)
def test_what_we_say_is_said_as_it_is(act: Callable[[], object], words: str) -> None:
    line, code = ended(act)
    assert words in line
    assert "internal" not in line
    assert code == ERROR


@pytest.mark.parametrize("act", NOT_OURS)
def test_what_nobody_foresaw_is_called_internal(act: Callable[[], object]) -> None:
    line, code = ended(act)
    assert line.startswith("internal error: ")
    assert "--debug" in line
    assert code == INTERNAL


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(KeyboardInterrupt(), ("stopped", 130), id="Ctrl-C"),
        pytest.param(Interrupted(15, "stopped at step 3"), ("stopped at step 3", 143), id="SIGTERM"),
        pytest.param(BrokenPipeError(32, "Broken pipe"), ("", 141), id="nobody reads"),
        pytest.param(MemoryError(), ("out of memory", ERROR), id="memory"),
        pytest.param(RuntimeError("RESOURCE_EXHAUSTED: 9 GB"), ("out of memory: RESOURCE_EXHAUSTED: 9 GB", ERROR), id="device"),
        pytest.param(PermissionError(13, "Permission denied", "a"), ("a: Permission denied", ERROR), id="file"),
        pytest.param(OSError(28, "No space left on device"), ("No space left on device", ERROR), id="disk"),
    ],
)
def test_what_the_machine_says(error: BaseException, expected: tuple[str, int]) -> None:
    assert ending(error) == expected
