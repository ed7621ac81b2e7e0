"""Networks to PyTorch and back: modules that somebody wrote there, checkpoint files, and the programs that jcnn writes."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn import Conv, Dense, Flatten, Relu, presets
from jcnn.data import load
from jcnn.exchange import (
    ExchangeError,
    from_torch,
    load_safetensors,
    save_safetensors,
    save_torch,
    to_torch,
    torch_module,
    torch_source,
)
from jcnn.exchange.arrays import templates
from jcnn.layers import Network
from tests.exchange.networks import DIGIT, assert_same_arrays, trained
from tests.layers.users_layers import Gated
from tests.test_layers import LAYERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed here; `make test-peers` installs it")
nn, functional = torch.nn, torch.nn.functional

ROOM = 1e-12
"""Of the largest output, in float64: the same sums in another order."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class LeNet5(nn.Module):
    """As one writes it in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=2)
        self.fc1 = nn.Linear(16 * 2 * 2, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Any) -> Any:
        x = functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.tanh(self.fc2(x)))


class Block(nn.Module):
    """conv – norm – relu – conv – norm, the input added, then relu; a shortcut of zero channels, or a convolution."""

    def __init__(self, before: int, after: int, *, convolved: bool) -> None:
        super().__init__()
        self.stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.more = after - before
        if convolved and self.more:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride=2, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "downsample"):
            return functional.relu(y + self.downsample(x))
        return functional.relu(y + functional.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more)))


class ResNet20(nn.Module):
    """As one writes it in PyTorch, for images of one or three channels."""

    def __init__(self, channels: int = 1, *, convolved: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        sizes = [16, *(size for size in (16, 32, 64) for _ in range(3))]
        blocks = [Block(*pair, convolved=convolved) for pair in pairwise(sizes)]
        self.layer1, self.layer2, self.layer3 = (nn.Sequential(*blocks[first : first + 3]) for first in (0, 3, 6))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def with_convolved_shortcuts() -> Network:
    """ResNet-20 with shortcuts of 1×1 convolutions."""

    def block(layer: Any) -> Any:
        if not isinstance(layer, jcnn.Residual) or layer.shortcut is None:
            return layer
        filters = layer.body[0].filters  # pyright: ignore[reportIndexIssue, reportAttributeAccessIssue]
        return jcnn.Residual(layer.body, (Conv(filters, 1, stride=2, bias=False), jcnn.BatchNorm()))

    return tuple(tuple(map(block, part)) if isinstance(part, tuple) else block(part) for part in presets.resnet(DIGIT, 10))


WRITTEN: dict[str, tuple[Callable[[], Any], Network]] = {
    "LeNet-5": (LeNet5, presets.lenet5(DIGIT, 10)),
    "ResNet-20": (ResNet20, presets.resnet(DIGIT, 10, depth=20)),
    "ResNet-20, convolved shortcuts": (lambda: ResNet20(convolved=True), with_convolved_shortcuts()),
}


def digits() -> np.ndarray:
    return load("digits", "test").images / 255


def said_by(module: Any, x: np.ndarray) -> np.ndarray:
    """What a module says of images with the channels last."""
    with torch.no_grad():
        return module.eval()(torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))).numpy()


def assert_equal_outputs(found: np.ndarray, expected: Any) -> None:
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROOM * np.abs(expected).max())


def written(name: str) -> tuple[Any, Network]:
    """A module in float64 that has seen some images in training, and the network that it is."""
    make, network = WRITTEN[name]
    module = make().double().train()
    for first in range(0, 256, 64):
        images = load("digits", "train").images[first : first + 64] / 255
        module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    return module, network


@pytest.mark.parametrize("name", WRITTEN)
def test_a_checkpoint_written_there_gives_equal_logits_here(name: str, tmp_path: Path) -> None:
    module, network = written(name)
    path = tmp_path / "model.pt"
    torch.save(module.state_dict(), path)
    params, state = from_torch(path, network, DIGIT)
    x = digits()
    assert_equal_outputs(said_by(module, x), jcnn.apply(network, params, jnp.asarray(x), state=state))
    assert_same_arrays(from_torch(module, network, DIGIT), (params, state))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_network_from_here_gives_equal_logits_there(name: str) -> None:
    module, network = written(name)
    params, state = moved(network, DIGIT)
    module.load_state_dict(to_torch(network, params, state, input_shape=DIGIT, like=module))
    x = digits()
    assert_equal_outputs(said_by(module, x), jcnn.apply(network, params, jnp.asarray(x), state=state))
    assert_same_arrays(from_torch(module.state_dict(), network, DIGIT), (params, state))


def moved(network: Network, shape: tuple[int, ...], dtype: str = "float64") -> tuple[Any, Any]:
    """Parameters and a state that nobody would take for the first ones."""
    draws, (params, state) = np.random.default_rng(2), templates(network, shape, dtype)
    params = jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape) * 0.3, leaf.dtype), params)
    return params, jax.tree.map(lambda leaf: jnp.asarray(0.5 + draws.random(leaf.shape), leaf.dtype), state)


def assert_said_the_same(network: Network, shape: tuple[int, ...]) -> None:
    params, state = moved(network, shape)
    module = torch_module(network, params, state, input_shape=shape)
    x = np.random.default_rng(3).normal(size=(3, *shape))
    expected = np.asarray(jcnn.apply(network, params, jnp.asarray(x), state=state))
    assert_equal_outputs(said_by(module, x), np.moveaxis(expected, -1, 1) if expected.ndim > 2 else expected)
    assert_same_arrays(from_torch(module, network, shape), (params, state))


@pytest.mark.parametrize("number", [number for number, (layer, *_) in enumerate(LAYERS) if not isinstance(layer, Gated)])
def test_every_layer_is_the_same_there(number: int) -> None:
    layer, shape, _ = LAYERS[number]
    assert_said_the_same((layer, Dense(2)) if isinstance(layer, Flatten) else (layer,), shape)


@pytest.mark.parametrize("name", [name for name in presets.PRESETS if name not in {"resnet56", "vgg_small", "all_conv"}])
def test_every_preset_is_the_same_there(name: str) -> None:
    assert_said_the_same(presets.preset(name, (12, 12, 3), 10), (12, 12, 3))


PADDINGS: dict[str, Any] = {
    "none": 0,
    "alike": 1,
    "beyond the filter": 3,
    "uneven": ((0, 1), (2, 0)),
    "same": "same",
    "same_lower": "same_lower",
}


@pytest.mark.parametrize("rounding", ["floor", "ceil"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", PADDINGS)
def test_every_padding_is_exact_or_refused(padding: str, stride: int, rounding: Any) -> None:
    options: Any = {"stride": stride, "padding": PADDINGS[padding], "rounding": rounding}
    exact: list[Any] = [Conv(4, 3, dilation=(1, 2), groups=2, **options)]
    if padding != "beyond the filter":
        exact += [jcnn.MaxPool(3, **options)]
    for layer in exact:
        assert_said_the_same((layer,), (6, 7, 2))
    transposed = {"stride": stride, "padding": PADDINGS[padding], "output_padding": 0 if "same" in padding else stride // 2}
    assert_said_the_same((jcnn.ConvTranspose(4, 3, groups=2, **transposed),), (5, 6, 2))
    for counted in (False, True):
        averaging = jcnn.AvgPool(3, count_padding=counted, **options)
        try:
            torch_source((averaging,), (6, 7, 2))
        except (ExchangeError, jcnn.NetworkError) as error:
            refused = str(error)
        else:
            assert_said_the_same((averaging,), (6, 7, 2))
            continue
        assert "AvgPool" in refused
        assert padding in {"beyond the filter", "uneven", "same", "same_lower"}


def test_what_no_window_reads_needs_no_padding() -> None:
    """On an even size "same_lower" with a stride of 2 is padding 1, "same" is not."""
    for layer in (Conv(2, 3, stride=2, padding="same_lower"), jcnn.AvgPool(3, stride=2, padding="same_lower")):
        assert "padding=1" in torch_source((layer,), DIGIT)
        assert "ConstantPad" not in torch_source((layer,), DIGIT)
        assert_said_the_same((layer,), DIGIT)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_every_dtype_goes_there_and_back(dtype: str, tmp_path: Path) -> None:
    given = trained("with a state", dtype)
    save_torch(tmp_path / "a.pt", *given[:3], input_shape=DIGIT)
    assert_same_arrays(from_torch(tmp_path / "a.pt", given.network, DIGIT), given[1:3])


ELSEWHERE = """
import sys
sys.modules["jcnn"] = sys.modules["jax"] = None
import numpy as np, torch
from model import network
module = network()
module.load_state_dict(torch.load("model.pt", weights_only=True))
np.save("y.npy", module.double().eval()(torch.from_numpy(np.load("x.npy"))).detach().numpy())
"""


def test_the_program_beside_a_checkpoint_runs_without_jcnn(tmp_path: Path) -> None:
    given = trained("with a state", "float64")
    assert save_torch(tmp_path / "model.pt", *given[:3], input_shape=DIGIT) == tmp_path / "model.py"
    x = digits()
    np.save(tmp_path / "x.npy", np.moveaxis(x, -1, 1))
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    expected = jcnn.apply(given.network, given.params, jnp.asarray(x), state=given.state)
    # Its weights are float32 where the module is made, and take those of the file when it is read: in float64 only after that.
    found = np.load(tmp_path / "y.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(np.asarray(expected)).max())


def test_a_program_of_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    given = trained("averaged")
    (tmp_path / "train.py").write_text("my own\n")
    with pytest.raises(ExchangeError, match=r"train\.py is there, and"):
        save_torch(tmp_path / "train.pt", *given[:3], input_shape=DIGIT)
    with pytest.raises(ExchangeError, match="would be the program of the module"):
        save_torch(tmp_path / "other.py", *given[:3], input_shape=DIGIT)
    assert list(tmp_path.iterdir()) == [tmp_path / "train.py"]
    assert (tmp_path / "train.py").read_text() == "my own\n"
    for _ in range(2):
        save_torch(tmp_path / "model.pt", *given[:3], input_shape=DIGIT)


def test_safetensors_of_pytorch_are_taken_by_its_modules(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    given, x = trained("with a state", "float64"), digits()
    save_safetensors(tmp_path / "a.safetensors", *given[:3], input_shape=DIGIT, layout="torch")
    module = torch_module(*given[:3], input_shape=DIGIT)
    expected = said_by(module, x)
    for parameter in module.parameters():
        parameter.data.zero_()
    module.load_state_dict(load_file(tmp_path / "a.safetensors"))
    np.testing.assert_array_equal(said_by(module, x), expected)
    save_file(module.state_dict(), tmp_path / "b.safetensors")
    read = load_safetensors(tmp_path / "b.safetensors", given.network, DIGIT)
    assert_same_arrays((read.params, read.state), given[1:3])


class Strided(nn.Module):
    """A convolution with a stride of 2 and padding as PyTorch knows it, and a flattening, in one order or the other."""

    def __init__(self, *, channels_last: bool = False, softmax: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(64, 10)
        self.channels_last, self.softmax = channels_last, softmax

    def forward(self, x: Any) -> Any:
        x = functional.relu(self.norm(self.conv(x)))
        x = self.head((x.permute(0, 2, 3, 1) if self.channels_last else x).flatten(1))
        return functional.log_softmax(x, 1) if self.softmax else x


def strided(padding: Any = 1, epsilon: float = 1e-5) -> Network:
    return (Conv(4, 3, stride=2, padding=padding), jcnn.BatchNorm(epsilon=epsilon), Relu(), Flatten(), Dense(10))


OTHERWISE: dict[str, tuple[dict[str, bool], Network]] = {
    "same with stride 2 is not padding 1": ({}, strided("same")),
    "another epsilon": ({}, strided(epsilon=1e-3)),
    "flattened with the channels last": ({"channels_last": True}, strided()),
    "a softmax at the end": ({"softmax": True}, strided()),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_a_module_that_computes_something_else_is_refused(what: str) -> None:
    options, network = OTHERWISE[what]
    module = Strided(**options)
    with pytest.raises(ExchangeError, match=r"the module computes something else than the network: .* differ by up to \d"):
        from_torch(module, network, DIGIT)
    params, state = moved(network, DIGIT, "float32")
    with pytest.raises(ExchangeError, match="the module computes something else than the network"):
        to_torch(network, params, state, input_shape=DIGIT, like=module)
    assert module.training  # it is left as it was
    from_torch(Strided(), strided(), DIGIT)


def test_without_the_module_padding_that_it_cannot_have_is_refused() -> None:
    weights = Strided().state_dict()
    with pytest.raises(
        ExchangeError, match=r"layer 1, Conv.*'same'\) pads \(\(0, 1\), \(0, 1\)\).* does not say what conv does"
    ):
        from_torch(weights, strided("same"), DIGIT)
    params, state = moved(strided("same"), DIGIT, "float32")
    with pytest.raises(ExchangeError, match="which no padding= of PyTorch's layers does, and like does not say"):
        to_torch(strided("same"), params, state, input_shape=DIGIT, like=weights)


def test_a_module_that_takes_something_else_is_told() -> None:
    with pytest.raises(ExchangeError, match=r"the module does not take \(3, 1, 12, 12\), \(N, C, \*S\): mat1 and mat2"):
        from_torch(Strided(), (Conv(4, 3, stride=3, padding=1), *strided()[1:]), (12, 12, 1))


class Malicious:
    """What runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


