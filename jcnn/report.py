"""From the result of a training run to its page."""

from pathlib import Path
from typing import TYPE_CHECKING

from jcnn.disk import write_atomically
from jcnn.training import settings
from jcnn.training.checkpoint import versions

if TYPE_CHECKING:
    from jcnn.training import Config, Result


def write_report(config: "Config", result: "Result") -> Path:
    """Writes `report.html` into the run's folder and returns its path.

    Raises:
        OSError: it cannot be written.
    """
    from jcnn.figures.report import Run, render

    test = result.evaluation
    run = Run(
        title=f"{config.network} on {config.data}",
        config=config.to_json(),
        environment={**versions(), **settings.machine(), **settings.found()},
        numbers={
            "test accuracy": f"{test.accuracy:.2%}",
            "test errors": f"{test.errors} of {len(test.labels)}",
            "test loss": f"{test.loss:.4f}",
            "training time": f"{result.seconds:.1f} s",
            "compile time": f"{result.compile_seconds:.1f} s",
            "training speed": f"{result.images_per_second:,.0f} images/s",
            "gradients": f"{result.ops.gradient}, {result.ops.formulation} convolutions",
        },
        network=result.network,
        params=result.params,
        records=result.records,
        test=result.test,
        probabilities=test.probabilities,
        attribution=result.test.attribution,
    )
    with settings.fixed(config.dtype):
        page = render(run)
    path = result.out / "report.html"
    write_atomically(path, page.encode())
    return path
