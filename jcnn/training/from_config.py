"""`train`: from the words of `jcnn train` to `fit`."""

from pathlib import Path
from typing import TYPE_CHECKING

from jcnn import data, printing
from jcnn.data.dataset import Dataset
from jcnn.presets import preset
from jcnn.training import lock
from jcnn.training.checkpoint import CheckpointError
from jcnn.training.config import Config
from jcnn.training.fitting import Result, fit

if TYPE_CHECKING:
    from rich.console import Console


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    data_dir: Path | None = None,
    originals: Path | None = None,
    console: "Console | None" = None,
) -> Result:
    """Trains a network on a data set, both by name, and leaves `config.json`, `metrics.jsonl` and `checkpoints/` in a folder.

    Args:
        config: what to train, on what, and the recipe.
        out: the run's folder, made if missing; nobody else trains in it meanwhile.
        resume: go on from the newest good checkpoint in `out`, if there is one; the final parameters are bit for bit those of a
            run that was never interrupted (same machine and number of threads).
        data_dir: where data sets lie, as in `jcnn.data.load`.
        originals: a folder of original files, as in `jcnn.data.load`.
        console: where progress and warnings are shown; None: the standard error.

    Returns:
        A `Result`.

    Raises:
        ValueError: a config that does not fit the data, or a network that does not fit the images.
        DataError: images that cannot be had, none at all, or labels that are none of the classes.
        TrainingError: as `fit`.
        CheckpointError: as `fit`.
        Interrupted: after SIGTERM or Ctrl-C, the state saved.
    """
    config.check()
    console = console or printing.console(stderr=True)

    def tell(text: str) -> None:
        console.print(printing.plain(text), soft_wrap=True)

    def load(split: str) -> Dataset:
        return data.load(
            config.data,
            split,
            data_dir=data_dir,
            originals=originals,
            image_size=config.image_size,
            tell=tell,
        ).checked()

    try:
        # `fit` takes the folder itself; before, so that nobody waits for images only to be told that it is another's.
        with lock.held(out, lambda _: None):
            images, test = load("train"), load("test")
    except OSError as error:
        if error.filename != str(out):
            raise
        raise CheckpointError(f"cannot write to {out}: {error.strerror}") from error
    return fit(
        preset(config.network, images.input_shape, images.classes),
        images,
        test,
        recipe=config,
        out=out,
        resume=resume,
        report=False,
        console=console,
        described_as={"data": config.data, "image_size": config.image_size, "network": config.network},
    )
