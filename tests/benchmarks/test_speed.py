"""The comparison's machinery, on one tiny case of every kind; the peers are not needed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import jcnn
from experiments.benchmarks import shapes, speed
from experiments.benchmarks.cases import from_json, to_json
from experiments.benchmarks.contenders.ours import network_of
from experiments.benchmarks.entries import choose
from experiments.benchmarks.workers import Worker, WorkerError


def worker(program: str, patience: float = 60) -> Worker:
    return Worker("odd one", sys.executable, patience=patience, command=[sys.executable, "-c", program])


HELLO = 'print(\'{"ok": {"versions": {}}}\', flush=True)'


def test_ours_and_plain_lax_compute_the_same(tmp_path: Path) -> None:
    config = speed.Benchmark(contenders=("ours", "plain_lax"), quick=True, turn=0, output=tmp_path / "speed.json")
    speed.main(config)
    cases = json.loads(config.output.read_text())["cases"]
    assert [case["case"]["kind"] for case in cases] == ["product", "maximum", "conv", "pool", "step"]
    for case in cases:
        assert {"ours", "plain lax"} <= case["timings"].keys()
        for timing in case["timings"].values():
            assert timing["error"] == ""
            assert timing["milliseconds"] > 0

    # The same figures tell the same again, without anything being measured.
    figures, told = config.output.read_bytes(), config.output.with_suffix(".md").read_bytes()
    assert b"step" in told
    config.output.with_suffix(".md").unlink()
    speed.main(replace(config, again=True, contenders=()))
    assert config.output.read_bytes() == figures
    assert config.output.with_suffix(".md").read_bytes() == told


def test_nothing_to_tell_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json: there are no figures to tell of; run without --again first"):
        speed.main(speed.Benchmark(again=True, output=tmp_path / "none.json"))


def test_one_that_dies_at_its_start_is_named() -> None:
    with pytest.raises(WorkerError, match=r"odd one, asked to start: ended with status 3; it said: no luck"):
        worker("import sys; sys.stderr.write('no luck'); sys.exit(3)")


def test_one_that_dies_at_work_is_named() -> None:
    odd = worker(f"{HELLO}; input(); import os; os._exit(4)")
    with pytest.raises(WorkerError, match=r"odd one, asked to prepare: ended with status 4"):
        odd.ask("prepare")
    assert not odd.alive


def test_one_that_stays_silent_is_named() -> None:
    odd = worker(f"{HELLO}; import time; time.sleep(60)", patience=2)
    with pytest.raises(WorkerError, match=r"odd one, asked to run: silent for 2 s"):
        odd.ask("run")
    assert not odd.alive


def test_one_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    result = speed.run(speed.Benchmark(contenders=("flax_nnx",), quick=True, peers=tmp_path / "bin" / "python"))
    assert "is not there" in result.missing["flax_nnx"]


def test_cases_travel() -> None:
    for case in shapes.full():
        assert from_json(json.loads(json.dumps(to_json(case)))) == case


@pytest.mark.parametrize("case", shapes.STEPS[:3], ids=lambda case: case.name)
def test_the_networks_are_the_presets(case: shapes.Step) -> None:
    preset = jcnn.PRESETS[case.name](case.input_shape, 10)
    as_written = repr(preset).replace("padding='same'", "padding=1")  # of 3×3, the only windows it is said of
    assert repr(network_of(case)) == as_written


def test_an_unknown_contender_is_refused() -> None:
    with pytest.raises(ValueError, match=r"contender 'theirs': expected one of ours, ours_native, plain_lax"):
        choose(["theirs"])
    with pytest.raises(ValueError, match=r"ours:lax/forward: expected ours:all or one of ours:lax/autodiff"):
        choose(["ours:lax/forward"])
