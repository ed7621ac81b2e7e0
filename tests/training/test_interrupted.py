"""Runs that are killed, stopped or fail, and what is left of them; each in a process of its own, as it happens in life."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from jcnn.training import Config, checkpoint
from jcnn.training.config import to_text
from tests.draws import DEFAULT, DRAWS
from tests.flags import FOUR_DEVICES

# Each kill costs a start of Python and JAX: one run is killed by default; in the deep tests four longer ones, and more often.
EPOCHS, KILLED_RUNS, KILLS = (20, 4, 5) if DRAWS > DEFAULT else (8, 1, 2)
RECIPE = ("--network", "lecture", "--epochs", str(EPOCHS), "--batch-size", "128", "--seed", "7")
PATIENCE = 240


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Compiles once for all the processes: what they run is the same."""
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    thresholds = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    one_device = {"XLA_FLAGS": os.environ["XLA_FLAGS"].replace(FOUR_DEVICES, "")}
    return {**inherited, **one_device, **cache, **thresholds}


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, environment: Mapping[str, str]) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(out, environment, "--out", str(out), *RECIPE)
    return out


def start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jcnn", "train", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(out: Path, environment: Mapping[str, str], *arguments: str) -> str:
    process = start(environment, *arguments)
    said, warned = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, warned
    assert str(out / "report.html") in said
    assert (out / "report.html").stat().st_size > 0
    return warned


def wait_for_steps(out: Path, process: subprocess.Popen[str]) -> None:
    """Returns once the process has done its first steps, or has ended."""
    deadline = time.monotonic() + PATIENCE
    metrics, before = out / "metrics.jsonl", None
    while process.poll() is None:
        assert time.monotonic() < deadline
        now = metrics.stat() if metrics.exists() else None
        # Of a resumed run the file is first put there anew, and then grows.
        if before and now and now.st_ino == before.st_ino and now.st_size > before.st_size:
            return
        before = now
        time.sleep(0.001)


def assert_same_result(out: Path, whole: Path) -> None:
    ours, theirs = (checkpoint.load(checkpoint.candidates(run / "checkpoints")[0]) for run in (out, whole))
    assert ours.step == theirs.step
    assert ours.arrays.keys() == theirs.arrays.keys()
    for name, array in theirs.arrays.items():
        assert ours.arrays[name].tobytes() == array.tobytes(), name
    curves = [[(r["step"], r["loss"]) for r in evaluations(run)] for run in (out, whole)]
    assert curves[0] == curves[1]


def evaluations(run: Path) -> list[dict[str, float]]:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["split"] == "test"]


@pytest.mark.parametrize("number", range(KILLED_RUNS))
def test_a_run_killed_again_and_again_resumes_to_the_same_bits(
    number: int, tmp_path: Path, uninterrupted: Path, environment: Mapping[str, str]
) -> None:
    """At random moments: of its start first, then of steps, evaluations and checkpoints, and of what comes after the last."""
    out = tmp_path / "run"
    moment = random.Random(number)  # noqa: S311 (a moment, not a secret)
    for kill in range(KILLS):
        process = start(environment, *how_to_go_on(out))
        if kill == 0:
            time.sleep(moment.uniform(0, 3))
        else:
            wait_for_steps(out, process)
            time.sleep(moment.uniform(0, 0.4))
        process.kill()
        process.communicate()
    finish(out, environment, *how_to_go_on(out))
    assert_same_result(out, uninterrupted)


def how_to_go_on(out: Path) -> tuple[str, ...]:
    """Nothing but the folder is given, unless nothing was there yet to read the recipe from."""
    return ("--resume", "--out", str(out), *(() if (out / "config.json").exists() else RECIPE))


