"""Images and labels: where they come from, and how batches are drawn from them."""

from jcnn.data import augment, augmentations
from jcnn.data.dataset import DataError, Dataset
from jcnn.data.load import check, load

__all__ = ["DataError", "Dataset", "augment", "augmentations", "check", "load"]
