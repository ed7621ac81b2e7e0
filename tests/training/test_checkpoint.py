"""Checkpoints: what is read is what was written, or nothing is."""

import hashlib
import io
import json
import os
import resource
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jcnn.training import checkpoint
from jcnn.training.checkpoint import CheckpointError

DATA = {"name": "digits", "input_shape": [3, 4, 1], "class_names": ["a", "b"], "fingerprint": "0" * 64}


def state(dtype: Any = jnp.float32) -> dict[str, Any]:
    values = jax.random.normal(jax.random.key(0), (3, 4), jnp.float32).astype(dtype)
    return {"params": ({"w": values}, {}), "optimizer": (jnp.asarray(7, jnp.int32),)}


def save(folder: Path, step: int = 5, tree: Any = None) -> Path:
    return checkpoint.save(folder, tree or state(), step=step, seed=3, config={"epochs": 2, "seed": 3}, data=DATA)


def named(folder: Path, step: int, content: bytes) -> Path:
    """Any bytes under the name that vouches for them."""
    path = folder / f"checkpoint-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.npz"
    path.write_bytes(content)
    return path


def equal_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32"])
def test_every_dtype_comes_back_bit_for_bit(tmp_path: Path, dtype: str) -> None:
    tree = state(dtype)
    restored = checkpoint.restore(checkpoint.load(save(tmp_path, tree=tree)), jax.eval_shape(lambda: tree))
    assert jax.tree.all(jax.tree.map(equal_bits, tree, restored))


def test_special_values_survive(tmp_path: Path) -> None:
    tree = {"params": jnp.asarray([jnp.nan, jnp.inf, -jnp.inf, -0.0, 1e-45], jnp.float32)}
    restored = checkpoint.restore(checkpoint.load(save(tmp_path, tree=tree)), tree)
    assert equal_bits(tree["params"], restored["params"])


def test_the_manifest_says_what_is_inside(tmp_path: Path) -> None:
    with np.load(save(tmp_path, tree=state("bfloat16")), allow_pickle=False) as archive:
        manifest = json.loads(archive["manifest"].tobytes())
        assert set(archive.files) == {"manifest", "params/0/w", "optimizer/0"}
    assert manifest["arrays"]["params/0/w"] == {"shape": [3, 4], "dtype": "bfloat16"}
    assert (manifest["step"], manifest["seed"], manifest["config"], manifest["data"]) == (
        5, 3, {"epochs": 2, "seed": 3}, DATA,
    )  # fmt: skip
    assert manifest["versions"]["jax"] == jax.__version__


