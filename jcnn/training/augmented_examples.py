"""Some images of a run as its network was shown them, for its report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jcnn.data import augmentations
from jcnn.data.dataset import Dataset
from jcnn.layers import Network
from jcnn.training import settings
from jcnn.training.recipe import Recipe
from jcnn.training.step import as_seen

if TYPE_CHECKING:
    from jcnn.figures.augmented import Augmented

IMAGES, EPOCHS = 4, 5
"""How many are shown, and in how many epochs."""

BATCH = 64
"""Images of which they are the first: those that they may be blended with."""


def augmented_examples(network: Network, train: Dataset, config: Mapping[str, Any]) -> "Augmented | None":
    """Images of classes that differ, as they are and as they are shown in the first epochs; None where nothing changes them.

    Augmentation, seed and dtype are those of the run, so each is shown as the run showed it, but for what its place in a batch
    decided.

    Args:
        network: the layers.
        train: the training images; only of uint8 pictures, (N, H, W, C), there is something to see.
        config: the run's choices, plain values.
    """
    from jcnn.figures.augmented import Augmented  # it brings Matplotlib

    recipe = Recipe(augment=augmentations.from_data(config["augment"]), seed=config["seed"], dtype=config["dtype"])
    if not augmentations.parts(recipe.augment) or train.images.dtype != np.uint8 or train.images.ndim != 4:
        return None
    _, firsts = np.unique(train.labels[: 16 * BATCH], return_index=True)
    chosen = np.sort(firsts)[:IMAGES]
    rows = np.concatenate([chosen, np.setdiff1d(np.arange(min(BATCH, len(train.images))), chosen)])
    images, labels = train.images[rows], train.labels[rows]
    with settings.fixed(recipe.dtype):
        show = jax.jit(lambda epoch: as_seen(recipe, network, images, labels, epoch, epoch)[0][: len(chosen)])
        shown = [np.asarray(show(epoch), np.float32) for epoch in range(EPOCHS)]
    return Augmented(images[: len(chosen)], tuple(shown), augmentations.in_words(recipe.augment))
