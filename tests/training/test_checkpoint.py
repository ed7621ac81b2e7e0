"""Checkpoints: what is read is what was written, or nothing is."""

import json
import resource
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jcnn.training import checkpoint
from jcnn.training.checkpoint import CheckpointError

DATA = {"name": "digits", "fingerprint": "0" * 64}


def state(dtype: Any = jnp.float32) -> dict[str, Any]:
    values = jax.random.normal(jax.random.key(0), (3, 4), jnp.float32).astype(dtype)
    return {"params": ({"w": values}, {}), "optimizer": (jnp.asarray(7, jnp.int32),)}


def save(folder: Path, step: int = 5, tree: Any = None) -> Path:
    return checkpoint.save(folder, tree or state(), step=step, seed=3, config={"epochs": 2}, data=DATA)


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
    assert (manifest["step"], manifest["seed"], manifest["config"], manifest["data"]) == (5, 3, {"epochs": 2}, DATA)
    assert manifest["versions"]["jax"] == jax.__version__


def test_any_flipped_bit_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path)
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
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
    found = checkpoint.load_newest(tmp_path, refused.append)
    assert found is not None
    assert found.step == 1
    assert len(refused) == 1
    assert newest.name in refused[0]


def test_only_damaged_files_are_an_error(tmp_path: Path) -> None:
    save(tmp_path).write_bytes(b"")
    with pytest.raises(CheckpointError, match="all 1 are refused"):
        checkpoint.load_newest(tmp_path, lambda _: None)


def test_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.load_newest(tmp_path / "none", pytest.fail) is None


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
    digest = checkpoint.hashlib.sha256(content).hexdigest()[:16]
    path = tmp_path / f"checkpoint-00000001-{digest}.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a checkpoint of jcnn"):
        checkpoint.load(path)


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
