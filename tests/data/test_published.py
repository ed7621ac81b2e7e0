"""The published sets, whole: every image and label as in the original files, which are read here by other means."""

import gzip
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from jcnn.data import Dataset, load

ORIGINALS = Path(os.environ.get("JCNN_ORIGINALS", "nowhere"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not ORIGINALS.is_dir(), reason="JCNN_ORIGINALS names no folder with mnist/, fashion_mnist/ and cifar10/ in it"
    ),
]
COUNTS = {"train": 50_000, "test": 10_000}


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_sets(name: str, tmp_path: Path) -> None:
    for split, prefix in (("train", "train"), ("test", "t10k")):
        data = load(name, split, data_dir=tmp_path, originals=ORIGINALS)
        for kind, skipped, found in (("images-idx3", 16, data.images), ("labels-idx1", 8, data.labels.astype(np.uint8))):
            original = gzip.decompress((ORIGINALS / name / f"{prefix}-{kind}-ubyte.gz").read_bytes())
            assert found.tobytes() == original[skipped:]
        assert data.images.shape == ({"train": 60_000, "test": 10_000}[split], 28, 28, 1)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with CIFAR-10's files unpacked."""
    archives = sorted((ORIGINALS / "cifar10").glob("*.tar.xz"))
    if not archives:
        yield ORIGINALS
        return
    folder = tmp_path_factory.mktemp("originals")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder / "cifar10", filter="data")
    yield folder


def test_cifar10(cifar: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in cifar.rglob("*.bin")}
    names = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
    for split, count in COUNTS.items():
        data: Dataset = load("cifar10", split, data_dir=tmp_path, originals=cifar)
        original = b"".join(files[name] for name in names[split])
        planes = np.asarray(data.images).transpose(0, 3, 1, 2).reshape(count, -1)
        rows = np.concatenate([data.labels.astype(np.uint8)[:, None], planes], axis=1)
        assert rows.tobytes() == original
        assert data.class_names[:3] == ("airplane", "automobile", "bird")


def test_ready_in_time(tmp_path: Path, record_testsuite_property: Callable[[str, object], None]) -> None:
    """From original files in 15 s, again in 1 s, measured alone on two cores; here with room for what runs beside."""
    code = (
        "import sys, time; from pathlib import Path; from jcnn.data import load; started = time.perf_counter();"
        "[load('mnist', split, data_dir=Path(sys.argv[1]), originals=Path(sys.argv[2])) for split in ('train', 'test')];"
        "print(time.perf_counter() - started)"
    )
    first, second = (
        float(
            subprocess.run([sys.executable, "-c", code, tmp_path, ORIGINALS], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(2)
    )
    record_testsuite_property("mnist ready, seconds", (first, second))
    assert first <= 45
    assert second <= 1.0