def test_sigterm_saves_and_says_how_to_go_on(tmp_path: Path, environment: Mapping[str, str]) -> None:
    out = tmp_path / "run"
    process = start(environment, "--out", str(out), *RECIPE, "--epochs", "2000")
    wait_for_steps(out, process)
    process.send_signal(signal.SIGTERM)
    _, warned = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    *_, last = warned.splitlines()
    assert last.startswith("jcnn: stopped at step ")
    assert last.endswith("--resume goes on from there")
    step = int(last.split()[4])
    assert checkpoint.load(checkpoint.candidates(out / "checkpoints")[0]).step == step


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path: Path, uninterrupted: Path, environment: Mapping[str, str]) -> None:
    out = tmp_path / "run"
    process = start(environment, "--out", str(out), *RECIPE)
    wait_for_steps(out, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    finish(out, environment, "--resume", "--out", str(out))
    assert_same_result(out, uninterrupted)


def test_damaged_checkpoints_are_named_and_the_one_before_used(
    tmp_path: Path, uninterrupted: Path, environment: Mapping[str, str]
) -> None:
    """The newest was cut short, in the one before it a bit is flipped: the oldest is gone on with."""
    out = tmp_path / "run"
    (out / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "metrics.jsonl"):
        (out / name).write_bytes((uninterrupted / name).read_bytes())
    for path in checkpoint.candidates(uninterrupted / "checkpoints"):
        (out / "checkpoints" / path.name).write_bytes(path.read_bytes())
    truncated, flipped, _ = checkpoint.candidates(out / "checkpoints")
    content = truncated.read_bytes()
    truncated.write_bytes(content[: len(content) // 2])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    warned = finish(out, environment, "--resume", "--out", str(out))
    for path in (truncated, flipped):
        assert f"warning: {path} is refused" in warned
    assert_same_result(out, uninterrupted)


def test_a_wild_learning_rate_is_told_in_one_line_and_loses_nothing(tmp_path: Path, environment: Mapping[str, str]) -> None:
    out = tmp_path / "run"
    process = start(
        environment, "--out", str(out), "--epochs", "3", "--learning-rate", "1e18", "--warmup", "0", "--network", "lecture"
    )
    _, warned = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    note, *lines = warned.splitlines()
    assert note.startswith("note: set from outside, and may change the result: XLA_FLAGS=")
    (warned,) = lines
    assert warned.startswith("jcnn: the loss of step ")
    assert "is not finite; the last finite loss was" in warned or "no loss was finite" in warned
    assert "a smaller --learning-rate (now 1e+18) or a longer --warmup (now 0)" in warned


def test_a_failure_keeps_the_last_good_checkpoint(tmp_path: Path, uninterrupted: Path, environment: Mapping[str, str]) -> None:
    """A run whose checkpoint holds weights that are about to overflow: it fails after that checkpoint, which stays."""
    out = tmp_path / "run"
    found = checkpoint.load(checkpoint.candidates(uninterrupted / "checkpoints")[1])
    tree: dict[str, dict[str, np.ndarray]] = {}
    for name, array in found.arrays.items():
        top, rest = name.split("/", 1)
        tree.setdefault(top, {})[rest] = array * np.float32(1e30) if top == "params" else array
    config = found.manifest["config"]
    good = checkpoint.save(out / "checkpoints", tree, step=found.step, seed=7, config=config, data=found.manifest["data"])
    (out / "config.json").write_text(to_text(Config(**config).to_json()), "utf-8")
    process = start(environment, "--resume", "--out", str(out))
    _, warned = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"the loss of step {found.step} (epoch {EPOCHS}) is not finite" in warned
    assert f"the last good checkpoint is {good}" in warned
    assert checkpoint.load(good).step == found.step


MATPLOTLIBRC = """
text.usetex: True
savefig.bbox: tight
image.origin: lower
axes.grid: True
font.size: 30
lines.linewidth: 9
svg.fonttype: path
"""

HOSTILE = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "3",
    "JAX_ENABLE_X64": "1",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_DEBUG_NANS": "1",
    "JAX_DISABLE_JIT": "1",
    "MPLBACKEND": "module_of_a_notebook_that_is_not_here",
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    "TTY_COMPATIBLE": "1",
    "TTY_INTERACTIVE": "1",
    "COLUMNS": "20",
    "PYTHONHASHSEED": "1",
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}


def test_nothing_set_from_outside_changes_a_run_its_report_or_what_is_told(
    tmp_path: Path, uninterrupted: Path, environment: Mapping[str, str]
) -> None:
    """All at once: random numbers, colours, backends, styles, languages of other people."""
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC, "utf-8")
    out = tmp_path / "run"
    process = start({**environment, **HOSTILE, "MATPLOTLIBRC": str(tmp_path)}, "--out", str(out), *RECIPE)
    said, warned = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, warned
    assert_same_result(out, uninterrupted)
    assert f"training lecture on digits, seed 7, in {out}\n" in said
    assert said.endswith(f"report: {out}/report.html\n")
    assert "\x1b" not in said + warned
    assert "\r" not in said + warned
    assert warned.startswith("note: set from outside, and may change the result: XLA_FLAGS=")
    assert warned.count("\n") == 1
    pages = [(run / "report.html").read_text("utf-8") for run in (out, uninterrupted)]
    ours, theirs = (re.findall(r"base64,([A-Za-z0-9+/=]+)", page) for page in pages)
    assert len(ours) == 18  # nine figures, each for light and for dark screens
    # The second figure shows how fast each of the runs was.
    assert [*ours[:2], *ours[4:]] == [*theirs[:2], *theirs[4:]]
    assert re.search(r'<th scope="row">XLA_FLAGS</th><td>.*xla_backend_optimization_level=1', pages[0])
