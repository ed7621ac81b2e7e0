# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""The page itself: what can be moved, and what is shown; all that computes lies in the modules beside it."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="jcnn · explore", css_file="page.css")


@app.cell
def _():
    import marimo as mo
    import numpy as np

    from jcnn.explore import (
        arithmetic,
        fields,
        filters,
        gradients,
        inputs,
        pictures,
        planted,
        sections,
        strokes,
        trained,
        widgets,
        words,
    )
    from jcnn.figures import style

    colours = mo.ui.anywidget(widgets.Colours())
    mo.Html(
        '<header><h1>Take a convolutional network apart</h1><p class="lead">Everything here is computed live by '
        "<code>jcnn</code> on this machine: move something, and see what changes.</p></header>"
        f"{colours}"
    )
    return (
        arithmetic, colours, fields, filters, gradients, inputs, mo, np, pictures, planted, sections, strokes,
        style, trained, widgets, words,
    )  # fmt: skip


@app.cell
def _(colours, mo, style):
    mo.stop(colours.value["dark"] is None)
    theme = style.DARK if colours.value["dark"] else style.LIGHT
    return (theme,)


# Whatever is moved is shown by the cell that makes it: only that one is not run again, and drawn anew, by each move.
@app.cell
def _(inputs, mo, words):
    what = mo.ui.dropdown(inputs.INPUTS, inputs.DIGIT, label="picture")
    mo.Html(
        words.section(
            2,
            "A window slides over a picture",
            "At every position the pixels under the window are multiplied by the filter's numbers and added up: that is one "
            "number of the output. Choose the picture, the filter, and how the window walks.",
        )
        + words.controls(what)
    )
    return (what,)


@app.cell
def _(inputs, mo, what, widgets, words):
    digit = mo.ui.slider(0, 9, 1, 3, label="digit", show_value=True)
    numbers = mo.ui.anywidget(widgets.Numbers(name="picture", rows=[list(row) for row in inputs.MATRIX]))
    _picked = {inputs.DIGIT: [digit], inputs.NUMBERS: [numbers]}.get(what.value)
    mo.Html(words.controls(*_picked)) if _picked else None
    return digit, numbers


@app.cell
def _(filters, mo, words):
    filter_name = mo.ui.dropdown([*filters.FILTERS, filters.OWN], "edges, left to right", label="filter")
    mo.Html(words.controls(filter_name))
    return (filter_name,)


@app.cell
def _(filter_name, filters, mo, words):
    own_size = mo.ui.slider(1, 5, 1, 3, label="size", show_value=True)
    mo.Html(words.controls(own_size)) if filter_name.value == filters.OWN else None
    return (own_size,)


@app.cell
def _(filter_name, filters, mo, own_size, widgets, words):
    _rows = [list(row) for row in filters.start(filter_name.value, own_size.value)]
    weights = mo.ui.anywidget(widgets.Numbers(name="filter", rows=_rows))
    mo.Html(words.controls(weights) + words.said(filters.SAYS[filter_name.value], "hint"))
    return (weights,)


@app.cell
def _(mo, words):
    stride = mo.ui.slider(1, 4, 1, 1, label="stride", show_value=True)
    padding = mo.ui.slider(0, 4, 1, 1, label="padding", show_value=True)
    dilation = mo.ui.slider(1, 4, 1, 1, label="dilation", show_value=True)
    exact = mo.ui.switch(False, label="refuse sizes that leave a rest")
    # Where the reader stood, for the sliders that come anew with every size.
    stood = {}
    mo.Html(words.controls(stride, padding, dilation, exact))
    return dilation, exact, padding, stood, stride


@app.cell
def _(arithmetic, digit, dilation, exact, inputs, mo, numbers, padding, sections, stride, weights, what):
    _setting = arithmetic.Setting(stride.value, padding.value, dilation.value, "exact" if exact.value else "floor")
    _x = inputs.chosen(what.value, digit.value, numbers.value["rows"])
    layer, _problem = sections.convolved(_x, weights.value["rows"], _setting)
    mo.Html(_problem)
    return (layer,)


