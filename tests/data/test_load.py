"""Data sets by name: what comes out, from where, and what is said when it cannot be had."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.data import DataError, Pixels, check, load
from jcnn.data.load import data_folder
from jcnn.data.registry import SOURCES
from tests.data import small_sets
from tests.data.small_sets import Gratings, grating, idx_files, small_mnist, write_originals

SPLITS = ("train", "test")


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("JCNN_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST and Fashion-MNIST of a hundred images, at addresses that lead nowhere."""
    for seed, name in enumerate(("mnist", "fashion_mnist")):
        monkeypatch.setitem(SOURCES, name, small_mnist(f"http://jcnn.invalid/{name}", name, seed))


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """A folder with a folder of original files for each."""
    for seed, name in enumerate(("mnist", "fashion_mnist")):
        write_originals(tmp_path / "originals" / name, seed)
    return tmp_path / "originals"


def expected(seed: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    from jcnn.data.originals import read_idx

    prefix = "train" if split == "train" else "t10k"
    with tempfile.TemporaryDirectory() as folder:
        path = write_originals(Path(folder), seed)
        return read_idx(path / f"{prefix}-images-idx3-ubyte.gz")[..., None], read_idx(path / f"{prefix}-labels-idx1-ubyte.gz")


def child(code: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, where mnist is the small one."""
    start = "from tests.data import small_sets; small_sets.use_small_mnist(); from jcnn.data import load, DataError\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_gratings_arrive_as_drawn() -> None:
    told: list[str] = []
    for split in SPLITS:
        data = load("tfds:gratings", split, tell=told.append)
        drawn = [grating(index + 1000 * (split != "train")) for index in range(Gratings.SPLITS[split])]
        np.testing.assert_array_equal(data.images[..., 0], [image for image, _ in drawn])
        np.testing.assert_array_equal(data.labels, [label for _, label in drawn])
        assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
        assert data.class_names == small_sets.LABELS
        assert data.fingerprint == hashlib.sha256(data.images.tobytes() + data.labels.tobytes()).hexdigest()
        assert "gratings/1.0.0" in data.attribution
        assert "https://gratings.invalid/" in data.attribution
    assert len(told) == 1  # prepared once


def test_a_config_and_a_version_can_be_named() -> None:
    assert len(load("tfds:gratings:1.0.0", "test").labels) == 90


def test_without_a_test_split_a_fifth_of_every_class_is_held_out() -> None:
    train, test = (load("tfds:gratings_train_only", split) for split in SPLITS)
    assert np.bincount(test.labels).tolist() == [20, 20, 20]
    assert np.bincount(train.labels).tolist() == [80, 80, 80]
    together = {image.tobytes() for data in (train, test) for image in data.images}
    assert together == {grating(index)[0].tobytes() for index in range(300)}


def test_validation_stands_in_for_a_test_split_without_labels() -> None:
    test = load("tfds:gratings_hidden_labels", "test")
    assert np.bincount(test.labels).tolist() == [15, 15, 15]


def test_images_of_different_sizes_need_one_to_be_brought_to() -> None:
    with pytest.raises(DataError, match=r"differ in size, 9×10 to 20×14: give one for all, such as --image-size 64"):
        load("tfds:gratings_of_sizes")
    data = load("tfds:gratings_of_sizes", image_size=16)
    assert data.images.shape == (60, 16, 16, 1)
    assert data.images.std() > 20


def test_broken_images_are_named_and_cost_the_rest_only_if_so_wanted(data_dir: Path) -> None:
    with pytest.raises(DataError, match=r"gratings_some_broken/1.0.0: 4 of 45 images cannot be read: ") as error:
        load("tfds:gratings_some_broken")
    named = [f"train, image {index}: is no image" for index in (9, 19, 29)] + ["test, image 9: is no image"]
    assert all(name in str(error.value) for name in named)
    assert not list(data_dir.rglob("manifest.json"))
    told: list[str] = []
    train, test = (load("tfds:gratings_some_broken", split, broken="skip", tell=told.append) for split in SPLITS)
    np.testing.assert_array_equal(train.images[..., 0], [grating(index)[0] for index in range(30) if index % 10 != 9])
    np.testing.assert_array_equal(test.labels, [grating(index + 1000)[1] for index in range(15) if index != 9])
    (said,) = [line for line in told if "left out" in line]
    assert all(name in said for name in named)


def test_16_bits_are_read_as_everywhere() -> None:
    told: list[str] = []
    data = load("tfds:gratings_of16_bits", tell=told.append)
    np.testing.assert_array_equal(data.images[..., 0], [grating(index)[0] for index in range(30)])
    assert any("45 of 45 images: 16 bits a value, rounded to 8" in line for line in told)


def test_what_is_asked_of_pixels_is_done_and_kept() -> None:
    wanted = Pixels(channels=3, polarity="inverted")
    for name in ("tfds:gratings", "digits"):
        plain, data = load(name, "test"), load(name, "test", pixels=wanted)
        np.testing.assert_array_equal(data.images, 255 - np.repeat(plain.images, 3, -1))
        assert load(name, "test", pixels=wanted).pixels == wanted
        assert plain.pixels == Pixels(channels=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"broken": "ignore"}, ValueError, "broken='ignore': expected 'refuse' or 'skip'"),
        ({"pixels": {"channels": 1}}, TypeError, "pixels=.*expected a jcnn.data.Pixels"),
        ({"pixels": Pixels(channels=2)}, ValueError, "channels=2: expected 1"),
    ],
)
def test_options_without_a_meaning(options: Any, error: type[Exception], message: str) -> None:
    for ask in (load, check):
        with pytest.raises(error, match=message):
            ask("digits", **options)


def test_the_digits_too_can_be_brought_to_a_size() -> None:
    assert load("digits", "test", image_size=12).images.shape == (359, 12, 12, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("tfds:gratngs", "knows no data set 'gratngs'; did you mean gratings", id="misspelt"),
        pytest.param("tfds:sayings", "sayings/1.0.0 has the features text .Text., label .ClassLabel.", id="no images"),
        pytest.param(
            "tfds:gratings_as_arrays",
            'gratings_as_arrays cannot be prepared in .* without TensorFlow: pip install "jcnn.tensorflow."',
            id="TensorFlow",
        ),
    ],
)
def test_sets_that_cannot_be_had(name: str, message: str, data_dir: Path) -> None:
    with pytest.raises(DataError, match=message):
        load(name)
    assert not list(data_dir.rglob("*.array_record*"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("tfds:gratings_unlabelled", "20 images without a label among its 30 training images", id="no labels"),
        pytest.param("tfds:gratings_too_few", "too few images to hold a fifth of every class out", id="too few"),
    ],
)
def test_sets_that_cannot_be_learned_from(name: str, message: str, data_dir: Path) -> None:
    with pytest.raises(DataError, match=message):
        load(name)
    assert not list(data_dir.rglob("manifest.json"))


def test_every_name_and_size_has_a_place_of_its_own(data_dir: Path) -> None:
    first, config = load("tfds:gratings_in_sizes/first", image_size=16), load("tfds:gratings_in_sizes/16px")
    assert (first.images.shape, config.images.shape) == ((30, 16, 16, 1), (30, 12, 12, 1))
    plain = load("tfds:gratings_in_sizes/first")
    np.testing.assert_array_equal(config.images, 255 - plain.images)
    assert load("tfds:gratings_in_sizes", image_size=16).images.shape == (30, 16, 16, 1)
    load("tfds:gratings", image_size=16)
    with pytest.raises(DataError):
        load("tfds:gratings/16px")
    assert len(list((data_dir / "jcnn").glob("*/manifest.json"))) == 5


def test_two_sizes_at_once(data_dir: Path) -> None:
    code = "import tests.data.small_sets; print(load('tfds:gratings', image_size={}).images.shape)"
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda size=size: found.append(child(code.format(size)).stdout.strip()))
        for size in (None, 14, 16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["(300, 12, 12, 1)", "(300, 14, 14, 1)", "(300, 16, 16, 1)"]
    assert not list((data_dir / "jcnn/preparing").iterdir())


@pytest.mark.parametrize(
    "name", ["cats", "", "tfds:", "Mnist", "tfds:..", "tfds:../x", "tfds:a b", "tfds:mnist/", "mnist:3.0.1"]
)
def test_other_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected one of digits, mnist, .* or tfds:NAME"):
        load(name)


@pytest.mark.usefixtures("small")
def test_published_order_and_bytes(originals: Path) -> None:
    for split in SPLITS:
        for seed, name in enumerate(("mnist", "fashion_mnist")):
            data = load(name, split, originals=originals)
            images, labels = expected(seed, split)
            np.testing.assert_array_equal(data.images, images)
            np.testing.assert_array_equal(data.labels, labels)
    assert load("fashion_mnist").class_names[-1] == "ankle boot"
    assert load("tfds:mnist").fingerprint == load("mnist").fingerprint


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-100]), id="truncated"),
        pytest.param(lambda path: path.write_bytes(b"\x1f\x8b" + path.read_bytes()[2:-1] + b"?"), id="changed"),
        pytest.param(
            lambda path: path.write_bytes(idx_files(1)["train-images-idx3-ubyte.gz"]), id="of fashion_mnist, same file name"
        ),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
    ],
)
def test_a_wrong_original_is_never_read(damage: object, originals: Path, data_dir: Path) -> None:
    path = originals / "mnist/train-images-idx3-ubyte.gz"
    damage(path)  # pyright: ignore[reportCallIssue]
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz.*has wrong checksum.*remove it and get it again"):
        load("mnist", originals=originals)
    assert path.exists()  # theirs, not ours
    assert not list(data_dir.rglob("*.array_record*"))
    write_originals(originals / "mnist")
    np.testing.assert_array_equal(load("mnist", originals=originals).images, expected(0, "train")[0])


@pytest.mark.usefixtures("small")
def test_offline_says_what_is_missing_and_the_ways_out(originals: Path) -> None:
    (originals / "mnist/t10k-labels-idx1-ubyte.gz").unlink()
    started = time.perf_counter()
    with pytest.raises(DataError) as error:
        load("mnist", originals=originals)
    assert time.perf_counter() - started < 5
    message = str(error.value)
    assert "jcnn.invalid cannot be reached. Missing: http://jcnn.invalid/mnist/t10k-labels-idx1-ubyte.gz." in message
    for part in ("data/mnist/3.0.1", "data/downloads/mnist", "originals/mnist", "--originals", "--data-dir", "connect"):
        assert part in message


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address that serves a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base)
            del format, args

    folder = write_originals(tmp_path / "served")
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}", folder
    served.shutdown()
    served.server_close()
    thread.join()


def test_downloaded_checked_and_kept(server: tuple[str, Path], data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, folder = server
    monkeypatch.setitem(SOURCES, "mnist", small_mnist(address))
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match="has wrong checksum"):
        load("mnist")
    write_originals(folder)
    np.testing.assert_array_equal(load("mnist").images, expected(0, "train")[0])

    shutil.rmtree(data_dir / "mnist")
    shutil.rmtree(data_dir / "jcnn")
    shutil.rmtree(folder)
    np.testing.assert_array_equal(load("mnist", "test").images, expected(0, "test")[0])  # from what was downloaded

    shutil.rmtree(data_dir / "mnist")
    shutil.rmtree(data_dir / "jcnn")
    (kept,) = [path for path in (data_dir / "downloads").rglob("*t10k-images*.gz") if path.is_file()]
    kept.write_bytes(kept.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"t10k-images.* has a wrong checksum and was removed: run again"):
        load("mnist")
    assert not kept.exists()
    started = time.perf_counter()
    with pytest.raises(DataError, match=rf"answers 404 .*Missing: {address}/t10k-images-idx3-ubyte.gz"):
        load("mnist")
    assert time.perf_counter() - started < 5
    write_originals(folder)
    np.testing.assert_array_equal(load("mnist", "test").images, expected(0, "test")[0])


def test_a_server_without_the_file(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, folder = server
    monkeypatch.setitem(SOURCES, "mnist", small_mnist(address))
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    started = time.perf_counter()
    with pytest.raises(DataError, match=r"404|t10k-labels"):
        load("mnist")
    assert time.perf_counter() - started < 5


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("at", [0, 40, 79])
def test_killed_while_preparing(at: int, originals: Path, data_dir: Path) -> None:
    code = f"load('mnist', originals=__import__('pathlib').Path({str(originals)!r}))"
    assert child(code, check=False, DIE_AT=str(at)).returncode == -9
    assert not (data_dir / "mnist").exists()
    assert not (data_dir / "jcnn/mnist").exists()
    np.testing.assert_array_equal(load("mnist", originals=originals).images, expected(0, "train")[0])
    assert not list((data_dir / "jcnn/preparing").iterdir())


@pytest.mark.usefixtures("small")
def test_two_processes_prepare_once(originals: Path, tmp_path: Path) -> None:
    code = f"print(load('mnist', originals=__import__('pathlib').Path({str(originals)!r})).fingerprint)"
    count = tmp_path / "count"
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(child(code, COUNT=str(count)).stdout.strip())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [load("mnist").fingerprint] * 2
    assert count.read_text().count("prepared") == len(SPLITS)  # once for each split, in one of them


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"


@pytest.mark.usefixtures("small")
def test_a_full_disk(originals: Path, data_dir: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    code = f"load('mnist', originals=__import__('pathlib').Path({str(originals)!r}))"

    failed = child(LIMITED + code, check=False)
    assert failed.returncode == 1
    assert "DataError: mnist cannot be prepared" in failed.stderr
    assert not (data_dir / "mnist").exists()
    assert not list(data_dir.rglob("*.array_record*"))
    assert len(load("mnist", originals=originals).labels) == 80


@pytest.mark.usefixtures("small")
def test_room_for_the_set_but_not_for_the_decoded_images(originals: Path, data_dir: Path) -> None:
    load("mnist", originals=originals)
    shutil.rmtree(data_dir / "jcnn")

    done = child(LIMITED + "print(load('mnist').fingerprint)")
    assert "cannot be kept" in done.stderr
    assert not (data_dir / "jcnn/mnist").exists()
    assert done.stdout.strip() == load("mnist").fingerprint


READ_ONLY = """

import os
from pathlib import Path
load("mnist", data_dir=Path(OTHER), originals=Path(ORIGINALS))  # modules that are imported late may be root's alone
if os.geteuid() == 0:
    os.seteuid(65534)  # permissions do not bind root
try:
    print(load("mnist", data_dir=Path(FOLDER)).fingerprint)
except DataError as error:
    print(error)
"""


@pytest.mark.usefixtures("small")
def test_a_read_only_folder(originals: Path, data_dir: Path) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "data"
        fingerprint = load("mnist", originals=originals, data_dir=folder).fingerprint
        shutil.rmtree(folder / "jcnn")
        for path in (Path(parent), *folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)

        def loaded(name: str, into: Path) -> subprocess.CompletedProcess[str]:
            values = f"FOLDER, OTHER, ORIGINALS = {str(into)!r}, {str(data_dir / name)!r}, {str(originals / 'mnist')!r}"
            return child(values + READ_ONLY)

        done = loaded("first", folder)
        assert done.stdout.strip() == fingerprint
        assert "cannot be kept" in done.stderr

        said = loaded("second", folder / "mnist/3.0.1").stdout
        assert "cannot be prepared" in said
        assert "give a folder that can be written with --data-dir" in said
        Path(parent).chmod(0o755)
        folder.chmod(0o755)
        for path in folder.rglob("*"):
            path.chmod(0o755)


@pytest.mark.usefixtures("small")
def test_a_folder_prepared_as_tfrecord(originals: Path, data_dir: Path) -> None:
    load("mnist", originals=originals)
    shutil.rmtree(data_dir / "jcnn")
    info = data_dir / "mnist/3.0.1/dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(DataError, match=r"mnist/3.0.1 was prepared as tfrecord, which only TensorFlow reads: give another"):
        load("mnist", originals=originals)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["truncated", "gone", "changed"])
def test_a_damaged_prepared_set(damage: str, originals: Path, data_dir: Path) -> None:
    load("mnist", originals=originals)
    shutil.rmtree(data_dir / "jcnn")
    (shard,) = (data_dir / "mnist/3.0.1").glob("*train*array_record*")
    content = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        changed = bytearray(content)
        changed[::5000] = bytes(byte ^ 1 for byte in changed[::5000])  # some of it only fills up
        shard.write_bytes(content[:70_000] if damage == "truncated" else changed)
    with pytest.raises(DataError, match=r"mnist/3.0.1 cannot be read: .*move that folder away, and run again"):
        load("mnist", originals=originals)
    assert not (data_dir / "jcnn/mnist").exists()


@pytest.mark.usefixtures("small")
def test_the_next_start_needs_no_tensorflow_datasets(originals: Path) -> None:
    load("mnist", originals=originals)
    code = (
        "import sys; from jcnn.data import load; load('mnist'); load('digits');"
        "print({'tensorflow_datasets', 'tensorflow', 'requests'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert not done.stderr


@pytest.mark.parametrize(
    ("variables", "given", "found"),
    [
        pytest.param({"JCNN_DATA_DIR": "/j", "TFDS_DATA_DIR": "/t"}, Path("/given"), "/given", id="given"),
        pytest.param({"JCNN_DATA_DIR": "/j", "TFDS_DATA_DIR": "/t"}, None, "/j", id="JCNN_DATA_DIR"),
        pytest.param({"TFDS_DATA_DIR": "/t", "XDG_CACHE_HOME": "/c"}, None, "/t", id="TFDS_DATA_DIR"),
        pytest.param({"XDG_CACHE_HOME": "/c"}, None, "/c/jcnn", id="the cache folder"),
        pytest.param({"HOME": "/home/x"}, None, "/home/x/.cache/jcnn", id="the usual cache folder"),
    ],
)
def test_where_things_lie(variables: dict[str, str], given: Path | None, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JCNN_DATA_DIR", "TFDS_DATA_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert data_folder(given) == Path(found)


@pytest.mark.usefixtures("small")
def test_a_prepared_set_without_its_description(originals: Path, data_dir: Path) -> None:
    load("mnist", originals=originals)
    shutil.rmtree(data_dir / "jcnn")
    (data_dir / "mnist/3.0.1/dataset_info.json").unlink()
    with pytest.raises(DataError, match=r"3.0.1 is no prepared set, its dataset_info.json is missing: .*move that folder"):
        load("mnist", originals=originals)


def test_a_file_as_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="expected a folder for data sets"):
        load("mnist", data_dir=tmp_path / "file")


def test_originals_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load("mnist", originals=tmp_path / "nowhere")


def test_the_manifest_names_its_source(data_dir: Path) -> None:
    load("tfds:gratings")
    manifest = json.loads((data_dir / "jcnn/gratings/manifest.json").read_text())
    assert (data_dir / "jcnn/gratings" / manifest["source"]["path"]).resolve() == (data_dir / "gratings/1.0.0").resolve()
