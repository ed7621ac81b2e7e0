"""Networks as ONNX models: onnxruntime says of the test images what jcnn says."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import presets
from jcnn.exchange import ExchangeError, to_onnx
from jcnn.exchange.arrays import Trained, templates
from jcnn.exchange.formats import Options, export_to
from jcnn.layers import Network
from tests.exchange.networks import DIGIT, NETWORKS, digits, logits, trained

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed here; `make test-peers` installs it")
onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.filterwarnings("default")  # those of jax2onnx and its libraries

MODELS: dict[str, Network] = {
    **NETWORKS,
    "ResNet-8": presets.resnet(DIGIT, 10, depth=8),
    "every activation": (
        *(jcnn.Conv(8, 3), jcnn.LeakyRelu(0.2), jcnn.Elu(), jcnn.Selu(), jcnn.Maxout(2), jcnn.Softplus(), jcnn.Gelu()),
        *(jcnn.Sigmoid(), jcnn.Tanh(), jcnn.GlobalMaxPool(), jcnn.Dense(10)),
    ),
    "every normalisation": (
        *(jcnn.Conv(8, 3), jcnn.LayerNorm(), jcnn.GroupNorm(2), jcnn.LayerNorm("all"), jcnn.BatchNorm()),
        *(jcnn.squeeze_excitation(8, ratio=2), jcnn.Dropout(0.5), jcnn.UpSample(2), jcnn.UpSample(2, "linear")),
        *(jcnn.MaxPool(3, stride=2, padding=1), jcnn.GlobalAvgPool(), jcnn.Dense(10)),
    ),
}


@cache
def given(name: str) -> Trained:
    if name in NETWORKS:
        return trained(name)
    draws, (params, state) = np.random.default_rng(1), templates(MODELS[name], DIGIT)
    params = jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape) / 4, leaf.dtype), params)
    state = jax.tree.map(lambda leaf: jnp.asarray(0.5 + draws.random(leaf.shape), leaf.dtype), state)
    return Trained(MODELS[name], params, state, DIGIT)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_says_the_same_of_any_number_of_images(name: str, layout: Any) -> None:
    content = to_onnx(*given(name)[:3], input_shape=DIGIT, layout=layout)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content)
    x, expected = digits(), logits(given(name), digits())
    images = x if layout == "NHWC" else np.moveaxis(x, -1, 1)
    (taken,), (made,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape) == ("images", ["N", *images.shape[1:]])
    assert (made.name, made.shape) == ("logits", ["N", 10])
    found = np.concatenate([session.run(None, {"images": part})[0] for part in (images[:1], images[1:4], images[4:])])
    # The same sums in another order, in float32.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_float16() -> None:
    model = trained("LeNet-5", "float16")
    session = onnxruntime.InferenceSession(to_onnx(*model[:3], input_shape=DIGIT))
    x, expected = digits("float16"), logits(model, digits("float16")).astype(np.float64)
    assert session.get_inputs()[0].type == "tensor(float16)"
    np.testing.assert_allclose(session.run(None, {"images": x})[0], expected, rtol=0, atol=0.01 * np.abs(expected).max())


def test_signals_go_there_and_volumes_are_refused() -> None:
    network = (jcnn.Conv(4, 3, padding="same"), jcnn.Relu(), jcnn.MaxPool(2), jcnn.Flatten(), jcnn.Dense(3))
    signal, volume = (9, 2), (4, 5, 6, 2)
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), templates(network, signal)[0])
    session = onnxruntime.InferenceSession(to_onnx(network, params, input_shape=signal, layout="NCHW"))
    x = np.random.default_rng(0).random((3, *signal), np.float32)
    found = session.run(None, {"images": np.moveaxis(x, -1, 1)})[0]
    np.testing.assert_allclose(found, jcnn.apply(network, params, jnp.asarray(x)), rtol=1e-5)
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), templates(network, volume)[0])
    with pytest.raises(ExchangeError, match=r"jax2onnx cannot translate layer 1, Conv\(4, 3, padding='same'\): "):
        to_onnx(network, params, input_shape=volume)


def test_a_model_tells_its_classes() -> None:
    model = trained("averaged")
    read = onnx.load_from_string(to_onnx(*model[:3], input_shape=DIGIT, class_names=model.class_names))
    told = {entry.key: json.loads(entry.value) for entry in read.metadata_props}
    assert told == {"class_names": list("0123456789"), "input_shape": list(DIGIT), "layout": ["NHWC"]}


def test_what_cannot_be_translated_is_refused_by_layer() -> None:
    network = (jcnn.Relu(), jcnn.ConvTranspose(2, 3, stride=2))
    params = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), templates(network, DIGIT)[0])
    with pytest.raises(ExchangeError, match=r"jax2onnx cannot translate layer 2, ConvTranspose\(2, 3, stride=2\): Not"):
        to_onnx(network, params, input_shape=DIGIT)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_dtypes_that_onnxruntime_does_not_compute_in_are_refused(dtype: str) -> None:
    with pytest.raises(ExchangeError, match=f"the parameters are {dtype}, in which onnxruntime lacks operations"):
        to_onnx(*trained("averaged", dtype)[:3], input_shape=DIGIT)
    with pytest.raises(ValueError, match=r"layout='NWHC': expected 'NHWC' or 'NCHW'"):
        to_onnx(*trained("averaged")[:3], input_shape=DIGIT, layout="NWHC")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_the_command_runs_what_it_wrote(to: str, tmp_path: Path) -> None:
    files, difference = export_to(given("ResNet-8"), to, tmp_path / "model", Options(layout="NCHW"))
    assert [file.exists() for file in files] == [True] * len(files)
    assert difference is not None
    assert difference < 1e-4
