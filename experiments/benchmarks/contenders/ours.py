"""jcnn itself. A variant names formulation and gradient, such as "taps/manual"; without one, what `jcnn train` takes."""

import os
import sys
from typing import Any

import jax
from jax.typing import ArrayLike

from experiments.benchmarks.cases import Convolution, Layer, Pooling, Step
from experiments.benchmarks.contenders.learning import learner
from experiments.benchmarks.contenders.protocol import Contender, Variant, serve
from experiments.benchmarks.contenders.through_jax import Apply, Functions, preparer, versions
from jcnn import AvgPool, Conv, Dense, Flatten, MaxPool, Ops, Relu, Tanh, apply, conv, max_pool
from jcnn.compilation import compiler_options, keep_compiled, keep_memory
from jcnn.layers import Layer as OurLayer
from jcnn.training.step import fastest_ops


def ops_of(variant: Variant) -> Ops:
    """The operations that a variant names."""
    if "ops" not in variant:
        return fastest_ops()
    formulation, gradient = variant["ops"].split("/")
    return Ops(formulation, gradient)


def network_of(case: Step) -> tuple[OurLayer, ...]:
    """The network of a case."""

    def build(layer: Layer) -> OurLayer:
        simple: dict[str, OurLayer] = {"relu": Relu(), "tanh": Tanh(), "flatten": Flatten()}
        match layer.kind:
            case "conv":
                return Conv(layer.units, layer.window, padding=layer.padding)
            case "dense":
                return Dense(layer.units)
            case "max_pool":
                return MaxPool(layer.window)
            case "avg_pool":
                return AvgPool(layer.window)
            case kind:
                return simple[kind]

    return tuple(map(build, case.layers))


def _conv(case: Convolution, variant: Variant) -> Any:
    ops = ops_of(variant)
    options: dict[str, Any] = {"stride": case.stride, "padding": case.padding, "groups": case.groups}
    return lambda x, w: conv(x, w, **options, formulation=ops.formulation, gradient=ops.gradient)


def _max_pool(case: Pooling, variant: Variant) -> Any:
    gradient = ops_of(variant).gradient
    return lambda x: max_pool(x, case.window, stride=case.stride, padding=case.padding, gradient=gradient)


def _network(case: Step, variant: Variant) -> Apply:
    network, ops = network_of(case), ops_of(variant)

    def forward(params: Any, x: ArrayLike) -> jax.Array:
        return apply(network, params, x, ops=ops)  # pyright: ignore[reportArgumentType]

    return forward


def run(*packages: str) -> None:
    """Answers requests; tells the versions of these packages."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:  # otherwise nobody keeps anything: figures must not depend on earlier runs
        keep_compiled()
    keep_memory()
    functions = Functions(_conv, _max_pool, _network, compiler_options())
    serve(Contender(versions(*packages), preparer(functions), learner(_network, functions.options)))


if __name__ == "__main__":
    sys.modules["jcnn_native"] = None  # pyright: ignore[reportArgumentType]  (not to be found: pure JAX, as it is installed)
    run("jcnn")
