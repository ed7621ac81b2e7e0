"""The page of one training run: numbers, figures and tables in a single HTML file that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from jcnn.classification import confusion_counts
from jcnn.data.dataset import Dataset
from jcnn.figures.attributions import about_attributions, attributions, explain
from jcnn.figures.augmented import Augmented, about_augmented, augmented_images
from jcnn.figures.classes import classes_table, top_k
from jcnn.figures.confusion import COUNTED, about_confusion, confusion_matrix, confusions
from jcnn.figures.curves import about_curves, learning_curves
from jcnn.figures.feature_maps import about_journey, feature_maps, follow
from jcnn.figures.filters import about_filters, find_first_filters, first_filters
from jcnn.figures.mistakes import about_mistakes, confident_mistakes
from jcnn.figures.page import css_class, figure, page, pairs, scrolling, section
from jcnn.figures.rates import about_rates, rates
from jcnn.figures.reliability import about_reliability, reliability_diagram
from jcnn.figures.style import Theme, by_defaults
from jcnn.layers import Network
from jcnn.network import Params
from jcnn.printing import visible
from jcnn.summary import summary

MISTAKES = 12


class Run(NamedTuple):
    """Everything the page tells of a training run.

    Attributes:
        title: the page's title.
        config: what was asked for, name → value.
        environment: versions, device and the like, name → value.
        numbers: final numbers, already formatted; the first one is the headline.
        network: a tuple of layers.
        params: the trained parameters.
        records: the lines of the metrics, in order.
        test: the test images.
        probabilities: of the test images, (N, classes).
        attribution: the data's licence line, may be "".
        state: what layers keep beside their parameters; None: nothing.
        augmented: training images as the network was shown them; None: as they are.
        reproduction: what it takes to do the same again, such as the command, name → text.
    """

    title: str
    config: Mapping[str, Any]
    environment: Mapping[str, str]
    numbers: Mapping[str, str]
    network: Network
    params: Params
    records: Sequence[Mapping[str, Any]]
    test: Dataset
    probabilities: Float[np.ndarray, "n classes"]
    attribution: str
    state: Any = None
    augmented: Augmented | None = None
    reproduction: Mapping[str, str] = MappingProxyType({})


def render(run: Run) -> str:
    """The whole page as HTML: no scripts, no addresses; every figure inside, once for light and once for dark screens.

    Args:
        run: what happened.

    Raises:
        ValueError: probabilities that do not belong to the test images.
    """
    if np.shape(run.probabilities) != (len(run.test.labels), run.test.classes):
        raise ValueError(
            f"probabilities of shape {np.shape(run.probabilities)}: expected {(len(run.test.labels), run.test.classes)}, "
            "one row per test image, one column per class"
        )
    run = _legible(run)
    with by_defaults():
        return _page(run)


def _page(run: Run) -> str:
    sections = [
        *(part(run) for part in _PARTS[_shown(run.test)]),
        _layers(run),
        _pairs("Configuration", run.config),
        _reproduction(run.reproduction),
        _pairs("Environment", run.environment),
    ]
    return page(run.title, "A training run of jcnn", sections, numbers=run.numbers, footer=run.attribution)


def _shown(test: Dataset) -> str:
    """What test images can be shown as."""
    if not len(test.labels):
        return "nothing"
    return "pictures" if test.images.dtype == np.uint8 and test.images.ndim == 4 else "counts"


def _legible(run: Run) -> Run:
    """Names of others without characters that steer the page, or that it cannot hold."""
    test = run.test._replace(class_names=tuple(map(visible, run.test.class_names)))
    config = {name: visible(value) if isinstance(value, str) else value for name, value in run.config.items()}
    environment = {name: visible(value) for name, value in run.environment.items()}
    reproduction = {name: visible(value) for name, value in run.reproduction.items()}
    return run._replace(
        title=visible(run.title),
        test=test,
        config=config,
        environment=environment,
        attribution=visible(run.attribution),
        reproduction=reproduction,
    )


def _curves(run: Run) -> str:
    caption = (
        "How far the network is from the right answers (loss), how often it is right (accuracy) and how often wrong (error, "
        "on a logarithmic scale, where good networks still differ), on the images it learns from and on test images it never "
        "learns from. It learns from augmented images, and each is counted before the network has learned from it; "
        "unaugmented, the same images show what it has learned by then."
    )
    shown = figure(lambda theme: learning_curves(run.records, theme=theme), about_curves(run.records), caption)
    return section("Learning curves", shown)


def _rates(run: Run) -> str:
    if not any("images_per_second" in record for record in run.records):
        return ""
    caption = "The size of the steps, and how many training images were done in a second."
    shown = figure(lambda theme: rates(run.records, theme=theme), about_rates(run.records), caption)
    return section("Learning rate and speed", shown)


def _classes(run: Run) -> str:
    labels, names, predicted = run.test.labels, run.test.class_names, run.probabilities.argmax(axis=1)
    found = [f"top-{k} accuracy {part}" for k, part in top_k(run.probabilities, labels).items()]
    words = f"{', '.join(found).capitalize()}: how often the right class is among so many of the likeliest."
    return section("Classes", f"<p>{escape(words)}</p>\n{classes_table(labels, predicted, names)}")


def _calibration(run: Run) -> str:
    caption = (
        "Whether the network is right as often as it is sure. Each bar holds the test images to which it gave about the same "
        "probability; on the dashed line it would be calibrated, below it is too sure, above not sure enough. The lower bars "
        "count the images: of few, the accuracy says little."
    )
    alt = about_reliability(run.probabilities, run.test.labels)
    if not np.isfinite(run.probabilities).all():
        return section("Calibration", f"<p>{escape(alt)}</p>")
    shown = figure(lambda theme: reliability_diagram(run.probabilities, run.test.labels, theme=theme), alt, caption)
    words = alt.partition(": ")[2]
    return section("Calibration", f"<p>{escape(words[0].upper() + words[1:])}</p>\n{shown}")


def _attributions(run: Run) -> str:
    test = run.test
    examples = explain(run.network, run.params, test.images, test.labels, run.probabilities, state=run.state)
    caption = (
        "Right answers above, mistakes below. Orange shows where the image speaks for a class, as Grad-CAM finds it in the "
        "maps of a deep layer: for the network’s answer, and beside it for the true class, or where that was the answer, for "
        "the one that came second. The saliency is stronger the more a pixel can change the score of the answer."
    )

    def draw(theme: Theme) -> Figure:
        return attributions(examples, test.images, test.class_names, theme=theme)

    return section("What the answers hang on", figure(draw, about_attributions(examples, test.class_names), caption))


def _reproduction(reproduction: Mapping[str, str]) -> str:
    """What it takes to do the same again: a command as it is typed, the rest in a table."""
    if not reproduction:
        return ""
    (command, text), *others = reproduction.items()
    parts = [f"<p>{escape(command)}</p>\n<pre><code>{escape(text)}</code></pre>"]
    return section("To do it again", "\n".join([*parts, pairs(dict(others))] if others else parts))


def _pairs(heading: str, values: Mapping[str, Any]) -> str:
    return section(heading, pairs(values)) if values else ""


def _augmented(run: Run) -> str:
    shown_images = run.augmented
    if shown_images is None:
        return ""
    caption = "Some training images, and what augmentation makes of them: the network never sees the same image twice."
    alt = about_augmented(shown_images)
    shown = figure(lambda theme: augmented_images(shown_images, theme=theme), alt, caption)
    return section("Images as the network is shown them", shown)


def _confusion(run: Run) -> str:
    names, predicted = run.test.class_names, run.probabilities.argmax(axis=1)
    numbered = " in numbers" if len(names) <= COUNTED else ""
    caption = (
        f"Each row holds the test images of one true class and shows{numbered} what the network took them for: "
        "right answers in blue on the diagonal, mistakes in orange."
    )
    alt = about_confusion(run.test.labels, predicted, names)
    shown = figure(lambda theme: confusion_matrix(run.test.labels, predicted, names, theme=theme), alt, caption)
    # Where the cells carry no numbers, words name the ones that matter.
    counts = confusion_counts(run.test.labels, predicted, len(names))
    pairs = [] if len(names) <= COUNTED else confusions(counts, names)
    listed = "".join(f"<li>{escape(pair)}</li>" for pair in pairs)
    return section("Confusion matrix", shown + (f'\n<ul class="pairs">{listed}</ul>' if listed else ""))


def _mistakes(run: Run) -> str:
    test = run.test
    caption = (
        "The test images the network got wrong while being surest: true class → its answer, "
        "and the probability it gave that answer."
    )
    alt = about_mistakes(test.labels, run.probabilities, test.class_names, MISTAKES)
    if (run.probabilities.argmax(axis=1) == test.labels).all():
        return section("Most confident mistakes", f"<p>{escape(alt)}</p>")

    def draw(theme: Theme) -> Figure:
        return confident_mistakes(test.images, test.labels, run.probabilities, test.class_names, MISTAKES, theme=theme)

    return section("Most confident mistakes", figure(draw, alt, caption))


def _filters(run: Run) -> str:
    found = find_first_filters(run.network, run.params)
    if found is None:
        return ""
    scales = (
        "each on a scale of its own, as most are weaker than the strongest (the bars), and channel by channel beside it"
        if found.tiles.ndim == 4
        else "all tiles on one scale"
    )
    caption = (
        "What the first convolution layer looks for in a small patch of the image: each tile is one filter, "
        f"each of its squares a weight, {scales}."
    )
    shown = figure(lambda theme: first_filters(run.network, run.params, theme=theme), about_filters(found), caption)
    return section("First filters", shown)


def _feature_maps(run: Run) -> str:
    image, names = run.test.images[0], run.test.class_names
    caption = (
        "The first test image on its way through the network: each strip shows the first channels of one layer’s output, "
        "positive values in orange, negative ones in blue."
    )
    journey = follow(run.network, run.params, image, state=run.state)
    alt = about_journey(journey, names[int(run.test.labels[0])], names)
    shown = figure(
        lambda theme: feature_maps(run.network, run.params, image, names, theme=theme, state=run.state), alt, caption
    )
    return section("One image through the network", shown)


_PARTS: dict[str, tuple[Callable[[Run], str], ...]] = {
    "nothing": (_curves, _rates, _augmented, _filters),
    "counts": (_curves, _rates, _confusion, _classes, _calibration, _augmented, _filters),
    "pictures": (
        _curves,
        _rates,
        _confusion,
        _classes,
        _calibration,
        _mistakes,
        _attributions,
        _augmented,
        _filters,
        _feature_maps,
    ),
}
"""The sections with figures, by what the test images can be shown as."""


def _layers(run: Run) -> str:
    header, *rows = summary(run.network, run.test.input_shape).cells()
    head = "".join(f'<th scope="col"{_side(column)}>{escape(name)}</th>' for column, name in enumerate(header))
    body = "\n".join(_layer(row, total=row is rows[-1]) for row in rows)
    table = f'<table class="layers">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'
    caption = (
        "Sizes, multiply-adds and receptive fields are those of one image; the receptive field is the patch of input pixels "
        "one output number depends on, the jump the distance of two neighbouring patches."
    )
    return section("Layers", f"<p>{escape(caption)}</p>\n{scrolling(table, 'Layers of the network')}")


def _layer(row: Sequence[str], *, total: bool) -> str:
    cells = [
        f'<th scope="row">{escape(cell)}</th>' if column == 1 else f"<td{_side(column)}>{escape(cell)}</td>"
        for column, cell in enumerate(row)
    ]
    return f"<tr{css_class('total', given=total)}>{''.join(cells)}</tr>"


def _side(column: int) -> str:
    return css_class("number", given=column not in (1, 2))
