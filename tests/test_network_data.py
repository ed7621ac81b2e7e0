"""Networks as plain data: what is stored is what comes back, or nothing is."""

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jcnn
from jcnn import Layer, layers
from jcnn.import_path import ImportPathError, find_class
from jcnn.network_data import DEEPEST, NetworkDataError, from_data, to_data
from tests.draws import draws
from tests.own_layers import Derived, Doubling, Held, Outer, Spread, Undeclared

sizes = st.integers(1, 9)
per_axis = sizes | st.lists(sizes, min_size=2, max_size=2) | st.tuples(sizes, sizes)
pads = st.integers(0, 3)
padding = (
    pads
    | st.sampled_from(["valid", "same", "same_lower"])
    | st.tuples(pads, pads)
    | st.lists(st.tuples(pads, pads), min_size=2, max_size=2)
    | st.lists(st.lists(pads, min_size=2, max_size=2), min_size=2, max_size=2)
)
rounding = st.sampled_from(["floor", "ceil", "exact"])
finite = st.floats(allow_nan=False, allow_infinity=False)
walk = {"window": per_axis, "padding": padding, "dilation": per_axis, "rounding": rounding}
pool = {**walk, "stride": st.none() | per_axis}
positive = st.floats(1e-12, 1e3)
norm = {"epsilon": positive, "scale": st.booleans(), "offset": st.booleans()}
conv = {**walk, "stride": per_axis, "filters": sizes.map(lambda n: 12 * n), "groups": st.sampled_from([1, 2, 3]),
        "bias": st.booleans() | st.booleans().map(np.bool_)}  # fmt: skip
transpose = {name: drawn for name, drawn in conv.items() if name != "rounding"}
OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "AvgPool": {**pool, "count_padding": st.booleans()},
    "BatchNorm": {**norm, "momentum": st.floats(0, 1, exclude_min=True),
                  "axis_name": st.none() | st.text() | st.lists(st.text(), min_size=1)},
    "Conv": conv,
    "ConvTranspose": {**transpose, "output_padding": pads | st.tuples(pads, pads) | st.lists(pads, min_size=2, max_size=2)},
    "Dense": {"units": sizes | sizes.map(np.int64), "bias": st.booleans()},
    "Dropout": {"rate": st.floats(0, 1, exclude_max=True), "spatial": st.booleans()},
    "Elu": {"alpha": finite},
    "GroupNorm": {**norm, "groups": sizes},
    "IdentityConv": conv,
    "LayerNorm": {**norm, "axes": st.sampled_from(["channels", "all"])},
    "LeakyRelu": {"slope": finite | finite.map(np.float64)},
    "MaxPool": pool,
    "Maxout": {"pieces": sizes},
    "PadChannels": {"channels": sizes},
    "Scale": {"factor": finite},
    "UpSample": {"factor": per_axis, "method": st.sampled_from(["nearest", "linear"])},
    "Whiten": {"window": per_axis, "epsilon": positive},
}  # fmt: skip
"""What a layer's fields may be; those that are not here have none."""
MADE_OF_LAYERS = {"Gate", "Parallel", "Residual"}
BUILT_IN = [
    name
    for name, cls in vars(layers).items()
    if isinstance(cls, type) and issubclass(cls, Layer) and name not in {"Activation", "Layer", *MADE_OF_LAYERS}
]

plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | st.text(max_size=5)


def built_in(name: str) -> st.SearchStrategy[Layer]:
    return st.builds(getattr(layers, name), **OPTIONS.get(name, {}))


