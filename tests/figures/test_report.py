import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.data.dataset import Dataset
from jcnn.figures import Run, render

VOID = {"meta", "img", "source", "br", "link", "input", "hr"}
NAMES = ("<b>zero</b>", '"one" & $x_1$', "two")
NETWORK = (jcnn.Conv(2, 3), jcnn.Relu(), jcnn.Flatten(), jcnn.Dense(3))


class Page(HTMLParser):
    """Checks that tags are balanced and keeps what the tests ask for."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs))
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else None, data))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def texts(self, tag):
        return [data for name, data in self.text if name == tag]


def make_run(**changes):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 12).astype(np.int32)
    images = rng.integers(0, 256, (12, 6, 6, 1), dtype=np.uint8)
    run = Run(
        title="A <run> & more",
        config={"learning rate": 0.1, "crop": None, "<script>": "</td>"},
        environment={"jax": "1.2.3"},
        numbers={"test accuracy": "99.2 %", "test errors": "3 of 359"},
        network=NETWORK,
        params=jcnn.init(jax.random.key(0), NETWORK, (6, 6, 1)),
        records=[{"split": "train", "step": 1, "epoch": 0.5, "loss": 1.0, "accuracy": 0.3, "images_per_second": 9.0}],
        test=Dataset("toy", "test", images, labels, NAMES, "0"),
        probabilities=rng.dirichlet(np.ones(3), 12),
        attribution="Data: see https://example.org, <CC BY>",
        reproduction={"In a shell": "jcnn train --data '<b>'", "jcnn": "1.2.3, commit 0123"},
    )
    return run._replace(**changes)


@pytest.fixture(scope="module")
def html():
    return render(make_run())


def test_the_sections_come_in_order_and_the_headline_first(html):
    page = Page(html)
    assert page.texts("h1") == ["A <run> & more"]
    assert page.texts("h2") == [
        "Learning curves", "Learning rate and speed", "Confusion matrix", "Classes", "Calibration", "Most confident mistakes",
        "What the answers hang on", "First filters", "One image through the network", "Layers", "Configuration",
        "To do it again", "Environment",
    ]  # fmt: skip
    assert page.texts("dd") == ["99.2 %", "3 of 359"]
    assert html.index("99.2 %") < html.index("<picture>")


def test_nothing_is_fetched_and_nothing_runs(html):
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "href", "data", "poster", "background", "action"):
                assert value.startswith("data:image/svg+xml;base64,")
    style = "".join(page.texts("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert "$" not in style
    addresses = [data for _, data in page.text if "://" in data]
    assert addresses == ["Data: see https://example.org, <CC BY>"]


def test_the_figures_inside_refer_to_nothing_outside(html):
    codes = re.findall(r'data:image/svg\+xml;base64,([^"]+)"', html)
    assert len(codes) == 16
    for code in codes:
        for element in ElementTree.fromstring(base64.b64decode(code)).iter():  # noqa: S314 -- our own bytes
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith(("#", "data:image/png;base64,"))


def test_every_figure_has_two_themes_alternative_text_and_a_caption(html):
    page = Page(html)
    images, sources = page.all("img"), page.all("source")
    assert len(images) == len(sources) == len(page.all("figure")) == len(page.texts("figcaption")) == 8
    for image, source in zip(images, sources, strict=True):
        assert re.search(r"\d", image["alt"])
        assert len(image["alt"]) > 40
        assert source["media"] == "(prefers-color-scheme: dark)"
        assert source["srcset"] != image["src"]
        assert int(image["width"]) < int(image["height"]) * 8


def test_names_are_escaped_everywhere(html):
    assert "<b>zero" not in html
    assert "<script>" not in html
    page = Page(html)
    assert "<script>" in page.texts("th")
    assert "</td>" in page.texts("td")
    assert any("<b>zero</b>" in image["alt"] for image in page.all("img"))


def test_tables_say_what_their_headings_are_for(html):
    page = Page(html)
    assert all(attributes.get("scope") in ("row", "col") for attributes in page.all("th"))
    rows = jcnn.summary(NETWORK, (6, 6, 1)).cells()
    heads = page.texts("th")
    assert "accuracy" in heads[:7]  # of the classes
    assert any(heads[place : place + len(rows[0])] == list(rows[0]) for place in range(len(heads)))
    for row in rows[1:]:
        assert row[1] in page.texts("th")
        assert row[3] in ("", *page.texts("td"))
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_the_same_run_makes_the_same_page(html):
    assert render(make_run()) == html


def test_many_classes_get_their_confusions_in_words():
    names = tuple(f"class <{index}>" for index in range(30))
    labels = np.arange(30, dtype=np.int32)
    network = (jcnn.Flatten(), jcnn.Dense(30))
    probabilities = np.eye(30)[np.where(labels == 7, 9, labels)]
    run = make_run(
        network=network,
        params=jcnn.init(jax.random.key(0), network, (4, 4, 3)),
        test=Dataset("toy", "test", np.zeros((30, 4, 4, 3), np.uint8), labels, names, "0"),
        probabilities=probabilities,
    )
    page = Page(render(run))
    assert page.texts("li") == ["class <7> taken for class <9> (1×)"]
    assert "First filters" not in page.texts("h2")


def test_no_mistakes_no_records_no_attribution():
    run = make_run(records=[], attribution="", config={}, numbers={}, reproduction={})
    run = run._replace(probabilities=np.eye(3)[run.test.labels])
    page = Page(render(run))
    assert "No mistakes: all 12 test images were recognised." in page.texts("p")
    assert not page.all("footer")
    assert not page.all("dl")
    assert not {"Configuration", "Learning rate and speed"} & {*page.texts("h2")}


def test_a_run_that_diverged():
    run = make_run(records=[{"split": "train", "step": 1, "epoch": 1.0, "loss": float("nan"), "accuracy": 0.1}])
    run = run._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, run.params), probabilities=np.full((12, 3), np.nan))
    page = Page(render(run))
    assert any("not finite at epoch 1" in image["alt"] for image in page.all("img"))
    assert any("there is no calibration to show" in text for text in page.texts("p"))


def test_no_test_images():
    run = make_run()
    empty = run.test._replace(images=run.test.images[:0], labels=run.test.labels[:0])
    page = Page(render(run._replace(test=empty, probabilities=run.probabilities[:0])))
    assert page.texts("h2")[:4] == ["Learning curves", "Learning rate and speed", "First filters", "Layers"]


def test_probabilities_of_other_images_are_refused():
    with pytest.raises(ValueError, match=r"probabilities of shape \(3, 3\): expected \(12, 3\)"):
        render(make_run(probabilities=np.eye(3)))


STEERING = (
    "\x1b[31mred",
    "bell\a",
    "$x$ and a_$",
    "<script>alert()</script>",
    "\u202eright to left",
    "half \ud800",
    "new\nline\0",
)


def test_names_that_steer_are_shown_as_they_are_written():
    """Every picture is XML that a browser draws, the page can be written, and no name is a tag, a formula or a control."""
    run = make_run(title="\x1b[2J", attribution="\ud800", config={"data": "\x1b"}, environment={"A": "\u202e\x1b"})
    rng = np.random.default_rng(0)
    network = (*NETWORK[:-1], jcnn.Dense(len(STEERING)))
    run = run._replace(
        network=network,
        params=jcnn.init(jax.random.key(0), network, (6, 6, 1)),
        test=run.test._replace(class_names=STEERING, labels=rng.integers(0, len(STEERING), 12).astype(np.int32)),
        probabilities=rng.dirichlet(np.ones(len(STEERING)), 12),
    )
    html = render(run)
    html.encode()
    page = Page(html)
    drawn = [base64.b64decode(image["src"].split(",")[1]) for image in page.all("img")]
    texts = "".join("".join(ElementTree.fromstring(image).itertext()) for image in drawn)  # noqa: S314 (ours)
    assert page.all("script") == []
    for shown in (r"\x1b[31mred", r"bell\x07", "$x$ and a_$", r"\u202eright"):
        assert shown in texts
        assert shown in html
    steering = {letter for letter in html + texts if letter in "\x00\x07\x1b\u202e\ud800"}
    assert steering == set()
