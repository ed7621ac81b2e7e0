"""A data set is a row: whoever adds one finds it wherever data sets are named, and touches nothing else."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jcnn import data
from jcnn.data import Dataset, load
from jcnn.data.dataset import fingerprint
from jcnn.data.registry import SOURCES, Embedded, PublishedFiles, Source, Stock
from jcnn.training import default_config
from tests.commands.running import folder, run

__all__ = ["folder"]


def load_stripes(split: str) -> Dataset:
    """Level and upright stripes, by turns."""
    images = np.full((40 if split == "train" else 20, 8, 8, 1), 255, np.uint8)
    labels = (np.arange(len(images)) % 2).astype(np.int32)
    images[labels == 0, ::2] = 0
    images[labels == 1, :, ::2] = 0
    return Dataset("stripes", split, images, labels, ("level", "upright"), fingerprint(images, labels))


STRIPES = Source("60 stripes, 8×8, grey", "https://stripes.invalid/", "CC0", Embedded(load_stripes), epochs=2)


@pytest.fixture
def stripes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JCNN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(SOURCES, "stripes", STRIPES)


@pytest.mark.usefixtures("stripes")
def test_a_new_row_is_loaded_and_named_in_errors() -> None:
    assert load("stripes", "test").images.shape == (20, 8, 8, 1)
    assert load("stripes", image_size=12).images.shape == (40, 12, 12, 1)
    data.check("stripes")
    assert default_config("stripes").epochs == 2
    with pytest.raises(ValueError, match=r"expected one of digits, .*, stripes, .* or tfds:NAME .*did you mean stripes"):
        load("stripe")


@pytest.mark.usefixtures("stripes", "folder")
def test_a_new_row_is_listed_and_prepared(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("data", "list") == 0
    said = capsys.readouterr().out
    (row,) = [line for line in said.splitlines() if line.startswith("stripes ")]
    assert [cell.strip() for cell in row.split("│")] == ["stripes", "8×8×1", "2", "train 40, test 20", "", "embedded"]
    assert "stripes: 60 stripes, 8×8, grey (https://stripes.invalid/, licence: CC0)\n" in said
    assert run("data", "prepare", "stripes") == 0
    assert "stripes train: 40 images of 8×8×1, 2 classes" in capsys.readouterr().out


@pytest.mark.usefixtures("stripes")
def test_a_row_of_tensorflow_datasets_goes_by_its_bare_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import tests.data.small_sets  # the set is known from here on

    monkeypatch.setitem(SOURCES, "gratings", Source("390 gratings", "", "", Stock(), class_names=("a", "b", "c")))
    found = load("gratings", "test")
    assert found.images.shape == (90, 12, 12, 1)
    assert found.class_names == ("a", "b", "c")
    assert found.class_names != tests.data.small_sets.LABELS


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in SOURCES.items()])
def test_a_row_says_where_the_images_are_described_and_how_they_may_be_used(source: Source, tmp_path: Path) -> None:
    assert source.address.startswith("http")
    assert source.licence
    if isinstance(source.reader, PublishedFiles):
        assert source.address == source.reader.stock_builder()(data_dir=tmp_path).info.homepage


HELP = """
from contextlib import suppress
from jcnn.data.registry import SOURCES
SOURCES["stripes"] = SOURCES["digits"]
from jcnn.commands.main import main
for command in (["train"], ["data", "prepare"], ["data", "show"]):
    print(*command)
    with suppress(SystemExit):
        main([*command, "--help"])
"""


def test_a_new_row_is_in_the_help() -> None:
    """In a process of its own: the help is put together when the command is imported."""
    said = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True).stdout
    assert said.count("stripes") == 3
