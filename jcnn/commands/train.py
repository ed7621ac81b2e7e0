"""`jcnn train`: a network trained on a data set, both by name, and a report of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from jcnn import data, presets, printing
from jcnn.commands.options import Chosen
from jcnn.data import Dataset
from jcnn.percentages import share
from jcnn.printing import plain
from jcnn.training import Config, Result, TensorBoard, fit, stored_config
from jcnn.training.errors import as_command
from jcnn.training.loop import Callback
from jcnn.training.run_folders import RUNS, claimed, held, newest
from jcnn.training.tensorboard import check_installed


@dataclass(frozen=True)
class Train(Chosen):
    """Train a network and write a report: metrics, checkpoints and figures in a folder of their own."""

    out: Path | None = None
    """The run's folder; by default the next free one in runs/."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in --out (by default the newest one in runs/), to the same result, bit for bit."""
    tensorboard: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write event files for TensorBoard into the run's folder, tensorboard/; needs `pip install "jcnn[tensorboard]"`."""

    def defaults(self) -> Config:
        """What is done unless it is told otherwise; with --resume what the run that is gone on with did."""
        folder = self.folder() if self.resume and self.recipe is None else None
        return (folder and stored_config(folder)) or super().defaults()

    def run(self, console: Console) -> int:
        """Trains, and says how well and where the report is."""
        self.check()
        config = self.config
        with claimed(self.folder(), f"{config.data}-{config.network}") as out:
            console.print(plain(f"training {config.network} on {config.data}, seed {config.seed}, in {out}"), soft_wrap=True)
            board = TensorBoard(out / "tensorboard") if self.tensorboard else None
            result = train(
                config,
                out,
                resume=self.resume,
                data_dir=self.data_dir,
                originals=self.originals,
                callbacks=[board] if board else [],
            )
        _, test = result.tested
        console.print(
            f"[bold]{share(test.right, len(test.labels), least=2)}[/] of {len(test.labels)} test images right "
            f"({test.errors} wrong), loss {test.loss:.4g}; {result.seconds:.1f} s of training, "
            f"{result.images_per_second:,.0f} images/s with {result.ops.gradient} gradients, "
            f"after {result.compile_seconds:.1f} s of compiling",
            soft_wrap=True,
        )
        if board:
            board.close()
            console.print(plain(f"event files: tensorboard --logdir {out / 'tensorboard'}"), soft_wrap=True)
        console.print(plain(f"report: {out / 'report.html'}"), soft_wrap=True)
        return 0

    def check(self) -> None:
        """Refuses what cannot become a run, before one is announced or its folder made."""
        super().check()
        if self.tensorboard:
            check_installed()
        place = self.out or RUNS
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError(17, "File exists, expected a folder for runs", str(there))

    def folder(self) -> Path | None:
        """The folder that was asked for, or with --resume the newest run; None: a new one."""
        return self.out or (newest() if self.resume else None)


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    data_dir: Path | None = None,
    originals: Path | None = None,
    report: bool = True,
    callbacks: Sequence[Callback] = (),
    console: Console | None = None,
) -> Result:
    """`fit` for a network and a data set by name.

    Args:
        config: what to train, on what, and the recipe.
        out: the run's folder, as in `fit`.
        resume: as in `fit`.
        data_dir: where data sets lie, as in `jcnn.data.load`.
        originals: a folder of original files, as in `jcnn.data.load`.
        report: as in `fit`.
        callbacks: as in `fit`.
        console: where progress and warnings are shown; None: the standard error.

    Returns:
        A `Result`.

    Raises:
        ValueError: a config that does not fit the data, or a network that does not fit the images.
        DataError: images that cannot be had, none at all, or labels that are none of the classes.
        TrainingError: as `fit`.
        CheckpointError: as `fit`.
        Interrupted: as `fit`.
    """
    config.check()
    console = console or printing.console(stderr=True)

    def tell(text: str) -> None:
        console.print(plain(text), soft_wrap=True)

    def load(split: str) -> Dataset:
        return data.load(
            config.data,
            split,
            data_dir=data_dir,
            originals=originals,
            image_size=config.image_size,
            pixels=config.pixels,
            broken=config.broken,
            tell=tell,
        ).checked()

    # `fit` takes the folder itself; before, so that nobody waits for images only to be told that it is another's.
    with held(out, lambda _: None, as_command):
        images, test = load("train"), load("test")
    return fit(
        presets.preset(config.network, images.input_shape, images.classes),
        images,
        test,
        recipe=config,
        out=out,
        resume=resume,
        report=report,
        callbacks=callbacks,
        console=console,
        described_as=config.subject(),
    )
