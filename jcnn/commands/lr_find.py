"""`jcnn lr-find`: which learning rate to begin with, and the plot by which it is found."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from jcnn import presets
from jcnn.commands.options import Chosen
from jcnn.printing import plain
from jcnn.training.learning_rate_range import learning_rate_range


@dataclass(frozen=True)
class LrFind(Chosen):
    """Find a learning rate: some steps at ever larger ones, and a quarter of the one that does best."""

    lowest: float = 1e-5
    """The first learning rate."""
    highest: float = 10.0
    """The last one; it ends earlier where the loss leads away."""
    steps: int = 100
    """Steps to do, at least 10."""
    plot: Path = Path("learning-rates.png")
    """The plot: a PNG file, or of another form that the name ends in."""

    def run(self, console: Console) -> int:
        """Says what is suggested, and leaves the plot."""
        self.check()
        config = self.config
        images = self.load("train", lambda text: console.print(plain(text), soft_wrap=True))
        found = learning_rate_range(
            presets.preset(config.network, images.input_shape, images.classes),
            images,
            recipe=config,
            lowest=self.lowest,
            highest=self.highest,
            steps=self.steps,
        )
        from jcnn.figures.learning_rates import learning_rates  # it brings Matplotlib
        from jcnn.figures.style import by_defaults, save

        with by_defaults():
            save(learning_rates(*found), self.plot)
        console.print(
            plain(
                f"{len(found.rates)} steps of {config.network} on {config.data} with {config.optimizer}: suggested is "
                f"--learning-rate {found.suggested:.2g}, a quarter of that of the least loss; plot: {self.plot}"
            ),
            soft_wrap=True,
        )
        return 0
