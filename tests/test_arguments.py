"""Kinds of numbers: what is taken as it is, what is taken in fewer bits and said to be, what is refused."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jcnn
from jcnn import PrecisionWarning, arguments

X = np.full((2, 3, 4), 0.5)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JAX as it is by default, with 32 bits; nothing warned of yet."""
    monkeypatch.setattr(arguments, "_WARNED", set())
    with jax.enable_x64(False):
        yield


@pytest.mark.usefixtures("narrow")
def test_float64_becomes_float32_and_is_said_to_once_by_name_at_the_caller() -> None:
    with pytest.warns(PrecisionWarning, match="x is float64 and taken as float32: set jax_enable_x64") as caught:
        assert jcnn.relu(X).dtype == "float32"
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jcnn.tanh(X)
    with pytest.warns(PrecisionWarning, match="w is float64"):
        jcnn.conv(X, np.ones((1, 4, 2)))


@pytest.mark.usefixtures("narrow")
def test_a_warning_from_within_a_network_is_at_the_caller() -> None:
    network = (jcnn.Flatten(), jcnn.Dense(2))
    params = jcnn.init(jax.random.key(0), network, (3, 4))
    with pytest.warns(PrecisionWarning, match="x is float64") as caught:
        jcnn.value_and_grad(network, params, X, np.array([0, 1]))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("dtype", ["float64", np.float64, float, jnp.float64], ids=str)
def test_parameters_of_float64_are_float32_and_said_to_be(dtype: Any) -> None:
    with pytest.warns(PrecisionWarning, match="dtype is float64 and taken as float32"):
        (layer,) = jcnn.init(jax.random.key(0), (jcnn.Dense(2),), (3,), dtype)
    assert layer["w"].dtype == "float32"


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("large", [2**32 + 7, 2**31, -(2**31) - 1, -(2**63)])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("x", lambda x: jcnn.conv(x, np.ones((1, 4, 2), np.int32))),
        ("x", lambda x: jcnn.max_pool(x, 2)),
        ("x", jcnn.flatten),
        ("labels", lambda x: jcnn.softmax_cross_entropy(np.zeros((2, 3, 4, 5), np.float32), x)),
    ],
    ids=["conv", "max_pool", "flatten", "labels"],
)
def test_an_integer_beyond_32_bits_is_an_error(large: int, name: str, call: Callable[[Any], Any]) -> None:
    x = np.zeros((2, 3, 4), np.int64)
    x[1, 2, 3] = large
    with pytest.raises(ValueError, match=rf"{name}\[1, 2, 3\] = {large} does not fit into int32.*set jax_enable_x64, or"):
        call(x)


@pytest.mark.usefixtures("narrow")
def test_integers_that_fit_are_taken_and_said_to_be_except_for_labels() -> None:
    logits, labels = np.zeros((2, 3), np.float32), np.array([0, 2])
    assert jcnn.softmax_cross_entropy(logits, labels).shape == (2,)
    with pytest.warns(PrecisionWarning, match="x is int64 and taken as int32"):
        y = jcnn.max_pool(np.array([2**31 - 1, -(2**31)]).reshape(1, 2, 1), 1)
    assert y.ravel().tolist() == [2**31 - 1, -(2**31)]
    with pytest.raises(ValueError, match=r"x\[0, 0, 0\] = 4294967296 does not fit into uint32"):
        jcnn.max_pool(np.full((1, 1, 1), 2**32, np.uint64), 1)


@pytest.mark.usefixtures("narrow")
def test_a_float_beyond_32_bits_is_an_error_where_infinity_is_none() -> None:
    with pytest.raises(ValueError, match=r"x\[1\] = 1e\+300 does not fit into float32"):
        jcnn.relu(np.array([1.0, 1e300]))
    with pytest.warns(PrecisionWarning):
        assert jcnn.relu(np.array([np.inf, np.nan])).tolist()[0] == np.inf


def test_with_64_bits_nothing_is_said_or_lost() -> None:
    assert jcnn.relu(np.array([1e300])).tolist() == [1e300]
    assert jcnn.max_pool(np.full((1, 1, 1), 2**32 + 7), 1).item() == 2**32 + 7
    assert jcnn.init(jax.random.key(0), (jcnn.Dense(2),), (3,), "float64")[0]["w"].dtype == "float64"


