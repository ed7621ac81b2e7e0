"""The page as a person meets it: in a browser, moved by hand, and read."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jcnn
from jcnn.check import CATALOGUE
from jcnn.explore import filters, gradients, inputs
from jcnn.explore.arithmetic import Setting, forward, sum_lines

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180
"""Seconds, for a machine that has much else to do."""

EDGES = np.asarray(filters.FILTERS["edges, left to right"], np.float64)

pytestmark = pytest.mark.slow


@pytest.fixture
def program() -> str:
    """The browser's program, where all that is needed is there."""
    for module in ("marimo", "anywidget", "playwright"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)}")
    return found


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The page, served by the command in a process of its own, which ends well on Ctrl-C."""
    settings = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    log = tmp_path / "log"
    with log.open("w") as said, subprocess.Popen(
        [sys.executable, "-m", "jcnn", "explore", "--no-open-browser", "--port", "0"],
        cwd=tmp_path, env=settings | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(jcnn.__file__).parents[1])},
        stdout=said, stderr=subprocess.STDOUT,
    ) as server:  # fmt: skip
        try:
            end = time.monotonic() + PATIENCE
            while not (found := re.search(r"http://127\.0\.0\.1:\d+/\S+", log.read_text())):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.2)
            yield found[0]
            server.send_signal(signal.SIGINT)
            assert server.wait(PATIENCE) == 0, log.read_text()
            assert "Traceback" not in log.read_text()
        finally:
            server.kill()


@pytest.fixture
def page(program: str, address: str) -> Iterator[Any]:
    """A browser at the page, which asks for nothing from anywhere else."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(1000 * PATIENCE)
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(address)
        yield opened
        browser.close()
    assert [url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))] == []


def wait_for(page: Any, selector: str, text: str) -> None:
    page.locator(selector).filter(has_text=re.compile(f"^{re.escape(text)}$")).first.wait_for()


def move(page: Any, slider: str, *keys: str) -> None:
    handle = page.get_by_role("slider", name=slider, exact=True)
    for key in keys:
        handle.press(key)


def test_the_page(page: Any) -> None:
    # A window: where it stands decides the sum, its stride the size.
    x = inputs.digit(3)
    wait_for(page, ".output-size", "8 × 8")
    layer = forward(x, EDGES, Setting(padding=1))
    assert page.locator(".sum div").all_inner_texts() == sum_lines(layer, 4, 4)
    move(page, "row", "ArrowLeft", "ArrowLeft")
    wait_for(page, ".sum div:first-child", sum_lines(layer, 2, 4)[0])
    assert page.locator(".sum div").all_inner_texts()[-1] == sum_lines(layer, 2, 4)[-1]
    move(page, "stride", "ArrowRight")
    size = jcnn.output_size(8, 3, stride=2, padding=1)
    wait_for(page, ".output-size", f"{size} × {size}")
    layer = forward(x, EDGES, Setting(2, 1))
    wait_for(page, ".sum div:last-child", sum_lines(layer, 2, 2)[-1])

    # The way back is that of what is seen now.
    page.get_by_label("dy", exact=True).select_option(label=gradients.ALL)
    page.get_by_text(gradients.SAYS[gradients.ALL]).wait_for()
    move(page, "column", "ArrowRight")
    wait_for(page, ".sum div:last-child", sum_lines(layer, 2, 3)[-1])
    assert page.get_by_text(gradients.SAYS[gradients.ALL]).is_visible()

    # A filter's number is typed.
    page.get_by_label("filter, row 1, column 1").fill("10")
    changed = EDGES.copy()
    changed[1, 1] = 10
    wait_for(page, ".sum div:last-child", sum_lines(forward(x, changed, Setting(2, 1)), 2, 3)[-1])

    # What does not fit is said in jcnn's words.
    with pytest.raises(jcnn.GeometryError) as refused:
        forward(x, EDGES, Setting(2, 0, 4))
    move(page, "padding", "ArrowLeft")
    move(page, "dilation", "ArrowRight", "ArrowRight", "ArrowRight")
    page.locator(".misfit").filter(has_text=str(refused.value)).first.wait_for()

    # A digit is drawn, and read.
    sheet = page.locator("canvas").first
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.15 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.85 * box["height"], steps=12)
    page.mouse.up()
    wait_for(page, ".reading .class", "1")
    assert 50 < float(page.locator(".reading .chance").inner_text().strip("> %")) <= 100
    assert page.locator("figure.tall img").get_attribute("src").startswith("data:image/svg+xml")
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Nothing is drawn yet.").wait_for()

    # A bug is planted, and found.
    mistake = next(mistake for mistake in CATALOGUE if mistake.name == "dw flipped")
    page.get_by_label("bug").select_option(label=mistake.name)
    wait_for(page, ".diagnosis", mistake.sentence)
    assert page.locator(".verdict").inner_text().startswith("bug")
    assert page.locator("text=Traceback").count() == 0
