"""`jcnn summary`: a network layer by layer."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console

from jcnn import presets
from jcnn.summary import summary


@dataclass(frozen=True)
class Summary:
    """Show a network layer by layer: sizes, parameters, multiply-adds, receptive field."""

    network: Annotated[str, tyro.conf.arg(help=presets.help_text())] = "small"
    input_shape: tuple[int, ...] = (8, 8, 1)
    """Height, width and channels of one image."""
    classes: int = 10
    """Number of classes."""
    plan: tyro.conf.FlagCreatePairsOff[bool] = False
    """Say of every convolution which way its forward pass and its two gradients take on this machine."""

    def run(self, console: Console) -> int:
        """Prints the table."""
        if len(self.input_shape) != 3 or min(*self.input_shape, self.classes) < 1:
            raise ValueError(
                f"input shape {self.input_shape}, {self.classes} classes: expected three sizes and a count, e.g. 28 28 1"
            )
        network = presets.preset(self.network, self.input_shape, self.classes)
        described = summary(network, self.input_shape, plan=self.plan)
        console.print(described if console.is_terminal else str(described), soft_wrap=not console.is_terminal, highlight=False)
        return 0
