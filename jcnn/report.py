"""From the result of a training run to its page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jcnn.disk import write_atomically
from jcnn.training import settings
from jcnn.training.checkpoint import versions

if TYPE_CHECKING:
    from jcnn.training import Evaluation, Result


def write_report(result: "Result") -> Path:
    """Writes `report.html` into the run's folder and returns its path.

    Raises:
        ValueError: the run has no folder.
        OSError: it cannot be written.
    """
    from jcnn.figures.report import Run, render

    if result.out is None:
        raise ValueError("result has no out: expected that of a run with a folder, where its report belongs")
    config, untested = result.config, result.train._replace(images=result.train.images[:0], labels=result.train.labels[:0])
    test = untested if result.test is None else result.test
    run = Run(
        title=f"{_word(config['network'], 'a network')} on {config['data']}",
        config={name: _word(value, WITHOUT_NAME.get(name, "")) for name, value in config.items()},
        environment={**versions(), **settings.machine(), **settings.found()},
        numbers={
            **_tested(result.evaluation),
            "training time": f"{result.seconds:.1f} s",
            "compile time": f"{result.compile_seconds:.1f} s",
            "training speed": f"{result.images_per_second:,.0f} images/s",
            "gradients": f"{result.ops.gradient}, {result.ops.formulation} convolutions",
        },
        network=result.network,
        params=result.params,
        records=result.records,
        test=test,
        probabilities=np.zeros((0, test.classes)) if result.evaluation is None else result.evaluation.probabilities,
        attribution=test.attribution,
    )
    with settings.fixed(config["dtype"]):
        page = render(run)
    path = result.out / "report.html"
    write_atomically(path, page.encode())
    return path


WITHOUT_NAME = {"network": "its layers are listed above", "optimizer": "an Optax transformation that has no name here"}
"""What stands for a choice that is no word and no number."""


def _word(value: Any, otherwise: str) -> Any:
    return otherwise if isinstance(value, dict) else value


def _tested(found: "Evaluation | None") -> dict[str, str]:
    if found is None:
        return {}
    return {
        "test accuracy": f"{found.accuracy:.2%}",
        "test errors": f"{found.errors} of {len(found.labels)}",
        "test loss": f"{found.loss:.4f}",
    }
