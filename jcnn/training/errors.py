"""What a run fails with."""


class TrainingError(Exception):
    """A run that cannot go on; the message says where, why and what to try."""


class RunInUseError(TrainingError):
    """A run's folder that another training holds; the message names the folder, the process, its machine, and since when."""


class MetricsError(TrainingError):
    """A metrics file that is not what was written; the message names the file, the line, and the way out."""
