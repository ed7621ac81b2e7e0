"""The network of a run's files: a preset by its name, any other as data."""

import json

import pytest

import jcnn
from jcnn.network_data import to_data
from jcnn.training.restored import stored_network
from tests.own_layers import Held


def test_a_name_is_a_preset() -> None:
    assert stored_network("lenet5", (28, 28, 1), 10) == jcnn.lenet5((28, 28, 1), 10)


def test_data_is_the_network_whatever_the_images_are() -> None:
    network = (jcnn.Conv(2, 3), Held((jcnn.Relu(), None)), jcnn.Flatten(), jcnn.Dense(3))
    assert stored_network(json.loads(json.dumps(to_data(network))), (28, 28, 1), 10) == network


@pytest.mark.parametrize("entry", ["lenet6", None, 3, {}, [], {"layers": [{"os:system": {}}]}], ids=repr)
def test_anything_else_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match=r"lenet6|no data of a network|no such class"):
        stored_network(entry, (28, 28, 1), 10)
