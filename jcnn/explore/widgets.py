"""The parts of the page that need JavaScript of their own: a sheet to draw on, a table of numbers, the reader's colours."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Sheet(anywidget.AnyWidget):
    """A sheet to draw on, by mouse, pen or finger; every finished stroke arrives as points (x, y), 0 … 1, y downwards."""

    _esm = _HERE / "sheet.js"
    _css = _HERE / "sheet.css"
    strokes: Any = traitlets.List().tag(sync=True)


class Numbers(anywidget.AnyWidget):
    """A small table of numbers to type into; what is no number is marked, and not taken."""

    _esm = _HERE / "numbers.js"
    _css = _HERE / "numbers.css"
    name: Any = traitlets.Unicode("numbers").tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)


class Colours(anywidget.AnyWidget):
    """Tells whether the reader's system asks for dark colours; None until it has been asked."""

    _esm = """
    function render({ model, el }) {
      const dark = window.matchMedia("(prefers-color-scheme: dark)");
      const tell = () => { model.set("dark", dark.matches); model.save_changes(); };
      dark.addEventListener("change", tell);
      tell();
      return () => dark.removeEventListener("change", tell);
    }
    export default { render };
    """
    dark: Any = traitlets.Bool(None, allow_none=True).tag(sync=True)
