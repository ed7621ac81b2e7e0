"""A trained network as a file: what is read is what was saved, bit for bit, or nothing is."""

import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jcnn
from jcnn import saved
from jcnn.saved import SavedNetworkError
from tests.draws import draws
from tests.own_layers import Held, Outer, Pair

NETWORK = (jcnn.Conv(2, 3), jcnn.Relu(), jcnn.Flatten(), jcnn.Dense(3))
SHAPE = (5, 4, 1)
FLOATS = ["float16", "bfloat16", "float32", "float64"]


def drawn(dtype: str = "float32") -> Any:
    return jcnn.init(jax.random.key(0), NETWORK, SHAPE, jnp.dtype(dtype))


def save(path: Path, **changed: Any) -> Path:
    jcnn.save(path, **{"network": NETWORK, "params": drawn(), **changed})
    return path


def same_bits(a: Any, b: Any) -> bool:
    return (a.dtype, a.shape) == (b.dtype, b.shape) and np.asarray(a).tobytes() == np.asarray(b).tobytes()


def same(a: Any, b: Any) -> bool:
    """Whether two trees are of the same structure, key order aside, dtypes and bits."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    return jax.tree.all(jax.tree.map(same_bits, a, b))


@pytest.mark.parametrize("x64", [True, False], ids=["64 bits", "32 bits"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_network_comes_back_bit_for_bit(tmp_path: Path, dtype: str, x64: bool) -> None:
    params, state = drawn(dtype), {"mean": jnp.arange(3), "special": jnp.asarray([jnp.nan, -0.0, jnp.inf], dtype)}
    path = save(tmp_path / "net.jcnn", params=params, state=state)
    with jax.enable_x64(x64):
        network, again, beside = jcnn.load(path)
    assert network == NETWORK
    assert same(again, params)
    assert same(beside, state)
    x = jnp.ones((2, *SHAPE), dtype)
    np.testing.assert_array_equal(jcnn.apply(network, again, x), jcnn.apply(NETWORK, params, x))


def test_what_else_is_told_comes_back(tmp_path: Path) -> None:
    read = saved.read(save(tmp_path / "net", class_names=["ä", ""], input_shape=[5, 4, 1]))
    assert (read.class_names, read.input_shape, read.state) == (("ä", ""), (5, 4, 1), None)
    assert read.versions["jax"] == jax.__version__
    read = saved.read(save(tmp_path / "net"))
    assert (read.class_names, read.input_shape) == ((), None)


def test_numpy_reads_it_too(tmp_path: Path) -> None:
    params = drawn()
    with np.load(save(tmp_path / "net.npz", params=params), allow_pickle=False) as archive:
        assert set(archive.files) == {"manifest", "params/0/w", "params/0/b", "params/3/w", "params/3/b"}
        np.testing.assert_array_equal(archive["params/3/w"], params[3]["w"])


arrays = st.sampled_from(["float16", "bfloat16", "float32", "float64", "int8", "uint8", "int64", "bool"]).flatmap(
    lambda dtype: hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)).map(
        lambda array: jnp.asarray(array.astype(jnp.dtype(dtype)))
    )
)
texts = st.text(max_size=4) | st.sampled_from(["", "/", "..", "a/b", "a_b", "0", "w", "w~1", "file", "manifest"])
pytrees = st.recursive(
    arrays | st.none(),
    lambda tree: (
        st.lists(tree, max_size=3)
        | st.lists(tree, max_size=3).map(tuple)
        | st.builds(Pair, tree, tree)
        | st.dictionaries(texts, tree, max_size=4)
        | st.dictionaries(st.integers(-3, 3), tree, max_size=3)
    ),
    max_leaves=8,
)


@given(pytrees, pytrees)
@draws()
def test_any_tree_of_arrays_comes_back(params: Any, state: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net"
        jcnn.save(path, (Held(), jcnn.Relu()), (params, {}), state)
        _, again, beside = jcnn.load(path)
    assert same(again, (params, {}))
    assert same(beside, state)


def test_any_order_of_bytes_and_of_axes_comes_back(tmp_path: Path) -> None:
    given_array = np.arange(6, dtype=">f4").reshape(2, 3, order="F")[::-1]
    _, ((again,),), _ = jcnn.load(save(tmp_path / "net", network=(Held(),), params=([given_array],)))
    np.testing.assert_array_equal(again, given_array)
    assert again.dtype == np.dtype("float32")


@pytest.mark.parametrize("part", ["params", "state"])
@pytest.mark.parametrize(
    ("tree", "message"),
    [
        pytest.param({"w": 1.0}, r"\['w'\] is 1.0, a float, which cannot be stored", id="a number"),
        pytest.param({"w": {(1, 2): jnp.ones(1)}}, r"\['w'\] is .*, a dict", id="a key that is a tuple"),
        pytest.param({True: jnp.ones(1)}, "a dict, which cannot be stored", id="a key that is True"),
        pytest.param([np.array(["a"])], r"\[0\] has dtype 'str", id="texts"),
        pytest.param([np.array([None])], r"\[0\] has dtype 'object'", id="objects"),
        pytest.param([jax.random.key(0)], r"\[0\] has dtype 'key", id="a key"),
        pytest.param([jnp.ones(1, "complex64")], r"\[0\] has dtype 'complex64'", id="complex"),
    ],
)
def test_what_is_no_tree_of_arrays_is_refused_by_its_place(tmp_path: Path, part: str, tree: Any, message: str) -> None:
    changed = {"params": (tree, {}, {}, {})} if part == "params" else {"state": tree}
    with pytest.raises(SavedNetworkError, match=f"net is not written: {part}.*{message}"):
        save(tmp_path / "net", **changed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        pytest.param({"network": ()}, SavedNetworkError, "net is not written: network=", id="no layer"),
        pytest.param({"params": ({},)}, SavedNetworkError, "expected 4 entries", id="too few"),
        pytest.param({"params": {}}, SavedNetworkError, "expected 4 entries", id="a dict"),
        pytest.param({"class_names": "ab"}, TypeError, "class_names='ab'", id="one text"),
        pytest.param({"class_names": [1]}, TypeError, "class_names=", id="numbers"),
        pytest.param({"input_shape": (0, 1)}, ValueError, "input_shape", id="no shape"),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, changed: Any, error: type[Exception], message: str) -> None:
    path = save(tmp_path / "net")
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        save(path, **changed)
    assert path.read_bytes() == before


def test_any_flipped_bit_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "net.jcnn")
    content = path.read_bytes()
    for flip in np.random.default_rng(0).choice(8 * len(content), 300, replace=False):
        damaged = bytearray(content)
        damaged[flip // 8] ^= 1 << (flip % 8)
        path.write_bytes(damaged)
        with pytest.raises(SavedNetworkError, match=r"net\.jcnn is refused: .*truncated or changed"):
            jcnn.load(path)
    path.write_bytes(content)
    assert jcnn.load(path)[0] == NETWORK


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content[:0], id="empty"),
        pytest.param(lambda content: content[:50], id="begun"),
        pytest.param(lambda content: content[:-1], id="a byte less"),
        pytest.param(lambda content: content + b"\n", id="a byte more"),
        pytest.param(lambda content: content[1:], id="without its first byte"),
        pytest.param(lambda content: content * 2, id="twice"),
        pytest.param(lambda content: bytes(len(content)), id="zeros"),
        pytest.param(lambda content: content.hex().encode(), id="text"),
    ],
)
def test_what_was_not_written_so_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = save(tmp_path / "net")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SavedNetworkError, match=r"net is refused: it is not what jcnn\.save writes"):
        jcnn.load(path)


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none"))):
        jcnn.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="none"):
        save(tmp_path / "none" / "net")
    with pytest.raises(SavedNetworkError, match=r"is no file: expected one that jcnn\.save wrote"):
        jcnn.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SavedNetworkError, match="pipe is no file"):
        jcnn.load(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        save(tmp_path / "folder")
    for unfit in (NETWORK, None):  # refused before the network is even looked at
        with pytest.raises(OSError, match=r"a pipe is there: expected a file.*pipe"):
            save(tmp_path / "pipe", network=unfit)
    assert sorted(child.name for child in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("net")
    save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert jcnn.load(tmp_path / "net")[0] == NETWORK


def forged(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A file whose manifest is changed, by one who knows how to make the digest fit."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(np.load(io.BytesIO(members["manifest.npy"])).tobytes())
    change(manifest)
    text = io.BytesIO()
    np.save(text, np.frombuffer(json.dumps(manifest).encode(), np.uint8))
    members["manifest.npy"] = text.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = bytes(64)
    content = buffer.getvalue()[:-64]
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
    return path


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_a_good_hand_is_believed(tmp_path: Path) -> None:
    """What the forgeries are made from is itself accepted: each of them is refused for its one change."""
    assert jcnn.load(forged(save(tmp_path / "net"), lambda _: None))[0] == NETWORK


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param("format", 2, "it is of format 2, and this version of jcnn reads format 1: .*jax", id="another version"),
        pytest.param("network", {"layers": [{"os:system": {}}]}, "no such class", id="a function for a layer"),
        pytest.param("network", {"layers": [{"gone_layers:Swish": {}}]}, "gone_layers failed with ModuleNotFound", id="gone"),
        pytest.param("network", [], "network is", id="no network"),
        pytest.param("params", None, "params is null", id="no parameters"),
        pytest.param("params", [{"array": "params/9/w"}], "expected an array that is there", id="no such array"),
        pytest.param("params", [3], "3: expected null", id="a number"),
        pytest.param("params", [{"os:system": []}], "no such class", id="a function for a tuple"),
        pytest.param("params", [{"tests.own_layers:Held": []}], "is no named tuple", id="a layer for a tuple"),
        pytest.param("params", [{"tests.own_layers:Pair": [None]}], "fields left, right: expected 1", id="a field less"),
        pytest.param("params", [{"dict": [[1.5, None]]}], "expected a pair", id="a key that is a fraction"),
        pytest.param("params", [{"dict": [[[], None]]}], "expected a pair", id="a key that is a list"),
        pytest.param("params", deep(500), "nested deeper", id="deep"),
        pytest.param("state", 3, "state is 3", id="a number for the state"),
        pytest.param("class_names", "ab", "class_names is", id="a text for names"),
        pytest.param("input_shape", [-1], "input_shape is", id="a negative size"),
        pytest.param("arrays", {}, "in the archive only", id="no arrays"),
    ],
)
def test_a_forgery_is_refused_by_name(tmp_path: Path, field: str, value: Any, message: str) -> None:
    path = forged(save(tmp_path / "net"), lambda manifest: manifest.update({field: value}))
    with pytest.raises(SavedNetworkError, match=f"net is refused: .*{message}") as refused:
        jcnn.load(path)
    assert len(str(refused.value)) < 1000 + len(str(path))


def test_a_full_disk_leaves_the_file_before(tmp_path: Path) -> None:
    path = save(tmp_path / "net")
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))  # the kernel refuses every byte after the 200th, as a full disk does
    try:
        with pytest.raises(OSError, match="net"):
            save(path, state={"more": jnp.zeros(3)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_layer_of_ones_own_is_found_by_its_import_path_or_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "my_layers.py").write_text(
        "from dataclasses import dataclass\nimport jcnn\n"
        "@dataclass(frozen=True)\nclass Swish(jcnn.Layer):\n    beta: float = 1.0\n"
    )
    code = "import jcnn, my_layers; jcnn.save('net', (my_layers.Swish(2.0),), ({},))"
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=here, check=True)
    with pytest.raises(
        SavedNetworkError, match=r"class Swish of module my_layers is not found: import my_layers failed .* PYTHONPATH"
    ):
        jcnn.load(tmp_path / "net")
    sys.path.insert(0, str(tmp_path))
    try:
        ((layer,), params, _) = jcnn.load(tmp_path / "net")
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("my_layers", None)
    assert (repr(layer), params) == ("Swish(beta=2.0)", ({},))


def test_an_inner_class_and_a_named_tuple(tmp_path: Path) -> None:
    params = (Pair(jnp.ones(2), jnp.zeros(0)),)
    network, again, _ = jcnn.load(save(tmp_path / "net", network=(Outer.Inner(2),), params=params))
    assert network == (Outer.Inner(2),)
    assert type(again[0]) is Pair
    assert same(again, params)


def test_a_network_that_keeps_something_is_not_saved_without_it(tmp_path: Path) -> None:
    """It could not be asked for anything."""
    network = (jcnn.Dense(2), jcnn.Residual((jcnn.BatchNorm(),)))
    params, state = jcnn.init(jax.random.key(0), network, (3,)), jcnn.init_state(network, (3,))
    with pytest.raises(SavedNetworkError, match=r"net is not written: state is None, and BatchNorm\(\) keeps one"):
        jcnn.save(tmp_path / "net", network, params)
    assert list(tmp_path.iterdir()) == []
    jcnn.save(tmp_path / "net", network, params, state)
    again, *arrays = jcnn.load(tmp_path / "net")
    assert again == network
    assert same(arrays, [params, state])