@app.cell
def _(layer, mo, stood, words):
    mo.stop(layer is None)
    _last_row, _last_column = (n - 1 for n in layer.y.shape)
    row = mo.ui.slider(
        0, _last_row, 1, min(stood.get("row", (_last_row + 1) // 2), _last_row), label="row", show_value=True,
        on_change=lambda place: stood.update(row=place),
    )  # fmt: skip
    column = mo.ui.slider(
        0, _last_column, 1, min(stood.get("column", (_last_column + 1) // 2), _last_column), label="column", show_value=True,
        on_change=lambda place: stood.update(column=place),
    )  # fmt: skip
    mo.Html("<h3>One position</h3>" + words.controls(row, column))
    return column, row


@app.cell
def _(column, layer, mo, row, sections, theme):
    mo.Html(sections.position(layer, row.value, column.value, theme))


@app.cell
def _(fields, mo, words):
    depth = mo.ui.slider(1, fields.DEEPEST, 1, 2, label="layers", show_value=True)
    mo.Html(
        words.section(
            3,
            "How far it sees",
            "Let the same convolution work on its own output, again and again: each layer looks at the one before, and so sees "
            "more of the picture. Strides and dilations make this field grow faster.",
        )
        + words.controls(depth)
    )
    return (depth,)


@app.cell
def _(depth, layer, mo, sections, theme):
    mo.stop(layer is None)
    mo.Html(sections.sight(layer, depth.value, theme))


@app.cell
def _(gradients, mo, words):
    dy_choice = mo.ui.dropdown(gradients.CHOICES, gradients.HERE, label="dy")
    mo.Html(
        words.section(
            3,
            "The way back",
            "Learning asks the other way round. Let dy say how fast the loss rises with each number of the output: how fast "
            "does it rise with each pixel (dx), and with each number of the filter (dw)?",
        )
        + words.controls(dy_choice)
    )
    return (dy_choice,)


@app.cell
def _(column, dy_choice, gradients, layer, mo, pictures, row, widgets, words):
    _start = gradients.output_gradient(layer, dy_choice.value, row.value, column.value)
    _typed = dy_choice.value == gradients.OWN and max(_start.shape) <= pictures.MOST
    own_dy = mo.ui.anywidget(widgets.Numbers(name="dy", rows=_start.tolist())) if _typed else None
    mo.Html(words.said(gradients.SAYS[dy_choice.value], "hint") + (f"{own_dy}" if _typed else ""))
    return (own_dy,)


@app.cell
def _(column, dy_choice, gradients, layer, mo, np, own_dy, row, sections, theme):
    _dy = gradients.output_gradient(layer, dy_choice.value, row.value, column.value)
    mo.Html(sections.way_back(layer, _dy if own_dy is None else np.asarray(own_dy.value["rows"], np.float64), theme))


@app.cell
def _(mo, widgets, words):
    sheet = mo.ui.anywidget(widgets.Sheet())
    mo.Html(
        words.section(
            2,
            "Draw a digit",
            "Draw one digit with the mouse, a pen or a finger. It is brought to 8 × 8 pixels, as the digits are that the "
            "network learned from, and goes through all of its layers.",
        )
        + f"{sheet}"
    )
    return (sheet,)


@app.cell
def _(mo, sections, sheet, strokes, theme, trained, words):
    _image = strokes.to_image(sheet.value["strokes"])
    mo.stop(_image is None, mo.Html(words.said("Nothing is drawn yet.", "hint")))
    with mo.status.spinner("The network is being trained; this takes a few seconds, once.", remove_on_exit=True):
        _reader = trained.trained()
    mo.Html(sections.reading(_reader, _image, theme))


@app.cell
def _(mo, planted, words):
    kind = mo.ui.dropdown(planted.operations(), "conv_backward", label="function")
    mo.Html(
        words.section(
            2,
            "Plant a bug",
            "Backward passes are easily written wrong in a way that still runs. Choose one, and a mistake that people make in "
            "it. The checker is given the function alone, runs it on adversarial cases, and says what it found.",
        )
        + words.controls(kind)
    )
    return (kind,)


@app.cell
def _(kind, mo, planted, words):
    _known = list(planted.mistakes_of(kind.value))
    _first = "stride forgotten in dx" if kind.value == "conv_backward" else _known[0]
    bug = mo.ui.dropdown([planted.NONE, *_known], _first, label="bug")
    mo.Html(words.controls(bug))
    return (bug,)


@app.cell
def _(bug, kind, mo, planted, words):
    with mo.status.spinner("Checking …", remove_on_exit=True):
        _report = planted.verdict(kind.value, bug.value)
    mo.Html(words.checked(_report, kind.value, bug.value))


if __name__ == "__main__":
    app.run()
