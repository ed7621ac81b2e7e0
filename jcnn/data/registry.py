"""The data sets that go by a bare name: one row each, from which loader, command, help and errors take what they need.

A row says what the set is, whose it is, and how its images are read:

- `Embedded`: a function of the package that returns a split.
- `Idx`, `Cifar`: published files in these formats, described by a builder of TensorFlow Datasets, read without TensorFlow.
- `Stock`: as TensorFlow Datasets prepares it.

Rows are plain data, and whatever is slow to import is imported by what reads them.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jcnn.data.dataset import Dataset
from jcnn.data.digits import load_digits
from jcnn.data.originals import CIFAR10_FILES
from jcnn.names import check_name

TFDS = "tfds:"
"""What the name of any other set of TensorFlow Datasets begins with."""

FOLDER = "folder:"
"""What the name of a folder of pictures begins with."""

EPOCHS = 10
"""How often the images of a set are seen that has no row, or says nothing else."""


@dataclass(frozen=True)
class Embedded:
    """Images inside the package.

    Attributes:
        load: "train" or "test" → that split.
    """

    load: Callable[[str], Dataset]


@dataclass(frozen=True)
class PublishedFiles:
    """Files as they were published, of a set that TensorFlow Datasets knows.

    Attributes:
        stock: its builder in `tensorflow_datasets.image_classification`, with the description, addresses and checksums.
    """

    stock: str

    def stock_builder(self) -> Any:
        """The builder."""
        module, _, name = self.stock.partition(".")
        return getattr(importlib.import_module(f"tensorflow_datasets.image_classification.{module}"), name)


@dataclass(frozen=True)
class Idx(PublishedFiles):
    """Images and labels in MNIST's four gzipped IDX files."""


@dataclass(frozen=True)
class Cifar(PublishedFiles):
    """Images and labels in a tar archive of CIFAR's binary version.

    Attributes:
        folder: the folder in the archive.
        splits: the files of each split.
        labels: the file of names of each label, in the order in which the labels stand before an image.
        unpacked: SHA-256 of the unpacked files, where they may be given in place of the archive.
        class_names: the names that the archive has in a file beside those.
    """

    folder: str
    splits: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]
    unpacked: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stock:
    """Whatever TensorFlow Datasets has under the row's name."""


@dataclass(frozen=True)
class Source:
    """A row of the registry.

    Attributes:
        images: what they show, how many, of which size.
        address: where they are described.
        licence: under which they may be used, as its authors or those who publish it say.
        reader: how they are read.
        epochs: how often the default recipe shows every training image.
        class_names: names of the classes where the reader's are to be replaced.
    """

    images: str
    address: str
    licence: str
    reader: Embedded | PublishedFiles | Stock
    epochs: int = EPOCHS
    class_names: tuple[str, ...] = ()


SOURCES: dict[str, Source] = {
    "digits": Source(
        images="1,797 handwritten digits, 8×8, grey; they come with jcnn",
        address="https://doi.org/10.24432/C50P49",
        licence="CC BY 4.0",
        reader=Embedded(load_digits),
        epochs=100,  # they are few
    ),
    "mnist": Source(
        images="70,000 handwritten digits, 28×28, grey",
        address="http://yann.lecun.com/exdb/mnist/",
        licence="none stated by its authors; Keras says CC BY-SA 3.0",
        reader=Idx("mnist.MNIST"),
    ),
    "fashion_mnist": Source(
        images="70,000 articles of clothing, 28×28, grey",
        address="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        reader=Idx("mnist.FashionMNIST"),
        # In small letters, as those of the other sets. Source: Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST", table 2.
        class_names=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
    "cifar10": Source(
        images="60,000 photographs, 32×32, in colour",
        address="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by its authors",
        reader=Cifar(
            "cifar.Cifar10",
            folder="cifar-10-batches-bin",
            splits={"train": tuple(CIFAR10_FILES)[:5], "test": ("test_batch.bin",)},
            labels={"label": "batches.meta.txt"},
            unpacked=CIFAR10_FILES,
            class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        ),
    ),
    "cifar100": Source(
        images="60,000 photographs of 100 classes, 32×32, in colour",
        address="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by its authors",
        reader=Cifar(
            "cifar.Cifar100",
            folder="cifar-100-binary",
            splits={"train": ("train.bin",), "test": ("test.bin",)},
            labels={"coarse_label": "coarse_label_names.txt", "label": "fine_label_names.txt"},
        ),
    ),
}


def check_source(name: str) -> None:
    """Refuses a name that has no row.

    Raises:
        ValueError: the message lists the names, and says which is the nearest.
    """
    check_name("dataset", name, SOURCES, f", {FOLDER}PATH for a folder of pictures, or {TFDS}NAME for another")


def default_epochs(name: str) -> int:
    """How often the default recipe shows every training image of a set."""
    return SOURCES[name].epochs if name in SOURCES else EPOCHS


def names_in_words() -> str:
    """The names there are, for the help of a command."""
    return (
        f"{', '.join(SOURCES)}, {FOLDER}PATH for a folder of pictures, a subfolder for each class, or {TFDS}NAME for another "
        "set of TensorFlow Datasets"
    )
