"""State dicts of PyTorch in NumPy alone: axes, the order of flattened features, names, and what is refused."""

import ast
from typing import Any

import numpy as np
import pytest

import jcnn
from jcnn import Conv, ConvTranspose, Dense, Flatten, GroupNorm, Layer, Maxout, MaxPool, Parallel, Relu, Residual
from jcnn.exchange import ExchangeError, torch_source
from jcnn.exchange.arrays import templates
from jcnn.exchange.torch_modules import MODULES
from jcnn.exchange.torch_state import from_state_dict, to_state_dict
from jcnn.layers import Network
from tests.exchange.networks import DIGIT, NETWORKS, assert_same_arrays, trained
from tests.layers.users_layers import Gated
from tests.test_layers import LAYERS

NAMES = {  # of each network, as the modules of somebody's class might be called
    "LeNet-5": ("conv1", "conv2", "fc1", "fc2", "fc3"),
    "averaged": ("module.features.0", "module.head"),
}


def renamed(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays under other names for their modules, in the same order."""
    modules = dict.fromkeys(name.rpartition(".")[0] for name in arrays)
    other = dict(zip(modules, names, strict=True))
    return {f"{other[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": array for name, array in arrays.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_state_dict_comes_back_as_it_was(name: str) -> None:
    given = trained(name)
    arrays = to_state_dict(*given[:3], input_shape=DIGIT)
    assert_same_arrays(from_state_dict(arrays, given.network, DIGIT), given[1:3])


@pytest.mark.parametrize("name", NAMES)
def test_modules_of_other_names_are_taken_in_their_order(name: str) -> None:
    given = trained(name)
    arrays = renamed(to_state_dict(*given[:3], input_shape=DIGIT), NAMES[name])
    assert_same_arrays(from_state_dict(arrays, given.network, DIGIT), given[1:3])


@pytest.mark.parametrize("sizes", [(5,), (3, 4), (2, 3, 4)])
def test_a_dense_layer_behind_a_flattened_map_sees_the_channels_first(sizes: tuple[int, ...]) -> None:
    """W · vec(x) over (C, *S) there is x · w over (*S, C) here, with what is learned for each feature in between."""
    draws = np.random.default_rng(0)
    network = (Flatten(), jcnn.BatchNorm(), Relu(), Dense(6))
    params, state = templates(network, (*sizes, 3), "float64")
    params, state = (
        tuple({key: 0.5 + draws.random(leaf.shape) for key, leaf in own.items()} for own in tree) for tree in (params, state)
    )
    there = to_state_dict(network, params, state, input_shape=(*sizes, 3))
    x = draws.normal(size=(4, *sizes, 3))
    vectors = np.moveaxis(x, -1, 1).reshape(4, -1)
    spread = np.sqrt(there["1.running_var"] + 1e-5)
    normal = (vectors - there["1.running_mean"]) / spread * there["1.weight"] + there["1.bias"]
    y = np.maximum(normal, 0) @ there["3.weight"].T + there["3.bias"]
    np.testing.assert_allclose(y, jcnn.apply(network, params, x, state=state), rtol=1e-12)


def test_filters_have_the_outputs_first() -> None:
    for layer, shape in ((Conv(6, (2, 3), groups=2), (5, 5, 4)), (ConvTranspose(6, (2, 3), groups=2), (5, 5, 4))):
        params, _ = templates((layer,), shape)
        w = np.arange(np.prod(params[0]["w"].shape), dtype=np.float32).reshape(params[0]["w"].shape)
        found = to_state_dict((layer,), ({"w": w, "b": np.zeros(6, np.float32)},), input_shape=shape)["0.weight"]
        # PyTorch: (out, in / groups, *F); of the transpose (in, out / groups, *F).
        assert found.shape == ((6, 2, 2, 3) if isinstance(layer, Conv) else (4, 3, 2, 3))
        assert found[1, 0, 1, 2] == w[1, 2, 0, 1]


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_every_layer_is_said_as_a_program_or_refused_by_name(number: int) -> None:
    layer, shape, _ = LAYERS[number]
    network = (layer, Dense(2)) if isinstance(layer, Flatten) else (layer,)
    if type(layer) in MODULES:
        ast.parse(torch_source(network, shape))
    else:
        with pytest.raises(ExchangeError, match=rf"layer 1, {layer.name}.* cannot be said in PyTorch: it is none of"):
            torch_source(network, shape)


REFUSED: dict[str, tuple[Network, tuple[int, ...], str]] = {
    "a layer of one's own": (
        (Relu(), Gated(1)),
        (4, 2),
        r"layer 2, Gated\(1\), cannot be said in PyTorch: it is none of AvgPool, ",
    ),
    "a flattened map at the end": ((Flatten(), Relu()), (4, 2), "the network ends in a flattened map"),
    "neighbours of a flattened map": ((Flatten(), Maxout(2), Dense(1)), (4, 2), "layer 2, Maxout.* neighbouring features"),
    "groups of a flattened map": ((Flatten(), GroupNorm(2), Dense(1)), (4, 2), "layer 2, GroupNorm.* neighbouring features"),
    "branches in two orders": (
        (Flatten(), Residual(Dense(8)), Dense(1)),
        (4, 2),
        "layer 2, Residual.* number the features of a flattened map in different orders",
    ),
    "flattened maps side by side": (
        (Parallel(Flatten(), Flatten()), Dense(1)),
        (4, 2),
        "layer 1, Parallel.* puts flattened maps side by side",
    ),
    "an average over uneven padding": (
        (jcnn.AvgPool(3, stride=2, padding="same"),),
        (8, 8, 1),
        r"layer 1, AvgPool.* pads \(\(0, 1\), \(0, 1\)\) \(before, behind\)",
    ),
    "a dilated average": ((jcnn.AvgPool(2, dilation=2),), (8, 1), "layer 1, AvgPool.* has no dilation, and this has"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_pytorch_cannot_compute_is_refused_by_name(what: str) -> None:
    network, shape, reason = REFUSED[what]
    with pytest.raises(ExchangeError, match=reason):
        torch_source(network, shape)


LENET = trained("LeNet-5")
ARRAYS = renamed(to_state_dict(*LENET[:3], input_shape=DIGIT), NAMES["LeNet-5"])

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a layer too few": ({"fc3.weight": None, "fc3.bias": None}, "has arrays of 4 modules, conv1, conv2, fc1, fc2, and the net"),
    "a layer too many": (
        {"fc4.weight": np.zeros((1, 1))},
        r"has arrays of 6 modules.*, and the network has 5 layers with arrays",
    ),
    "no bias": ({"conv1.bias": None}, r"conv1 in the state dict does not fit layer 1, Conv.*: it has no bias$"),
    "another array": (
        {"conv2.scale": np.zeros(1)},
        r"conv2 in the state dict .* layer 4, Conv.*: it has scale, which it does not",
    ),
    "another shape": (
        {"fc1.weight": np.zeros((120, 65), np.float32)},
        r"fc1\.weight in the state dict has shape \(120, 65\): expected \(120, 64\), for layer 8, Dense\(120\)",
    ),
    "several dtypes": ({"fc1.bias": np.zeros(120, np.float16)}, r"parameters of several dtypes \(.*fc1\.bias float16"),
    "no floats": ({"fc1.bias": np.zeros(120, np.int64)}, r"fc1\.bias in the state dict has dtype int64"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_state_dict_that_does_not_fit_is_refused_by_name(what: str) -> None:
    change, reason = WRONG[what]
    arrays = {name: array for name, array in {**ARRAYS, **change}.items() if array is not None}
    with pytest.raises(ExchangeError, match=reason):
        from_state_dict(arrays, LENET.network, DIGIT)


def test_same_with_stride_2_is_not_padding_1() -> None:
    """Such a layer has a module of its own that pads; somebody else's weights for it say nothing of their padding."""
    same, one = ((Conv(2, 3, stride=2, padding=padding), Relu()) for padding in ("same", 1))
    params = ({"w": np.ones((3, 3, 1, 2), np.float32), "b": np.zeros(2, np.float32)}, {})
    ours = to_state_dict(same, params, input_shape=DIGIT)
    assert set(ours) == {"0.1.weight", "0.1.bias"}
    assert "nn.ConstantPad2d((0, 1, 0, 1), 0.0),\n            nn.Conv2d(1, 2, 3, stride=2)" in torch_source(same, DIGIT)
    theirs = to_state_dict(one, params, input_shape=DIGIT)
    assert set(theirs) == {"0.weight", "0.bias"}
    with pytest.raises(
        ExchangeError, match=r"layer 1, Conv.* pads \(\(0, 1\), \(0, 1\)\).* such as padding=\(\(1, 1\), \(1, 1\)\)"
    ):
        from_state_dict(theirs, same, DIGIT)
    assert_same_arrays(from_state_dict(ours, same, DIGIT)[0][0], from_state_dict(theirs, one, DIGIT)[0][0])


def test_what_a_layer_does_not_learn_has_to_be_what_it_takes_it_for() -> None:
    network: tuple[Layer, ...] = (jcnn.BatchNorm(scale=False), MaxPool(1))
    params: Any = ({"offset": np.ones(1, np.float32)}, {})
    state: Any = ({"mean": np.ones(1, np.float32), "variance": np.ones(1, np.float32)}, {})
    arrays = to_state_dict(network, params, state, input_shape=DIGIT)
    assert arrays["0.weight"] == 1
    assert_same_arrays(from_state_dict(arrays, network, DIGIT), (params, state))
    with pytest.raises(
        ExchangeError, match=r"0\.weight in the state dict .*BatchNorm\(scale=False\) learns none: expected scale=T"
    ):
        from_state_dict({**arrays, "0.weight": 2 * arrays["0.weight"]}, network, DIGIT)
