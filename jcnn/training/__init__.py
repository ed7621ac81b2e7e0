"""Training: the compiled steps, the loop around them, and what it leaves on the disk."""

from jcnn.training.averaging import EMA, Lookahead
from jcnn.training.checkpoint import Checkpoint
from jcnn.training.config import Config, default_config, stored_config
from jcnn.training.errors import CheckpointError, Interrupted, MetricsError, RunInUseError, TrainingError
from jcnn.training.evaluation import Evaluation, evaluate, make_predict
from jcnn.training.fitting import Result, fit
from jcnn.training.learning_rate_range import LearningRateRange, learning_rate_range
from jcnn.training.recipe import Recipe
from jcnn.training.recipes import RECIPES
from jcnn.training.restored import Restored, restore_run
from jcnn.training.tensorboard import TensorBoard

__all__ = [
    "EMA",
    "RECIPES",
    "Checkpoint",
    "CheckpointError",
    "Config",
    "Evaluation",
    "Interrupted",
    "LearningRateRange",
    "Lookahead",
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
    "learning_rate_range",
    "make_predict",
    "restore_run",
    "stored_config",
]
