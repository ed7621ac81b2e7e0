"""The gallery: experiments run in processes of their own, and a page that needs nothing but itself."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments import gallery

SCRIPT = '''"""{title}.

Claim: two and two make {sum}, which is computed here and compared with what is claimed.
"""

from dataclasses import dataclass

from experiments.topic import Check, Topic
from jcnn.figures.style import bare, new_figure, say, to_gif


@dataclass(frozen=True)
class Experiment:
    number: int = 2


def draw(result, theme):
    figure = new_figure(1.0, theme)
    axes = figure.add_subplot()
    bare(axes)
    say(axes, str(result), theme)
    return figure


TOPIC = Topic(
    __file__, __doc__, Experiment, lambda config: 2 + config.number,
    lambda result: [Check("2 + 2 = {sum}", str(result), result == {sum})], draw, lambda result: "A 4 <on> paper.",
    quick=Experiment(), movie=lambda result, theme: to_gif([draw(n, theme) for n in range(result)]),
)
if __name__ == "__main__":
    TOPIC.main()
'''


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[gallery.Entry]:
    """One that holds, one that does not, one that breaks."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "01_right.py").write_text(SCRIPT.format(title="Right <sum>", sum=4))
    (folder / "02_wrong.py").write_text(SCRIPT.format(title="Wrong sum", sum=5))
    (folder / "03_broken.py").write_text("raise ValueError('never <mind>')")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONPATH", str(before))
        (folder / "results").mkdir()
        (folder / "results/03_broken.json").write_text("{}")  # of an earlier run: must not count
        return [
            gallery.run(script, folder / "results")._replace(folder=folder / "results") for script in gallery.scripts(folder)
        ]


def test_what_holds_and_what_fails(entries: list[gallery.Entry]) -> None:
    assert [entry.holds for entry in entries] == [True, False, False]
    assert [entry.title for entry in entries] == ["Right <sum>", "Wrong sum", "03_broken"]
    assert "never <mind>" in entries[2].error


def test_the_page(entries: list[gallery.Entry]) -> None:
    page = gallery.render(entries)
    assert "3 experiments, 1 of 2 claims hold." in page
    assert page.count('aria-label="does not hold"') == 2 + 1  # contents: two; the wrong one's table: one
    assert "Right &lt;sum&gt;" in page
    assert "never &lt;mind&gt;" in page
    assert 'alt="A 4 &lt;on&gt; paper."' in page
    assert page.count("data:image/svg+xml;base64,") == 2 * 2
    assert page.count("data:image/gif;base64,") == 2 * 2
    assert re.search(r"https?://", re.sub(r'"data:[^"]*"', "", page)) is None
    assert "<script" not in page

    class Balance(HTMLParser):
        """Whether every element is closed in its turn."""

        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in {"meta", "img", "source"}:
                self.open.append(tag)
            if tag == "img":
                assert dict(attrs).get("alt")

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    balance = Balance()
    balance.feed(page)
    assert balance.open == []


def test_one_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "01_endless.py").write_text("while True: pass")
    monkeypatch.setattr(gallery, "LONGEST", 0.5)
    entry = gallery.run(tmp_path / "01_endless.py", tmp_path)
    assert not entry.holds
    assert entry.error == "not done after 0.5 s"