@st.composite
def drawn_layers(draw: st.DrawFn, depth: int) -> Any:
    """A built-in layer, or one made of others, ours and users', or a tuple of them."""
    kinds = [
        "built in",
        *([] if depth == 0 else ["turn", "held", "spread", "own", *sorted(MADE_OF_LAYERS & vars(layers).keys())]),
    ]
    kind = draw(st.sampled_from(kinds))
    if kind == "built in":
        return draw(st.sampled_from(BUILT_IN).flatmap(built_in))
    if kind == "own":
        return draw(st.builds(Outer.Inner, sizes) | st.builds(Derived, sizes))
    if kind == "held":
        return Held(draw(drawn_values(depth - 1)))
    parts = draw(st.lists(drawn_layers(depth - 1), min_size=1, max_size=3))
    if kind == "turn":
        return tuple(parts)
    if kind in ("Gate", "Residual"):
        return vars(layers)[kind](*parts[: 1 if kind == "Gate" else 2])
    made = Spread if kind == "spread" else vars(layers)[kind]
    return made(*parts, join=draw(st.sampled_from(["sum", "concat"])))


@st.composite
def drawn_values(draw: st.DrawFn, depth: int) -> Any:
    """What may stand in a field."""
    kind = draw(st.sampled_from(["plain", *([] if depth <= 0 else ["list", "tuple", "dict", "layer"])]))
    if kind == "plain":
        return draw(plain)
    if kind == "layer":
        return draw(drawn_layers(depth - 1))
    values = draw(st.lists(drawn_values(depth - 1), max_size=3))
    if kind == "dict":
        return {draw(st.text(max_size=3)): value for value in values}
    return values if kind == "list" else tuple(values)


networks = st.lists(drawn_layers(3), min_size=1, max_size=4).map(tuple)


def test_the_options_of_every_built_in_layer_are_drawn() -> None:
    declared = {name: {field.name for field in fields(getattr(layers, name))} for name in BUILT_IN}
    assert {name: set(options) for name, options in OPTIONS.items()} == {name: has for name, has in declared.items() if has}


@given(networks)
@draws()
def test_what_comes_back_is_what_was_stored(network: tuple[Any, ...]) -> None:
    data = to_data(network)
    text = json.dumps(data, allow_nan=False)
    again = from_data(json.loads(text))
    assert again == network
    assert repr(again) == repr(network)
    assert json.dumps(to_data(again)) == text


@pytest.mark.parametrize("name", BUILT_IN)
@given(data=st.data())
@draws(8)
def test_every_built_in_layer_with_every_option(name: str, data: st.DataObject) -> None:
    layer = data.draw(built_in(name))
    stored = json.loads(json.dumps(to_data((layer,))))
    assert list(stored["layers"][0]) == [name]
    (again,) = from_data(stored)
    assert again == layer
    assert hash(again) == hash(layer)


def test_lists_of_layers_are_tuples() -> None:
    layer = jcnn.Relu()
    lists: Any = [layer, [layer, layer]]
    tuples: Any = (layer, (layer, layer))
    assert to_data(lists) == to_data(tuples)
    assert from_data(to_data(lists)) == tuples


@pytest.mark.parametrize(
    "value", [1, 1.0, True, -0.0, (), [], {}, ((),), [()], {"list": [1]}, {"dict": {}}, {"Conv": {}}], ids=repr
)
def test_values_keep_their_type(value: Any) -> None:
    (again,) = from_data(json.loads(json.dumps(to_data((Held(value),)))))
    assert repr(again.value) == repr(value)
    assert type(again.value) is type(value)


def test_a_layer_of_ones_own_goes_by_its_import_path() -> None:
    assert to_data((Outer.Inner(3),)) == {"layers": [{"tests.own_layers:Outer.Inner": {"size": 3}}]}


def replaced_layer() -> Layer:
    """Of a class whose name stands for another one in its module, as after a reload."""
    cls = dataclass(frozen=True, repr=False)(type("Held", (Layer,), {"__module__": Held.__module__}))
    return cls()


def local_layer() -> Layer:
    @dataclass(frozen=True, repr=False)
    class Local(Layer):
        """Made inside a function."""

    return Local()


