"""`jcnn check`: our own operations against sums written out in float64."""

from dataclasses import dataclass

import tyro
from rich.console import Console

from jcnn.check.selfcheck.matrix import check
from jcnn.printing import print_result


@dataclass(frozen=True)
class Check:
    """Check our own operations: every formulation, both gradients, every dtype, against sums written out in float64.

    Exits with 0 if all agree, else with 1.
    """

    operations: tyro.conf.Positional[tuple[str, ...]] = ()
    """Operations to check, such as conv, or conv_backward for its gradients alone; by default all."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON in place of the table."""

    def run(self, console: Console) -> int:
        """Prints the matrix."""
        matrix = check(self.operations or None)
        print_result(console, matrix, as_json=self.json)
        return 0 if matrix.verdict == "agrees" else 1
