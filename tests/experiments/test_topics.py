"""Every experiment in a small configuration: its claims hold, and what it draws and says is there."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from experiments.topic import Check
from tests.experiments.topics import NAMES, load

pytestmark = pytest.mark.slow


def test_the_lecture_is_complete() -> None:
    assert [int(name[:2]) for name in NAMES] == list(range(1, 19))


@pytest.mark.parametrize("name", NAMES)
def test_claims_hold_and_are_drawn(name: str, tmp_path: Path) -> None:
    topic = load(name)
    result = topic.run(topic.quick)
    checks = topic.checks(result)
    assert len(checks) >= 3
    assert [check for check in checks if not check.holds] == []

    topic.save(result, checks, tmp_path)
    said = json.loads((tmp_path / f"{name}.json").read_text())
    assert re.match(r"Claim: .{60,}", said["claim"])
    assert len(said["about"]) >= 80
    assert re.search(r"\d", said["about"])
    with Image.open(tmp_path / f"{name}.png") as picture:
        assert picture.width >= 900
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 10
    light, dark = ((tmp_path / f"{name}{ending}.svg").read_text() for ending in ("", "-dark"))
    assert light != dark
    if topic.movie:
        with Image.open(tmp_path / f"{name}.gif") as movie:
            assert getattr(movie, "n_frames", 1) > 2
            assert (movie.width, movie.height) == tuple(said["movie_size"])


def test_a_claim_that_does_not_hold_ends_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = load("04_spatial_dimensions")
    false = replace(topic, checks=lambda _: [Check("1 is 2", "1", False)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["04_spatial_dimensions.py"])
    with pytest.raises(SystemExit) as stopped:
        false.main()
    assert stopped.value.code == 1
    said = json.loads((tmp_path / "results/04_spatial_dimensions.json").read_text())
    assert said["checks"] == [{"claim": "1 is 2", "found": "1", "holds": False}]
