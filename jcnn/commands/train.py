"""`jcnn train`: a network trained, and a report of it."""

from dataclasses import dataclass, field
from pathlib import Path

import jax
import tyro
from rich.console import Console

from jcnn import data, presets
from jcnn.commands.options import DataDir, Originals
from jcnn.commands.run_folders import RUNS, claimed, newest
from jcnn.printing import plain
from jcnn.training import Config, train


@dataclass(frozen=True)
class Train:
    """Train a network and write a report: metrics, checkpoints and figures in a folder of their own."""

    config: tyro.conf.OmitArgPrefixes[Config] = field(default_factory=Config)
    out: Path | None = None
    """The run's folder; by default the next free one in runs/."""
    resume: tyro.conf.FlagCreatePairsOff[bool] = False
    """Go on with the run in --out (by default the newest one in runs/), to the same result, bit for bit."""
    data_dir: DataDir = None
    originals: Originals = None

    def run(self, console: Console) -> int:
        """Trains, then writes and names the report."""
        from jcnn.report import write_report

        self.check()
        jax.config.update("jax_enable_x64", self.config.dtype == "float64")
        with claimed(self.folder(), self.config) as out:
            config = self.config
            console.print(plain(f"training {config.network} on {config.data}, seed {config.seed}, in {out}"), soft_wrap=True)
            result = train(config, out, resume=self.resume, data_dir=self.data_dir, originals=self.originals)
        report = write_report(result)
        _, test = result.tested
        console.print(
            f"[bold]{test.accuracy:.2%}[/] of {len(test.labels)} test images right ({test.errors} wrong), "
            f"loss {test.loss:.4f}; {result.seconds:.1f} s of training, {result.images_per_second:,.0f} images/s "
            f"with {result.ops.gradient} gradients, after {result.compile_seconds:.1f} s of compiling",
            soft_wrap=True,
        )
        console.print(plain(f"report: {report}"), soft_wrap=True)
        return 0

    def check(self) -> None:
        """Refuses what cannot become a run, before one is announced or its folder made."""
        self.config.check()
        presets.check(self.config.network)
        data.check(self.config.data, data_dir=self.data_dir, originals=self.originals, image_size=self.config.image_size)
        place = self.out or RUNS
        there = next(path for path in (place, *place.absolute().parents) if path.exists())
        if not there.is_dir():
            raise FileExistsError(17, "File exists, expected a folder for runs", str(there))

    def folder(self) -> Path | None:
        """The folder that was asked for, or with --resume the newest run; None: a new one."""
        return self.out or (newest() if self.resume else None)
