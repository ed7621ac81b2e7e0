"""One look for every figure and page: two themes, one palette, one style sheet, and the way from a figure to bytes."""

import base64
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from jcnn.disk import write_atomically
from jcnn.printing import visible

WIDTH = 5.0
"""Inches. Narrow on purpose: on a phone the page shrinks a figure to 3.6 inches, and its text must stay legible."""

TEXT = 11.0
SMALL = 10.0

BACKENDS = {"png": "agg", "svg": "svg"}
"""What draws each form, whatever backend is set."""

UNTOUCHED = {"backend", "backend_fallback", "interactive", "toolbar"}
"""Matplotlib's settings that concern windows, and may not be set again."""


class Theme(NamedTuple):
    """Colours of a figure and of the page around it.

    Attributes:
        name: "light" or "dark".
        paper: the background.
        ink: text.
        muted: text that stays behind, axes, ticks.
        rule: thin lines: grids, borders.
        zero: the middle of a diverging scale, just visible on the paper.
        blue: Okabe-Ito blue, for training and for negative values.
        orange: Okabe-Ito vermilion or orange, for testing and for positive values.
        deep_blue: the far end of the scale that begins with blue.
        deep_orange: the far end of the scale that begins with orange.
    """

    name: str
    paper: str
    ink: str
    muted: str
    rule: str
    zero: str
    blue: str
    orange: str
    deep_blue: str
    deep_orange: str


LIGHT = Theme("light", "#fdfcfa", "#1d1f24", "#5a5e66", "#dcd9d3", "#efece6", "#0072b2", "#c24e00", "#003f66", "#6e2c00")
DARK = Theme("dark", "#15171b", "#e9e6e0", "#a5a9b1", "#363a41", "#262a30", "#56b4e9", "#e69f00", "#d3ecfc", "#ffe8bd")


@contextmanager
def by_defaults(settings: Mapping[Any, Any] = MappingProxyType({})) -> Iterator[None]:
    """While inside, Matplotlib has its own defaults and these settings, whatever matplotlibrc or a style of the user says."""
    own: dict[Any, Any] = {name: value for name, value in mpl.rcParamsDefault.items() if name not in UNTOUCHED}
    with mpl.rc_context({**own, **settings}):
        yield


def new_figure(height: float, theme: Theme, width: float = WIDTH) -> Figure:
    """An empty figure on the theme's paper; sizes in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor=theme.paper)


def plain(axes: Axes, theme: Theme) -> None:
    """Axes without a frame: the two spines one reads values from, quiet ticks."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.muted)
    axes.tick_params(which="both", color=theme.muted, labelcolor=theme.muted, labelsize=SMALL)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=theme.ink, fontsize=TEXT)


def bare(axes: Axes) -> None:
    """Axes that only hold an image or words: no frame, no ticks."""
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])


def statement(text: str, theme: Theme, height: float = 1.2) -> Figure:
    """A figure that says why there is no picture."""
    figure = new_figure(height, theme)
    axes = figure.add_subplot()
    bare(axes)
    say(axes, text, theme)
    return figure


def say(axes: Axes, text: str, theme: Theme) -> None:
    """Words in the middle of the axes."""
    words = {"ha": "center", "va": "center", "color": theme.muted, "fontsize": TEXT, "parse_math": False}
    axes.text(0.5, 0.5, visible(text), transform=axes.transAxes, **words)


def diverging(theme: Theme) -> Colormap:
    """Blue below zero, orange above, the paper's neighbour at zero, nothing where there is no number."""
    colours = [theme.deep_blue, theme.blue, theme.zero, theme.orange, theme.deep_orange]
    return LinearSegmentedColormap.from_list("diverging", colours).with_extremes(bad=(0, 0, 0, 0))


def sequential(theme: Theme, colour: str) -> Colormap:
    """From a tint that already stands out from the paper to the colour; nothing where there is no number."""
    tint = [0.75 * paper + 0.25 * full for paper, full in zip(to_rgb(theme.paper), to_rgb(colour), strict=True)]
    return LinearSegmentedColormap.from_list("sequential", [tint, colour]).with_extremes(bad=(0, 0, 0, 0))


