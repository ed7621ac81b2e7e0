"""Starts, race, pictures and the page of docs: on tiny cases, without the peers."""

import io
import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from experiments import pages
from experiments.benchmarks import goals, pictures, race, report, shapes, speed, starts
from experiments.benchmarks.cases import Case
from experiments.benchmarks.contenders.protocol import peak_memory
from experiments.benchmarks.entries import EQUINOX, FLAX, LAX, OURS, OURS_LOOP, TORCH, choose
from experiments.benchmarks.race import Finish, Race
from experiments.benchmarks.rounds import Measurement, Timing
from experiments.benchmarks.starts import COLD, WARM, Start, Starts
from experiments.benchmarks.workers import Worker
from jcnn.data import DataError, Dataset
from jcnn.figures import to_png, to_svg
from jcnn.figures.speed import Point, Span, roofline, speedups

OURS_ONLY = choose([OURS])[:1]
EAGER, LAST = f"{TORCH} eager", f"{TORCH} channels-last"


def start(entry, **environment: str) -> Worker:
    return speed.start(entry, Path("nowhere"), **environment)


def measured(case: Case) -> Measurement:
    """Ours took 1 ms, plain lax 2 ms, PyTorch 3 and 4 ms; in the loop 0.5 ms."""
    milliseconds = {OURS: 1, LAX: 2, EAGER: 3, LAST: 4, OURS_LOOP: 0.5, FLAX: 5, EQUINOX: 6}
    return Measurement(case, {name: Timing([1e-3 * value, 1.1e-3 * value]) for name, value in milliseconds.items()})


MEASUREMENTS = [measured(case) for case in shapes.full()]
STARTS = Starts({name: [Start(1, 0.5, 0.1, 1.6, 4e8, 2e8)] for name in (COLD, WARM, EAGER)}, {})
RACE = Race({OURS: [Finish(10.0, 600, 0.991)], FLAX: [Finish(40.0, 600, 0.991)], EAGER: [Finish(None, 900, 0.98)]}, {})


def test_starts() -> None:
    told: list[str] = []
    entries = starts.chosen([*OURS_ONLY, *choose(["plain_lax"])])
    assert [(entry.name, entry.variant) for entry in entries] == [(OURS, {"per_call": 1}), (LAX, {})]
    found = starts.run(shapes.TINY, entries, start, 1, told.append)
    assert found.errors == {}
    assert list(found.found) == [COLD, WARM, LAX]
    assert len(told) == 3
    for name in found.found:
        [one] = found.found[name]
        assert one.imports < one.first < 60
        assert one.imports + one.builds + one.runs == pytest.approx(one.first, abs=1.0)
        assert 0 < one.growth < one.memory
    builds = [cast(float, found.median(name, "builds")) for name in (COLD, WARM)]
    assert builds[1] < builds[0]


def test_who_cannot_start_is_named() -> None:
    found = starts.run(shapes.TINY, choose(["flax_nnx"]), start, 2, lambda _: None)
    assert found.found == {}
    assert "is not there" in found.errors[FLAX]


def digits(count: int) -> Dataset:
    """Images of one grey a class, easily told apart."""
    labels = np.arange(count, dtype=np.int32) % 10
    images = np.full((count, 28, 28, 1), 25, np.uint8) * labels[:, None, None, None].astype(np.uint8)
    return Dataset("greys", "train", images, labels, tuple("0123456789"), "")


def test_race() -> None:
    recipe = race.make_recipe(digits(300), digits(1000), 0, steps=5)
    assert recipe.order.shape == (5, race.BATCH)
    assert recipe.rates.argmax() in (0, 1)
    few = recipe._replace(order=recipe.order[:4, :8], rates=recipe.rates[:4], evaluate_every=2, target=0.0)
    [finish] = race.run([few], OURS_ONLY, start, lambda _: None).finishes[OURS]
    assert finish.steps == 2
    assert 0 < cast(float, finish.seconds) < 60


def test_a_median_is_of_races_that_all_reached_the_target() -> None:
    assert RACE.median(OURS) == 10.0
    assert RACE.median(EAGER) is None
    assert RACE.ratio(OURS, EAGER) is None


def test_a_ratio_is_of_races_from_the_same_weights() -> None:
    """Of the medians it would be 2, of the pairs it is 3."""
    ours, theirs = ([Finish(seconds, 600, 0.991) for seconds in times] for times in ((10.0, 20.0, 30.0), (30.0, 40.0, 90.0)))
    assert Race({OURS: ours, FLAX: theirs}, {}).ratio(FLAX, OURS) == (3.0, 2.0, 3.0)


def test_who_races_is_ours_flax_and_pytorchs_faster_layout() -> None:
    assert [entry.name for entry in race.chosen(choose([]), [])] == [OURS, FLAX, EAGER, LAST]
    assert [entry.name for entry in race.chosen(choose([]), MEASUREMENTS)] == [OURS, FLAX, EAGER]


def test_a_race_without_images_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: Path | None) -> tuple[Dataset, Dataset]:
        raise DataError("no way\nto mnist")

    told: list[str] = []
    monkeypatch.setattr(race, "mnist", nothing)
    left = speed.run_race(speed.Benchmark(), OURS_ONLY, start, told.append)
    assert left.left_out == "no way to mnist"
    assert told == ["race: left out, MNIST cannot be had: no way to mnist"]


