"""Training in PyTorch, as a recipe says, ends where our own does."""

import dataclasses

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from experiments.benchmarks import pytorch_training  # noqa: E402 (it imports torch)
from jcnn import data, fit, presets  # noqa: E402
from jcnn.data.augmentations import AlternatingFlip, Crop  # noqa: E402
from jcnn.exchange import to_torch  # noqa: E402
from jcnn.training import EMA, Config  # noqa: E402

CONFIG = Config(
    network="airbench_tiny",
    epochs=2,
    batch_size=64,
    learning_rate=0.05,
    momentum=0.85,
    schedule="linear",
    warmup=0.25,
    weight_decay=1e-3,
    augment=(AlternatingFlip(), Crop(1)),
    label_smoothing=0.2,
    average=EMA(0.9),
    test_time_flip=True,
    seed=3,
    dtype="float64",
)


def noisy(split: str, count: int) -> data.Dataset:
    """Digits under noise: in black areas many values are equal, and which of them is the maximum is a convention."""
    digits = data.load("digits", split)
    noise = np.random.default_rng(5).integers(0, 100, (count, *digits.input_shape), np.uint8)
    return digits._replace(images=digits.images[:count] // 2 + noise, labels=digits.labels[:count])


@pytest.mark.parametrize("momentum", [0.85, 0.0])
def test_it_ends_at_the_same_weights_and_accuracy(momentum: float) -> None:
    config = dataclasses.replace(CONFIG, momentum=momentum)
    images, test = noisy("train", 256), noisy("test", 100)
    network = presets.preset(config.network, images.input_shape, images.classes)
    state = pytorch_training.first_state(config, network, images, 8)
    module = pytorch_training.torch_module(network, state.params, state.network_state, input_shape=images.input_shape)
    learner = pytorch_training.Learner(module, config, 8, "channels last")
    for x, labels in pytorch_training.batches(config, network, images):
        learner.step(x, labels)
    learner.use_average()
    result = fit(network, images, test, recipe=config)
    ours = to_torch(network, result.params, result.state, input_shape=images.input_shape)
    theirs = {name: one for name, one in learner.module.state_dict().items() if one.is_floating_point()}
    assert theirs.keys() <= ours.keys()
    for name, weights in theirs.items():
        np.testing.assert_allclose(weights.numpy(), ours[name].numpy(), rtol=1e-6, atol=1e-8, err_msg=name)
    assert result.evaluation is not None
    assert learner.accuracy(test) == pytest.approx(result.evaluation.accuracy, abs=0)


@pytest.mark.parametrize(
    "other", [{"optimizer": "adamw"}, {"dtype": "bfloat16"}, {"dtype": "float16", "master_dtype": "float32"}], ids=str
)
def test_what_is_not_written_for_pytorch_is_refused(other: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected a recipe of the optimiser sgd, without mixed precision"):
        pytorch_training.check(dataclasses.replace(CONFIG, **other))


def test_without_augmentation_batches_are_the_images() -> None:
    config = dataclasses.replace(CONFIG, augment=False, epochs=1)
    images = data.load("digits", "train")
    x, labels = next(pytorch_training.batches(config, (), images))
    order = np.asarray(jax.device_get(pytorch_training.epoch_order(3, 0, len(images.labels))))[:64]
    np.testing.assert_array_equal(x, images.images[order] / 255)
    np.testing.assert_array_equal(labels, images.labels[order])
