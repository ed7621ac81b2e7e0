"""Images and labels: where they come from, and how batches are drawn from them."""

from jcnn.data import augment, augmentations
from jcnn.data.dataset import DataError, Dataset
from jcnn.data.folder import folder
from jcnn.data.load import check, load
from jcnn.data.pixels import Pixels

__all__ = ["DataError", "Dataset", "Pixels", "augment", "augmentations", "check", "folder", "load"]