def as_state_dict(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def saved_again(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    """What a change leaves of the state dict, or gives in its place, written to the file."""

    def again(path: Path) -> None:
        weights = as_state_dict(path)
        given = change(weights)
        torch.save(weights if given is None else given, path)

    return again


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "code": (
        saved_again(lambda weights: {**weights, "x": Malicious()}),
        "holds more than tensors, and code in it would be run",
    ),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Malicious())), "is refused"),
    "a whole module": (saved_again(lambda _: LeNet5()), "holds more than tensors, and code in it would be run"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-900]), "truncated, or no file of torch.save"),
    "half": (
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        "truncated, or no file of torch.save",
    ),
    "empty": (lambda path: path.write_bytes(b""), "truncated, or no file of torch.save"),
    "a text": (lambda path: path.write_text("weights"), "is refused"),
    "one tensor": (saved_again(lambda _: torch.zeros(3)), "expected a state dict, tensors by name"),
    "a number among them": (saved_again(lambda weights: {**weights, "epoch": 3}), "has 'epoch', 3: expected tensors by name"),
    "a checkpoint around it": (
        saved_again(lambda weights: {"epoch": 3, "state_dict": weights}),
        "has 'epoch', 3: expected tensors by name|holds epoch, state_dict: give entry='state_dict'",
    ),
    "a missing name": (saved_again(lambda weights: weights.__delitem__("fc2.bias")), r"fc2 in .*: it has no bias"),
    "a wrong shape": (
        saved_again(lambda weights: weights.update({"conv2.weight": torch.zeros(16, 6, 3, 3)})),
        r"conv2\.weight in .* has shape \(16, 6, 3, 3\): expected \(16, 6, 5, 5\), for layer 4",
    ),
    "a sparse tensor": (
        saved_again(lambda weights: weights.update({"fc3.weight": weights["fc3.weight"].to_sparse()})),
        r"fc3\.weight in .* is no plain tensor of numbers",
    ),
    "complex numbers": (
        saved_again(lambda weights: weights.update({"fc3.bias": torch.zeros(10, dtype=torch.complex64)})),
        r"fc3\.bias in .* has dtype complex64",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_is_refused_by_name(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change, reason = BAD[bad]
    path = tmp_path / "model.pt"
    torch.save(LeNet5().state_dict(), path)
    change(path)
    with pytest.raises(ExchangeError, match=reason) as refused:
        from_torch(path, WRITTEN["LeNet-5"][1], DIGIT)
    assert str(path) in str(refused.value)
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_with_more_in_it_is_read_by_its_entry(tmp_path: Path) -> None:
    module, network = LeNet5(), WRITTEN["LeNet-5"][1]
    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    assert_same_arrays(
        from_torch(tmp_path / "model.pt", network, DIGIT, entry="state_dict"), from_torch(module, network, DIGIT)
    )
    with pytest.raises(ExchangeError, match=r"holds state_dict, epoch: give entry='state_dict'"):
        from_torch(tmp_path / "model.pt", network, DIGIT)
    with pytest.raises(ExchangeError, match=r"entry='model': .* has state_dict, epoch"):
        from_torch(tmp_path / "model.pt", network, DIGIT, entry="model")


def test_modules_that_were_defined_in_another_order_go_by_names() -> None:
    module, network = LeNet5(), WRITTEN["LeNet-5"][1]
    backwards = dict(reversed(module.state_dict().items()))
    with pytest.raises(ExchangeError, match=r"fc3\.weight in the state dict has shape \(10, 84\)"):
        from_torch(backwards, network, DIGIT)
    names = {"conv1": "1", "conv2": "4", "fc1": "8", "fc2": "10", "fc3": "12"}
    assert_same_arrays(from_torch(backwards, network, DIGIT, names=names), from_torch(module, network, DIGIT))
    with pytest.raises(ExchangeError, match="does not fit names=: it has fc3, which it does not take"):
        from_torch(backwards, network, DIGIT, names={name: place for name, place in names.items() if name != "fc3"})


def test_what_is_no_file_is_told_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe"):
        with pytest.raises(ExchangeError, match="is no file"):
            from_torch(tmp_path / name, WRITTEN["LeNet-5"][1], DIGIT)
    with pytest.raises(FileNotFoundError, match=r"missing\.pt"):
        from_torch(tmp_path / "missing.pt", WRITTEN["LeNet-5"][1], DIGIT)