def nested_in_itself(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = (value,)
    return value


@pytest.mark.parametrize(
    ("network", "message"),
    [
        pytest.param((), "network=.*at least one layer", id="no layer"),
        pytest.param(jcnn.Relu(), "network=Relu.*a tuple of at least one layer", id="a layer alone"),
        pytest.param((jcnn.Relu,), "layer 1 is .*expected a layer description", id="a class"),
        pytest.param((jcnn.Relu(), (jcnn.Relu(), 3)), r"layer 2\.2 is 3: expected a layer", id="a number inside"),
        pytest.param((jcnn.Relu(), ()), r"layer 2 is \(\): expected a layer", id="nothing inside"),
        pytest.param((local_layer(),), "layer 1 cannot be stored: .*Local of .* is made inside a function", id="local"),
        pytest.param((replaced_layer(),), "Held is another one than tests.own_layers:Held", id="replaced"),
        pytest.param((Held(float("nan")),), r"layer 1, Held\.value, is nan, a float, which cannot be stored", id="NaN"),
        pytest.param((Held(float("inf")),), r"is inf, a float", id="infinite"),
        pytest.param((Held(2**63),), r"is 9223372036854775808, a int", id="65 bits"),
        pytest.param((Held(np.zeros(3)),), r"a ndarray, which cannot be stored", id="an array"),
        pytest.param((Held(abs),), r"a builtin_function_or_method", id="a function"),
        pytest.param((Held({1: 2}),), r"is \{1: 2\}, a dict", id="a dict of numbers"),
        pytest.param((Held([{"a": 1j}]),), r"is 1j, a complex", id="inside a list"),
        pytest.param((Held(nested_in_itself(10_000)),), f"nested deeper than {DEEPEST}", id="deep"),
        pytest.param((Doubling(2),), r"layer 1, Doubling\(4\), is another one when it is made again", id="another"),
        pytest.param((Undeclared(2),), "has an attribute 'size' that is no field", id="no dataclass"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_by_its_place(network: Any, message: str) -> None:
    with pytest.raises(NetworkDataError, match=message) as refused:
        to_data(network)
    assert len(str(refused.value)) < 1000


def test_a_layer_of_the_running_program_is_refused_when_it_is_stored(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from dataclasses import dataclass\nimport jcnn\nfrom jcnn.network_data import to_data\n"
        "@dataclass(frozen=True)\nclass Swish(jcnn.Layer):\n    pass\n"
        "try:\n    to_data((Swish(),))\nexcept ValueError as error:\n    print(error)\n"
    )
    told = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True).stdout
    assert "layer 1 cannot be stored: class Swish is defined in the program that runs (__main__)" in told
    assert "such as my_layers.py" in told


def held(value: Any) -> dict[str, Any]:
    return {"layers": [{"tests.own_layers:Held": {"value": value}}]}


def one(name: Any, **given: Any) -> dict[str, Any]:
    return {"layers": [{name: given}]}


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(None, "no data of a network: None", id="nothing"),
        pytest.param([], "no data of a network", id="a list"),
        pytest.param({"layers": []}, "no data of a network", id="no layer"),
        pytest.param({"layers": [], "more": 1}, "no data of a network", id="another key"),
        pytest.param({"layers": [3]}, "layer 1 is 3: expected a layer", id="a number"),
        pytest.param({"layers": [[]]}, r"layer 1 is \(\): expected a layer", id="nothing inside"),
        pytest.param({"layers": [{"list": [{"Relu": {}}]}]}, "expected a layer, or a tuple of layers", id="a list of layers"),
        pytest.param({"layers": [{}]}, "layer 1 is {}: expected a number", id="no class"),
        pytest.param({"layers": [{"Relu": {}, "Tanh": {}}]}, "layer 1 is .*expected a number", id="two classes"),
        pytest.param({"layers": [{"Relu": []}]}, "expected {CLASS", id="no fields"),
        pytest.param({"layers": [{"Relu": None}]}, "expected {CLASS", id="null for fields"),
        pytest.param({"layers": [{"list": {}}]}, "'list' is no layer", id="a list that is a dict"),
        pytest.param(one("Conv", filters=8), "Conv refuses its fields: .*window", id="a missing field"),
        pytest.param(one("Conv", filters=8, window=3, colour=1), "Conv has no field 'colour', only filters", id="unknown"),
        pytest.param(one("Conv", filters="8", window=3), "Conv refuses its fields: filters='8'", id="another type"),
        pytest.param(one("Conv", filters=2**62, window=3), "refuses its fields: .*at most", id="a huge size"),
        pytest.param(one("Relu", self=1), "Relu has no field 'self'", id="self"),
        pytest.param(one("tests.own_layers:Spread", parts=[], join="?"), "refuses its fields: join='?'", id="a join"),
        pytest.param(one("tests.own_layers:Spread", parts=3, join="sum"), "refuses its fields", id="parts that are none"),
        pytest.param(one("tests.own_layers:Derived", size=2, square=5), "has no field 'square'", id="a derived field"),
        pytest.param(held(float("nan")), "value, is nan", id="NaN"),
        pytest.param(held(float("inf")), "value, is inf", id="infinite"),
        pytest.param(held(10**4000), "value, is 1000", id="a huge integer"),
        pytest.param(held(deep(5000)), "nested deeper", id="deep lists"),
        pytest.param(one("Swish"), "layer 1: 'Swish' is no layer", id="an unknown name"),
        pytest.param(one("Ops"), "'Ops' is no layer", id="what jcnn.layers has beside layers"),
        pytest.param(one("__builtins__"), "is no layer", id="a dunder name"),
        pytest.param(one("tests.own_layers:NoLayer"), "is no layer", id="another class"),
        pytest.param(one("subprocess:Popen", args="false"), "is no layer", id="a dangerous class"),
        pytest.param(one("os:system"), "class system of module os is not found: .* no such class", id="a function"),
        pytest.param(one("tests.own_layers:jcnn.Relu"), "not found", id="through a module"),
        pytest.param(one("tests.own_layers:Held.__init__.__globals__"), "not found", id="attribute chain"),
        pytest.param(one("tests.own_layers:Held.__class__"), "is no layer", id="a metaclass"),
        pytest.param(one("jcnn.__main__:Train"), "is no import path", id="a program"),
        pytest.param(one("a:b:c"), "is no import path", id="two colons"),
        pytest.param(one(".a:B"), "is no import path", id="relative"),
        pytest.param(one(":B"), "is no import path", id="no module"),
        pytest.param(one("a:"), "is no import path", id="no class name"),
        pytest.param(one("a" * 10**6 + ":B"), "is no import path", id="a long name"),
        pytest.param(one("no_such_module:Swish"), "import no_such_module failed with Mod.*PYTHONPATH", id="no module"),
        pytest.param(one("tests.own_layers:Gone"), "the module is imported, and has no such class", id="no class here"),
    ],
)  # fmt: skip
def test_hostile_data_is_refused(data: Any, message: str) -> None:
    with pytest.raises(NetworkDataError, match=message) as refused:
        from_data(data)
    assert len(str(refused.value)) < 1000


@given(st.recursive(plain | st.floats(), lambda value: st.lists(value) | st.dictionaries(
    st.sampled_from(["layers", "Conv", "filters", "window", "list", "dict", "os:system", "tests.own_layers:Held", "value"]),
    value,
), max_leaves=12))  # fmt: skip
@draws()
def test_any_data_is_a_network_or_refused(data: Any) -> None:
    for candidate in (data, {"layers": [data]}, held(data)):
        try:
            network = from_data(candidate)
        except NetworkDataError:
            continue
        assert from_data(to_data(network)) == network


@pytest.mark.parametrize(
    "body", ["raise SystemExit(3)", "1 / 0", "import no_such_module"], ids=["exits", "fails", "needs another"]
)
def test_a_module_that_does_not_import(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_layers.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportPathError, match="import broken_layers failed with"):
        find_class("broken_layers:Swish")