def test_any_flipped_bit_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path)
    content = path.read_bytes()
    for flip in np.random.default_rng(0).choice(8 * len(content), 200, replace=False):
        damaged = bytearray(content)
        damaged[flip // 8] ^= 1 << (flip % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=rf"{path.name} is refused: .*truncated or changed"):
            checkpoint.load(path)
    path.write_bytes(content)
    assert checkpoint.load(path).step == 5


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused_and_the_one_before_used(tmp_path: Path, part: float) -> None:
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    content = newest.read_bytes()
    newest.write_bytes(content[: int(len(content) * part)])
    refused: list[str] = []
    found = checkpoint.load_newest(tmp_path, refused.append, lambda found: found)
    assert found is not None
    assert found.step == 1
    assert len(refused) == 1
    assert newest.name in refused[0]


def test_only_damaged_files_are_an_error(tmp_path: Path) -> None:
    save(tmp_path).write_bytes(b"")
    with pytest.raises(CheckpointError, match="all 1 are refused"):
        checkpoint.load_newest(tmp_path, lambda _: None, lambda found: found)


def test_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.load_newest(tmp_path / "none", pytest.fail, lambda found: found) is None


def test_only_the_newest_three_are_kept(tmp_path: Path) -> None:
    paths = [save(tmp_path, step) for step in (10, 9, 100, 11)]
    assert checkpoint.candidates(tmp_path) == [paths[2], paths[3], paths[0]]


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return pytest.fail, ("a pickle was loaded",)

    plain = tmp_path / "plain.npz"
    np.savez(plain, allow_pickle=True, manifest=np.array([Trap()], object))
    content = plain.read_bytes()
    with pytest.raises(CheckpointError, match="not a checkpoint of jcnn"):
        checkpoint.load(named(tmp_path, 1, content))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("weights.npz", "expected a name such as checkpoint-", id="another name"),
        pytest.param("checkpoint-00000001-0123456789abcdef.npz", "No such file", id="missing"),
    ],
)
def test_no_checkpoint_at_all(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(tmp_path / name)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param({"params": ()}, "on one side only", id="other names"),
        pytest.param(
            {"params": ({"w": jnp.zeros((4, 4), jnp.float32)}, {}), "optimizer": (jnp.asarray(0, jnp.int32),)},
            r"params/0/w is float32\[3, 4\], expected float32\[4, 4\]",
            id="other shape",
        ),
        pytest.param(
            {"params": ({"w": jnp.zeros((3, 4), jnp.float16)}, {}), "optimizer": (jnp.asarray(0, jnp.int32),)},
            "expected float16",
            id="other dtype",
        ),
    ],
)
def test_another_network_is_refused(tmp_path: Path, template: Any, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.restore(checkpoint.load(save(tmp_path)), template)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    good = save(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))  # the kernel refuses every byte after the 200th, as a full disk does
    try:
        with pytest.raises(CheckpointError, match=f"cannot write .*the last good checkpoint is .*{good.name}"):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [good.name]
    assert checkpoint.load(good).step == 1


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tmp_path / "taken")


def test_a_half_written_file_is_never_a_candidate_and_goes_with_the_next(tmp_path: Path) -> None:
    path = save(tmp_path)
    half = tmp_path / f".{path.name}.1.tmp"
    half.write_bytes(path.read_bytes()[:10])
    assert checkpoint.candidates(tmp_path) == [path]
    save(tmp_path, 6)
    assert not half.exists()


def test_steps_of_more_digits_are_the_newer_ones(tmp_path: Path) -> None:
    paths = [save(tmp_path, step) for step in (99_999_999, 100_000_000)]
    assert checkpoint.candidates(tmp_path) == paths[::-1]
    assert checkpoint.load(paths[1]).step == 100_000_000


