"""What pages of ours have in common: one style sheet for light and dark screens, and pictures inside the file itself."""

from html import escape
from importlib import resources
from string import Template

from jcnn.figures.style import DARK, LIGHT, Theme, data_uri


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


def _variables(theme: Theme) -> str:
    return " ".join(f"--{name}: {getattr(theme, name)};" for name in ("paper", "ink", "muted", "rule", "blue", "orange"))
