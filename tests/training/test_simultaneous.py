"""Trainings started at once in one folder: each ends in a whole run of its own. Twenty of them in the deep tests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from jcnn.training import Config, checkpoint, restore_run, stored_config
from jcnn.training.metrics import read
from tests.draws import DRAWS
from tests.flags import FOUR_DEVICES

STARTS, RIVALS = (20, 2) if DRAWS >= 2000 else (2, 0)
RECIPE = ("--network", "lecture", "--epochs", "1", "--batch-size", "512")
STEPS = 2
PATIENCE = 1500


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jcnn", "train", *RECIPE, *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment = {**inherited, "XLA_FLAGS": os.environ["XLA_FLAGS"].replace(FOUR_DEVICES, "")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def assert_whole(run: Path) -> None:
    assert stored_config(run) == Config(network="lecture", epochs=1, batch_size=512)
    records = read(run / "metrics.jsonl")
    assert [(record["split"], record["step"]) for record in records] == [
        (split, STEPS) for split in ("train", "unaugmented", "test")
    ]
    assert [checkpoint.load(path).step for path in checkpoint.candidates(run / "checkpoints")] == [STEPS]
    restore_run(run, lambda text: (_ for _ in ()).throw(AssertionError(text)))
    assert (run / "report.html").read_text("utf-8").rstrip().endswith("</html>")
    assert sorted(path.name for path in run.iterdir()) == [
        ".lock", "checkpoints", "config.json", "metrics.jsonl", "report.html",
    ]  # fmt: skip


def test_each_of_many_starts_ends_in_a_run_of_its_own(tmp_path: Path) -> None:
    """And of two that ask for one folder, in the deep tests, one has it."""
    many = [start(tmp_path) for _ in range(STARTS)]
    rivals = [start(tmp_path, "--out", "same") for _ in range(RIVALS)]
    said = [process.communicate(timeout=PATIENCE) for process in many]
    assert [process.returncode for process in many] == [0] * STARTS, said
    named = sorted(re.findall(r"report: (.*)/report\.html", out)[0] for out, _ in said)
    assert named == [f"runs/digits-lecture-{number:03d}" for number in range(1, STARTS + 1)]
    told = [process.communicate(timeout=PATIENCE)[1] for process in rivals]
    if rivals:
        assert sorted(process.returncode for process in rivals) == [0, 1], told
        loser = told[[process.returncode for process in rivals].index(1)]
        assert re.search(r"jcnn: same (is being trained already, by process \d+ on |holds a run already)", loser)
        named.append("same")
    for run in named:
        assert_whole(tmp_path / run)
    losses = {json.dumps([record["loss"] for record in read(tmp_path / run / "metrics.jsonl")]) for run in named}
    assert len(losses) == 1