def npy(shape: tuple[int, ...], dtype: str, content: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A header, and whatever bytes behind it."""
    file = io.BytesIO()
    write = np.lib.format.write_array_header_1_0 if version == (1, 0) else np.lib.format.write_array_header_2_0
    write(file, {"shape": shape, "fortran_order": False, "descr": dtype})
    return file.getvalue() + content


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members:
            made.writestr(name, content)
    return file.getvalue()


def forged(change: Callable[[dict[str, Any]], object], members: dict[str, bytes] | None = None, **how: int) -> bytes:
    """A checkpoint of one array `w`, three float32, made by a good hand but for these changes."""
    manifest = {
        "format": 1, "step": 2, "seed": 0, "config": {"epochs": 2}, "data": DATA, "versions": {}, "settings": {},
        "arrays": {"w": {"shape": [3], "dtype": "float32"}},
    }  # fmt: skip
    changed = change(manifest)
    text = changed if isinstance(changed, bytes) else json.dumps(manifest).encode()
    files = {"manifest.npy": npy((len(text),), "|u1", text), "w.npy": npy((3,), "<f4", bytes(12)), **(members or {})}
    return archive([(name, content) for name, content in files.items() if content], **how)


def settle(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    """Puts a value at a place in the manifest."""

    def change(manifest: dict[str, Any]) -> None:
        *way, last = path
        for key in way:
            manifest = manifest[key]
        manifest[last] = to

    return change


def unchanged(_: object) -> None:
    pass


FORGED = {
    "a header of 4 TB": lambda: forged(settle("arrays", "w", "shape", to=[10**12]), {"w.npy": npy((10**12,), "<f4")}),
    "a header of 4 TB that the manifest does not know": lambda: forged(unchanged, {"w.npy": npy((10**12,), "<f4")}),
    "a manifest of 1 TB": lambda: forged(unchanged, {"manifest.npy": npy((10**12,), "|u1")}),
    "a bomb": lambda: forged(
        settle("arrays", "w", "shape", to=[25_000_000]),
        {"w.npy": npy((25_000_000,), "<f4", bytes(100_000_000))},
        compression=zipfile.ZIP_DEFLATED,
    ),
    "sizes beyond int64": lambda: forged(
        settle("arrays", "w", "shape", to=[2**62, 2**62]), {"w.npy": npy((2**62, 2**62), "<f4")}
    ),
    "a negative size": lambda: forged(settle("arrays", "w", "shape", to=[-3]), {"w.npy": npy((-3,), "<f4", bytes(12))}),
    "two negative sizes": lambda: forged(
        settle("arrays", "w", "shape", to=[-3, -1]), {"w.npy": npy((-3, -1), "<f4", bytes(12))}
    ),
    "a size that is true": lambda: forged(settle("arrays", "w", "shape", to=[True]), {"w.npy": npy((1,), "<f4", bytes(4))}),
    "a shape that is a word": lambda: forged(settle("arrays", "w", "shape", to="3")),
    "fewer bytes than declared": lambda: forged(unchanged, {"w.npy": npy((3,), "<f4", bytes(11))}),
    "more bytes than declared": lambda: forged(unchanged, {"w.npy": npy((3,), "<f4", bytes(13))}),
    "another dtype than declared": lambda: forged(unchanged, {"w.npy": npy((3,), "<i4", bytes(12))}),
    "another order of bytes": lambda: forged(unchanged, {"w.npy": npy((3,), ">f4", bytes(12))}),
    "an unknown dtype": lambda: forged(settle("arrays", "w", "dtype", to="float31")),
    "objects": lambda: forged(settle("arrays", "w", "dtype", to="object"), {"w.npy": npy((3,), "|O", bytes(24))}),
    "objects called numbers": lambda: forged(unchanged, {"w.npy": npy((3,), "|O", bytes(24))}),
    "records": lambda: forged(settle("arrays", "w", "dtype", to=[["a", "<f4"]])),
    "another version of the format": lambda: forged(unchanged, {"w.npy": npy((3,), "<f4", bytes(12), (2, 0))}),
    "a header of brackets": lambda: forged(unchanged, {"w.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535}),
    "no header": lambda: forged(unchanged, {"w.npy": b"nothing"}),
    "an array that is missing": lambda: forged(unchanged, {"w.npy": b""}),
    "an array too many": lambda: forged(unchanged, {"v.npy": npy((3,), "<f4", bytes(12))}),
    "a member that is no array": lambda: forged(unchanged, {"w.py": b"print()"}),
    "no manifest": lambda: forged(unchanged, {"manifest.npy": b""}),
    "a manifest that is no JSON": lambda: forged(lambda _: b"{"),
    "a manifest that is a list": lambda: forged(lambda _: b"[]"),
    "a manifest that is nested deep": lambda: forged(lambda _: b"[" * 100_000),
    "a number of a million digits": lambda: forged(lambda _: b'{"step": ' + b"9" * 1_000_000 + b"}"),
    "a negative step": lambda: forged(settle("step", to=-2)),
    "a step that is true": lambda: forged(settle("step", to=True)),
    "a step that is a word": lambda: forged(settle("step", to="2")),
    "a step that is a fraction": lambda: forged(settle("step", to=2.0)),
    "another step than the name says": lambda: forged(settle("step", to=3)),
    "another format": lambda: forged(settle("format", to=2)),
    "a seed that is nothing": lambda: forged(settle("seed", to=None)),
    "another seed than the config's": lambda: forged(settle("seed", to=1)),
    "a config that is a list": lambda: forged(settle("config", to=[])),
    "a config with an unknown choice": lambda: forged(settle("config", "colour", to="red")),
    "a config out of range": lambda: forged(settle("config", "epochs", to=0)),
    "a config of another type": lambda: forged(settle("config", "epochs", to="many")),
    "data without a shape": lambda: forged(settle("data", to={"name": "digits", "fingerprint": "", "class_names": []})),
    "classes that are numbers": lambda: forged(settle("data", to={**DATA, "class_names": [1, 2]})),
    "a shape of no sizes": lambda: forged(settle("data", to={**DATA, "input_shape": []})),
    "versions that are a list": lambda: forged(settle("versions", to=[])),
    "settings that are numbers": lambda: forged(settle("settings", to={"a": 1})),
    "an absurdly long word": lambda: forged(settle("arrays", "w", "dtype", to="x" * 1_000_000)),
    "no archive": lambda: b"nothing",
    "an empty archive": lambda: archive([]),
}  # fmt: skip
FORGED |= {
    f"no {field}": lambda field=field: forged(lambda manifest: manifest.pop(field))
    for field in ("format", "step", "seed", "config", "data", "versions", "arrays")
}


def test_a_good_hand_is_believed(tmp_path: Path) -> None:
    """What the forgeries are made from is itself accepted: each of them is refused for its one change."""
    assert checkpoint.load(named(tmp_path, 2, forged(unchanged))).arrays["w"].shape == (3,)


@pytest.mark.parametrize("kind", FORGED)
def test_a_forgery_is_refused_by_name_and_the_one_before_used(kind: str, tmp_path: Path) -> None:
    """Its name vouches for its bytes, so only what they say can give it away; and no memory is taken on its word."""
    save(tmp_path, 1)
    content = FORGED[kind]()
    newest = named(tmp_path, 2, content)
    refused: list[str] = []
    tracemalloc.start()
    try:
        found = checkpoint.load_newest(tmp_path, refused.append, lambda found: found)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.step == 1
    assert len(refused) == 1
    assert str(newest) in refused[0]
    assert "is refused" in refused[0]
    assert len(refused[0]) < 1000
    assert most < 1_000_000 + 60 * len(content)


@pytest.mark.parametrize("kind", ["fewer bytes than declared", "more bytes than declared"])
def test_a_header_is_held_against_the_bytes_that_are_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"w\.npy holds 1[13] bytes: expected those of float32\[3\]"):
        checkpoint.load(named(tmp_path, 2, FORGED[kind]()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    whole = forged(unchanged)
    with zipfile.ZipFile(io.BytesIO(whole)) as made:
        members = [(name, made.read(name)) for name in made.namelist()]
    with pytest.raises(CheckpointError, match="two of one name"):
        checkpoint.load(named(tmp_path, 2, archive([*members, members[-1]])))


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    good = save(tmp_path, 1)
    (tmp_path / "checkpoint-00000003-0123456789abcdef.npz").mkdir()
    os.mkfifo(tmp_path / "checkpoint-00000002-0123456789abcdef.npz")
    refused: list[str] = []
    found = checkpoint.load_newest(tmp_path, refused.append, lambda found: found)
    assert found is not None
    assert found.path == good
    assert [text.endswith("it is no file") for text in refused] == [True, True]
    paths = [save(tmp_path, step) for step in (4, 5, 6)]
    assert checkpoint.candidates(tmp_path)[:3] == paths[::-1]


def test_one_that_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path, 1)
    other = save(tmp_path, 2, {"params": ()})
    refused: list[str] = []
    found = checkpoint.load_newest(tmp_path, refused.append, lambda found: checkpoint.restore(found, state()))
    assert found is not None
    assert [str(other) in text for text in refused] == [True]
