"""Which network reads."""

import os
from io import StringIO
from pathlib import Path

from rich.console import Console

from jcnn.commands.train import train
from jcnn.explore import trained
from jcnn.training import Config


def test_the_newest_run_that_fits_is_taken(tmp_path: Path) -> None:
    assert trained.newest(tmp_path) is None
    for number, size in enumerate((None, None, 10)):
        config = Config(network="lecture", epochs=1, batch_size=512, image_size=size)
        train(config, tmp_path / f"run-{number}", report=False, console=Console(file=StringIO()))
        os.utime(tmp_path / f"run-{number}" / "config.json", (number, number))
    damaged = tmp_path / "run-3"
    damaged.mkdir()
    (damaged / "config.json").write_text("{}")
    found = trained.newest(tmp_path)
    assert found is not None
    assert "run-1" in found.origin
