"""A network as an ONNX model, its weights inside, for any number of examples.

jax2onnx translates what JAX traces of the network, so that layers of one's own go the same way.
"""

import importlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from textwrap import shorten
from types import SimpleNamespace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jcnn import geometry
from jcnn.exchange.arrays import check_trained
from jcnn.exchange.errors import ExchangeError, library
from jcnn.layers import Network, Shape
from jcnn.network import apply, trace

Layout = Literal["NHWC", "NCHW"]

DTYPES = ("float32", "float16")
INPUT, OUTPUT, BATCH = "images", "logits", "N"


def to_onnx(
    network: Network,
    params: Any,
    state: Any = None,
    *,
    input_shape: Sequence[int],
    layout: Layout = "NHWC",
    class_names: Sequence[str] = (),
) -> bytes:
    """A trained network in evaluation as an ONNX model: the content of a `.onnx` file.

    Its input `images` is a batch in the dtype of the parameters, its output `logits` the last layer's. The size of the batch is
    left open.

    Args:
        network: a tuple of layers.
        params: as `init` makes them, in float32 or float16.
        state: as `init_state` makes it, or as training left it.
        input_shape: of one example, (*S, C).
        layout: of the input, `"NHWC"`, (N, *S, C), or `"NCHW"`, (N, C, *S), whatever the number of spatial axes.
        class_names: kept in the model's metadata, as JSON.

    Raises:
        NetworkError: parameters, state and input do not fit the network; by layer.
        ValueError: no such layout.
        ExchangeError: another dtype, an operation of the network that jax2onnx does not know, or it is not installed.
    """
    geometry.choice("layout", layout, get_args(Layout))
    shape = geometry.example_shape("input_shape", input_shape)
    dtype = check_trained(network, params, state, shape)
    if dtype.name not in DTYPES:
        raise ExchangeError(
            f"the parameters are {dtype.name}, in which onnxruntime lacks operations: expected {' or '.join(DTYPES)}; convert "
            f"them, e.g. by jax.tree.map(lambda leaf: leaf.astype('float32'), params)"
        )
    jax2onnx = library("jax2onnx", "onnx", "to_onnx")

    def logits(x: Array) -> Array:
        return apply(network, params, jnp.moveaxis(x, 1, -1) if layout == "NCHW" else x, state=state)

    def translated(function: Callable[[Array], Array], sizes: Shape) -> Any:
        x = jax.ShapeDtypeStruct((BATCH, *sizes), dtype)
        return jax2onnx.to_onnx(function, [x], model_name="jcnn", input_names=[INPUT], output_names=[OUTPUT])

    given = (shape[-1], *shape[:-1]) if layout == "NCHW" else shape
    with _symbolic_sizes_in_pads(), _quiet():
        try:
            model = translated(logits, given)
        except Exception as error:  # whatever becomes of an operation that it does not know
            reason = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" …")
            where = _first_refused(network, params, state, shape, translated)
            raise ExchangeError(f"jax2onnx cannot translate {where}: {reason}") from error
    for name, value in {"class_names": class_names, "input_shape": shape, "layout": [layout]}.items():
        model.metadata_props.add(key=name, value=json.dumps(list(value)))
    return model.SerializeToString()


def _first_refused(
    network: Network, params: Any, state: Any, shape: Shape, translated: Callable[[Callable[[Array], Array], Shape], Any]
) -> str:
    """The layer that cannot be translated by itself, in words."""
    for index, step in enumerate(trace(network, shape)):
        own = None if state is None else state[index : index + 1]
        alone = partial(apply, network[index : index + 1], params[index : index + 1], state=own)
        try:
            translated(alone, step.input_shape)
        except Exception:  # noqa: BLE001 (as above; what it was is told of the whole)
            return f"layer {step.place}, {geometry.shown(step.layer)}"
    return "this network"


@contextmanager
def _symbolic_sizes_in_pads() -> Iterator[None]:
    """Lets jax2onnx translate a `lax.pad` of a batch whose size is open.

    Its 0.17 gives JAX's symbol to onnx_ir, which takes texts.
    """
    pad: Any = importlib.import_module("jax2onnx.plugins.jax.lax.pad")
    ir = pad.ir

    def shape(sizes: Sequence[Any]) -> Any:
        return ir.Shape([size if isinstance(size, int) else str(size) for size in sizes])

    pad.ir = SimpleNamespace(**{**vars(ir), "Shape": shape})
    try:
        yield
    finally:
        pad.ir = ir


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what onnx_ir logs of values that it leaves out of the file's annotations."""
    log = logging.getLogger("onnx_ir.serde")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