@given(hnp.arrays(np.int64, st.integers(1, 5), elements=st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)))
def test_integers_keep_their_values_or_are_refused(x: np.ndarray) -> None:
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        if (np.abs(x.astype(float)) < 2**31).all():
            assert arguments.ordered("x", x).tolist() == x.tolist()
        elif (x < -(2**31)).any() or (x >= 2**31).any():
            with pytest.raises(ValueError, match=r"x\[\d\] = -?\d+ does not fit"):
                arguments.ordered("x", x)


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(X.astype(">f8"), id="big-endian"),
        pytest.param(np.broadcast_to(np.float64(0.5), X.shape), id="read-only"),
        pytest.param(X[:, ::-1], id="reversed"),
        pytest.param(X.view(np.recarray), id="record-array-of-floats"),
    ],
)
def test_arrays_in_other_layouts_are_what_they_hold(x: np.ndarray) -> None:
    np.testing.assert_array_equal(jcnn.relu(x), X)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_its_numbers() -> None:
    np.testing.assert_array_equal(jcnn.dense(np.asmatrix(X[0]), np.ones((4, 2))), np.full((3, 2), 2.0))


OTHERS: dict[str, tuple[Any, str]] = {
    "masked": (np.ma.masked_less(X, 0.7), r"x is a masked array, whose mask would be lost.*x\.filled\(0\)"),
    "complex": (X + 0j, "x has dtype complex128"),
    "longdouble": (X.astype(np.longdouble), f"x has dtype {np.dtype(np.longdouble).name}"),
    "object": (X.astype(object), "x has dtype object"),
    "text": (X.astype(str), "x has dtype str"),
    "dates": (X.astype("datetime64[s]"), "x has dtype datetime64"),
    "records": (np.zeros(3, [("a", float)]), "x has dtype void"),
    "float8": (X.astype(ml_dtypes.float8_e4m3fn), "x has dtype float8_e4m3fn"),
    "int4": (X.astype(ml_dtypes.int4), "x has dtype int4"),
    "key": (jax.random.key(0), "x has dtype key"),
    "python-list": (X.tolist(), "x is a list"),
    "python-float": (0.5, "x is a float"),
    "shape-only": (jax.ShapeDtypeStruct((2,), np.float32), "x is a ShapeDtypeStruct"),
}


@pytest.mark.parametrize("operation", [jcnn.relu, jcnn.global_max_pool, jcnn.flatten], ids=lambda function: function.__name__)
@pytest.mark.parametrize(("x", "message"), OTHERS.values(), ids=OTHERS)
def test_other_kinds_are_refused(operation: Callable[[Any], Any], x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        operation(x)


def test_an_array_that_was_given_away_is_refused() -> None:
    x = jnp.ones(3)
    x.delete()
    with pytest.raises(ValueError, match="x was deleted or donated"):
        jcnn.relu(x)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("stride", lambda n: jcnn.conv(X, np.ones((1, 4, 2)), stride=n)),
        ("padding", lambda n: jcnn.conv(X, np.ones((1, 4, 2)), padding=n)),
        ("window", lambda n: jcnn.max_pool(X, n)),
        ("slope", lambda n: jcnn.leaky_relu(X, n)),
        ("filters", lambda n: jcnn.Conv(n, 3)),
    ],
    ids=["stride", "padding", "window", "slope", "layer"],
)
def test_what_must_be_known_while_tracing_is_said_to(argument: str, call: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{argument}=a traced .*: expected .*make it static"):
        jax.jit(call)(2)


def test_raw_and_typed_keys_are_the_same_key() -> None:
    network = (jcnn.Dense(2),)
    drawn = [jcnn.init(key, network, (3,))[0]["w"] for key in (jax.random.key(7), jax.random.PRNGKey(7))]
    np.testing.assert_array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize(
    "key",
    [0, None, jnp.ones(2), jax.random.split(jax.random.key(0), 2), np.zeros(3, np.uint32)],
    ids=["int", "none", "floats", "two-keys", "three-words"],
)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(TypeError, match=r"key=.*: expected one JAX random key"):
        jcnn.init(key, (jcnn.Dense(2),), (3,))
