"""Every picture of a training run, and the page that holds them; the only place that knows Matplotlib."""

import jcnn.figures.any_backend  # noqa: F401 (before anything else imports Matplotlib)
from jcnn.figures.attributions import attributions
from jcnn.figures.confusion import confusion_matrix
from jcnn.figures.contact_sheet import contact_sheet
from jcnn.figures.curves import learning_curves
from jcnn.figures.feature_maps import feature_maps
from jcnn.figures.filters import first_filters
from jcnn.figures.mistakes import confident_mistakes
from jcnn.figures.rates import rates
from jcnn.figures.reliability import reliability_diagram
from jcnn.figures.report import Run, render
from jcnn.figures.style import DARK, LIGHT, Theme, to_png, to_svg

__all__ = [
    "DARK",
    "LIGHT",
    "Run",
    "Theme",
    "attributions",
    "confident_mistakes",
    "confusion_matrix",
    "contact_sheet",
    "feature_maps",
    "first_filters",
    "learning_curves",
    "rates",
    "reliability_diagram",
    "render",
    "to_png",
    "to_svg",
]
