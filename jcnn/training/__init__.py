"""Training: the compiled steps, the loop around them, and what it leaves on the disk."""

from jcnn.training.checkpoint import Checkpoint, CheckpointError
from jcnn.training.config import Config, recipe, stored_config
from jcnn.training.errors import MetricsError, RunInUseError, TrainingError
from jcnn.training.evaluation import Evaluation, evaluate, make_predict
from jcnn.training.fitting import Result, fit
from jcnn.training.from_config import train
from jcnn.training.hyperparameters import Recipe
from jcnn.training.restored import Restored, restore_run
from jcnn.training.signals import Interrupted

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Config",
    "Evaluation",
    "Interrupted",
    "MetricsError",
    "Recipe",
    "Restored",
    "Result",
    "RunInUseError",
    "TrainingError",
    "evaluate",
    "fit",
    "make_predict",
    "recipe",
    "restore_run",
    "stored_config",
    "train",
]
