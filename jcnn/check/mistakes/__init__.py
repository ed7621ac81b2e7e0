"""The catalogue of mistakes, simplest first; each can be run, so that a candidate's numbers tell which one it makes."""

from jcnn.check.mistakes import activations, conv_gradients, convs, general, layers, normalisations, others, pools, windows
from jcnn.check.mistakes.catalogue import Mistake, Verdict

CATALOGUE: tuple[Mistake, ...] = (
    *general.MISTAKES,
    *windows.MISTAKES,
    *convs.MISTAKES,
    *conv_gradients.MISTAKES,
    *pools.MISTAKES,
    *activations.MISTAKES,
    *layers.MISTAKES,
    *normalisations.MISTAKES,
    *others.MISTAKES,
)

__all__ = ["CATALOGUE", "Mistake", "Verdict"]