def test_goals() -> None:
    met = [*goals.of_starts(STARTS), *goals.of_race(RACE)]
    assert [(goal.found, goal.limit) for goal in met] == [(1.6, 3.0), (1.6, 1.2), (1.0, 1.2), (1.0, 1.2), (0.25, 1 / 3)]
    assert goals.table(met).row_count == 5


def test_the_machine_is_named_with_its_vector_instructions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    described = tmp_path / "cpuinfo"
    described.write_text("model name\t: A processor\nflags\t\t: fpu avx2 fma avx512f\n\nmodel name\t: A processor\n")
    monkeypatch.setattr(speed, "Path", lambda _: described)
    assert speed.machine()["processor"] == "A processor with AVX-512"
    described.write_text("nothing of it\n")
    found = speed.machine()
    assert found["processor"]
    assert found["cores"] >= 1


def test_peak_memory_is_that_of_this_process() -> None:
    before = peak_memory()
    kept = np.ones(1 << 25)
    assert peak_memory() > min(before, kept.nbytes)


def test_pictures(tmp_path: Path) -> None:
    drawn = pictures.draw(MEASUREMENTS)
    assert list(drawn) == ["speed_shapes", "speed_roofline"]
    pictures.write(drawn, tmp_path)
    for name in drawn:
        assert np.ptp(np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"))) > 100
        assert (tmp_path / f"{name}.svg").read_bytes().endswith(b"</svg>\n")
    shown = tmp_path / "shown"
    shown.mkdir()
    pictures.write_shown(drawn, shown)
    assert all(path.stat().st_size < 100_000 for path in shown.iterdir())


def test_pictures_of_little() -> None:
    assert pictures.draw([]) == {}
    assert to_svg(speedups([])).endswith(b"</svg>\n")
    one = speedups([("a shape", {"someone": Span(2.0, 1.9, 2.2)})])
    assert [label.get_text() for label in one.axes[0].get_yticklabels()] == ["a shape"]
    roof = roofline([Point("forward", 2.0, 1e9)], 1e11, 1e10)
    assert Image.open(io.BytesIO(to_png(roof, 50))).size[0] > 100


def test_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "DOCS", tmp_path / "docs")
    versions = {"python": "3.11", "ours": {"jax": "0.10.2"}, "pytorch": {"torch": "2.13.0+cpu"}}
    text = report.block(MEASUREMENTS, STARTS, RACE, versions, {"cores": 2, "processor": "some processor"})
    pages.write_page("speed", "Speed", text)
    written = (tmp_path / "docs" / "speed.md").read_text()
    assert written.startswith("# Speed\n\nOn 2 cores of some processor, Python 3.11, jax 0.10.2, torch 2.13.0")
    assert "**N\u00a0×**" in written
    assert f'src="../experiments/pictures/{next(iter(pictures.draw(MEASUREMENTS)))}.png"' in written
    assert written.endswith("</details>\n")
    for line in (
        "| convolution, forward + backward | 24 | **2.00 ×** (2.0 … 2.0) | **3.00 ×** (3.0 … 3.0) |",
        "| PyTorch eager | 1.60 s (1.60 … 1.60) | 1.00 s | 0.50 s | 0.10 s | 400 MB (400 … 400) | 200 MB |",
        "| Flax NNX | 40.0 s (40.0 … 40.0) | **4.0 ×** (4.0 … 4.0) | 600 | 1 of 1 |",
        "| PyTorch eager |  |  | 900 | 0 of 1 |",
    ):
        assert line in written
    assert "| `small` | 0.5 ms | 243,810 | **10.0 ×** (10.0 … 10.0) | **12.0 ×** (12.0 … 12.0) | **4.0 ×**" in written


def test_figures_come_back_from_their_file() -> None:
    for starts_found, raced in ((STARTS, RACE), (None, None)):
        result = speed.Result(MEASUREMENTS, {"ours": {"jax": "0.10.2"}}, {"pytorch": "not there"}, starts_found, raced)
        written = json.loads(json.dumps(speed.figures(speed.Benchmark(), result)))
        again = speed.restored(written)
        assert again._replace(versions={"ours": again.versions["ours"]}) == result
        assert json.loads(json.dumps(speed.figures(speed.Benchmark(), again))) == written


def test_a_block_of_nothing_is_a_line() -> None:
    text = report.block([], None, Race({}, {}, "no images"), {}, {"cores": 2, "processor": "some processor"})
    assert text.endswith("was left out: no images.")


SELECTIONS = {"quick": True, "only": "conv", "cases": "5×5", "contenders": ("ours",)}


@pytest.mark.parametrize(
    ("options", "full"),
    [({}, True), *(({name: value}, False) for name, value in SELECTIONS.items())],
)
def test_only_a_full_run_is_told_of_in_the_docs(options, full) -> None:
    assert speed.is_full(speed.Benchmark(**options)) is full


def test_what_takes_minutes_is_left_out_unless_asked_for() -> None:
    assert [entry.left_out.keys() for entry in choose(["plain_lax"])][1] == {"six convolutions"}
    assert choose(["plain lax, loop"])[0].left_out == {}