def readable_on(colour: Any, theme: Theme) -> str:
    """The one of the theme's ink and paper that contrasts more with this colour."""
    return max(theme.ink, theme.paper, key=lambda candidate: contrast(candidate, colour))


def contrast(first: Any, second: Any) -> float:
    """The contrast ratio of two colours, 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio".
    """
    darker, lighter = sorted([_luminance(first), _luminance(second)])
    return (lighter + 0.05) / (darker + 0.05)


def shorten(text: str, limit: int) -> str:
    """The text on one line, control characters made visible, its end replaced by … if it is longer than the limit."""
    text = visible(" ".join(text.split()))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def to_svg(figure: Figure) -> bytes:
    """The figure as SVG: text as text, images at their own resolution and unsmoothed, the same bytes every time."""
    settings = {"svg.fonttype": "none", "svg.hashsalt": "jcnn", "image.composite_image": False}
    return _save(figure, "svg", settings, metadata={"Date": None, "Creator": None})


def to_png(figure: Figure, dpi: float = 200) -> bytes:
    """The figure as PNG."""
    return _save(figure, "png", {}, dpi=dpi)


def to_gif(figures: Iterable[Figure], seconds: float = 0.6, dpi: float = 110) -> bytes:
    """Figures of one size as an animation that goes round and round.

    Args:
        figures: the frames, with axes as the first has them.
        seconds: how long each is seen; the last one three times as long.
        dpi: pixels an inch.
    """
    frames = []
    model = None
    for figure in figures:
        if model:
            place_as(figure, model)
        frames.append(Image.open(io.BytesIO(to_png(figure, dpi))).convert("RGB"))
        model = model or figure
    # One palette for all, or colours would flicker from frame to frame.
    palette = frames[-1].quantize(128)
    first, *others = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames)
    times = [round(1000 * seconds)] * len(others) + [round(3000 * seconds)]
    file = io.BytesIO()
    first.save(file, "gif", save_all=True, append_images=others, duration=times, loop=0)
    return file.getvalue()


def place_as(figure: Figure, model: Figure) -> None:
    """Gives the axes of a figure the places that those of another have: nothing moves, and the layout is found once.

    Args:
        figure: one that has not been drawn.
        model: one with as many axes that has been.
    """
    figure.set_layout_engine("none")
    for axes, of_model in zip(figure.axes, model.axes, strict=True):
        axes.set_position(of_model.get_position())


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG, or in another form that the name's ending asks for; whole or not at all.

    Raises:
        OSError: it cannot be written; names the file.
        ValueError: an ending that Matplotlib knows no form for.
    """
    write_atomically(path, _save(figure, path.suffix.removeprefix(".").lower() or "png", {}, dpi=200))


def data_uri(image: bytes, form: str = "svg+xml") -> str:
    """An image as an address that contains it."""
    return f"data:image/{form};base64," + base64.b64encode(image).decode("ascii")


def style_sheet() -> str:
    """The style of a page, with the colours of the figures."""
    template = Template(resources.files("jcnn.figures").joinpath("report.css").read_text("utf-8"))
    return template.substitute({theme.name: _variables(theme) for theme in (LIGHT, DARK)})


def picture(light: bytes, dark: bytes, size: tuple[int, int], alt: str, form: str = "svg+xml") -> str:
    """HTML of a picture that follows the screen's theme, contained in the page.

    Args:
        light: the image for light screens.
        dark: the image for dark screens.
        size: width and height in CSS pixels.
        alt: what it shows, in words.
        form: "svg+xml", "png" or "gif".
    """
    width, height = size
    return f"""<picture>
<source media="(prefers-color-scheme: dark)" srcset="{data_uri(dark, form)}">
<img src="{data_uri(light, form)}" width="{width}" height="{height}" alt="{escape(alt)}">
</picture>"""


def _save(figure: Figure, form: str, settings: dict[Any, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), by_defaults(settings):
        # Class names may be in any script; in SVG the reader's own fonts draw them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(file, format=form, backend=BACKENDS.get(form), **options)
    return file.getvalue()


def _luminance(colour: Any) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _variables(theme: Theme) -> str:
    return " ".join(f"--{name}: {getattr(theme, name)};" for name in ("paper", "ink", "muted", "rule", "blue", "orange"))
