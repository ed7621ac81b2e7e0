"""Training: the compiled steps, the loop around them, and what it leaves on the disk."""

from jcnn.training.checkpoint import Checkpoint
from jcnn.training.config import Config, default_config, stored_config
from jcnn.training.errors import CheckpointError, Interrupted, MetricsError, RunInUseError, TrainingError
from jcnn.training.evaluation import Evaluation, evaluate, make_predict
from jcnn.training.fitting import Result, fit
from jcnn.training.recipe import Recipe
from jcnn.training.restored import Restored, restore_run
from jcnn.training.tensorboard import TensorBoard

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
    "TensorBoard",
    "TrainingError",
    "default_config",
    "evaluate",
    "fit",
    "make_predict",
    "restore_run",
    "stored_config",
]
