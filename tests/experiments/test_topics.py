"""Every experiment in a small configuration: its claims hold, and what it draws and says is there.

By default few movies are made, which take longer than most experiments; all of them in the deep tests.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from experiments.topic import Check, Topic
from jcnn.figures import DARK, to_svg
from tests.draws import DEFAULT, DRAWS
from tests.experiments.topics import NAMES, load

pytestmark = pytest.mark.slow

SAVED = NAMES if DRAWS > DEFAULT else ["02_convolution_layer", "10_worked_example"]
"""Of which all files are made; of every second of the others by default one picture. The first of them has a movie."""


def test_the_lecture_is_complete() -> None:
    assert [int(name[:2]) for name in NAMES] == list(range(1, 19))


@pytest.mark.parametrize("name", NAMES)
def test_claims_hold_and_are_drawn(name: str, tmp_path: Path) -> None:
    topic = load(name)
    result = topic.run(topic.quick)
    checks = topic.checks(result)
    assert len(checks) >= 3
    assert [check for check in checks if not check.holds] == []
    assert re.match(r"Claim: .{60,}", topic.claim)
    assert len(topic.about(result)) >= 80
    assert re.search(r"\d", topic.about(result))
    if name in SAVED:
        topic.save(result, checks, tmp_path)
        expect_files(topic, tmp_path)
    elif int(name[:2]) % 2:
        assert "<path" in to_svg(topic.figure(result, DARK)).decode()


def expect_files(topic: Topic, folder: Path) -> None:
    """A picture with something in it for light and for dark screens, and what is said of it."""
    name = topic.name
    said = json.loads((folder / f"{name}.json").read_text())
    assert said["claim"] == topic.claim
    with Image.open(folder / f"{name}.png") as picture:
        assert picture.width >= 900
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert colours is not None
        assert len(colours) > 10
    light, dark = ((folder / f"{name}{ending}.svg").read_text() for ending in ("", "-dark"))
    assert light != dark
    if topic.movie:
        with Image.open(folder / f"{name}.gif") as movie:
            assert getattr(movie, "n_frames", 1) > 2
            assert (movie.width, movie.height) == tuple(said["movie_size"])


def test_a_claim_that_does_not_hold_ends_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = load("10_worked_example")
    false = replace(topic, checks=lambda _: [Check("1 is 2", "1", False)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["10_worked_example.py"])
    with pytest.raises(SystemExit) as stopped:
        false.main()
    assert stopped.value.code == 1
    said = json.loads((tmp_path / "results/10_worked_example.json").read_text())
    assert said["checks"] == [{"claim": "1 is 2", "found": "1", "holds": False}]
