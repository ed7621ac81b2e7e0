"""PyTorch on all cores. Variants: {} as it comes, {"channels_last": true}, {"compile": true}, or both."""

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

from experiments.benchmarks.cases import Case, Convolution, Layer, Maximum, Pooling, Product, Step
from experiments.benchmarks.contenders.arrays import BATCHES, MOMENTUM, RATE, batches, fingerprint, initial_params, operands
from experiments.benchmarks.contenders.channels_first import filters_channels_first, params_channels_first
from experiments.benchmarks.contenders.protocol import Contender, Prepared, Variant, serve
from experiments.benchmarks.contenders.recipe import EVALUATED_AT_ONCE, Progress, Recipe
from experiments.benchmarks.shapes import SMALL

Tensor = Any


def _layout(variant: Variant) -> Any:
    return torch.channels_last if variant.get("channels_last") else torch.contiguous_format


def _images(array: np.ndarray, variant: Variant) -> Tensor:
    """(…, H, W, C) → (…, C, H, W), in the variant's layout."""
    return torch.from_numpy(np.moveaxis(array, -1, -3).copy()).contiguous(memory_format=_layout(variant))


def _operation(case: Convolution | Pooling | Product | Maximum, variant: Variant) -> Prepared:
    compute, axes = _pass(case, operands(case), variant)

    def call() -> Tensor:
        with torch.inference_mode():
            return compute()

    return Prepared(call, lambda results: fingerprint(np.transpose(results[0].numpy(), axes)))


def _pass(
    case: Convolution | Pooling | Product | Maximum, arrays: list[np.ndarray], variant: Variant
) -> tuple[Callable[[], Tensor], tuple[int, ...]]:
    """What computes the result, and the order of its axes that puts channels last."""
    images, filters = (0, 2, 3, 1), (2, 3, 1, 0)
    if isinstance(case, Product):
        first, second = map(torch.from_numpy, arrays)
        return lambda: first @ second, (0, 1)
    if isinstance(case, Maximum):
        first, second = map(torch.from_numpy, arrays)
        return lambda: torch.maximum(first, second, out=first), (0,)
    geometry = ([case.stride] * 2, [case.padding] * 2, [1, 1])
    if isinstance(case, Pooling):
        x, dy = (_images(array, variant) for array in arrays)
        pool = ([case.window] * 2, *geometry)
        if case.what == "forward":
            return lambda: nn.functional.max_pool2d(x, *pool), images
        # As in training: the forward pass has noted where the maxima are.
        _, places = torch.ops.aten.max_pool2d_with_indices(x, *pool)
        return lambda: torch.ops.aten.max_pool2d_with_indices_backward(dy, x, *pool, False, places), images
    x, dy = _images(arrays[0], variant), _images(arrays[2], variant)
    w = torch.from_numpy(filters_channels_first(arrays[1])).contiguous(memory_format=_layout(variant))
    if case.what == "forward":
        return lambda: nn.functional.conv2d(x, w, None, *geometry, case.groups), images
    wanted = [case.what == "dx", case.what == "dw", False]
    backward, place = torch.ops.aten.convolution_backward, ("dx", "dw").index(case.what)
    return lambda: backward(dy, x, w, None, *geometry, False, [0, 0], case.groups, wanted)[place], (images, filters)[place]


def _build(layer: Layer, inputs: int) -> Any:
    match layer.kind:
        case "conv":
            return nn.Conv2d(inputs, layer.units, layer.window, padding=layer.padding)
        case "dense":
            return nn.Linear(inputs, layer.units)
        case "max_pool":
            return nn.MaxPool2d(layer.window)
        case "avg_pool":
            return nn.AvgPool2d(layer.window)
        case kind:
            return {"relu": nn.ReLU, "tanh": nn.Tanh, "flatten": nn.Flatten}[kind]()


def _trainer(case: Step, variant: Variant, seed: int = 0) -> tuple[Any, Any, Callable[[Tensor, Tensor], Tensor]]:
    """A model, its optimizer, and a step on a batch."""
    network = nn.Sequential(*(_build(layer, shape[-1]) for layer, shape, _ in case.trace()))
    for layer, own in zip(network, params_channels_first(case, initial_params(case, seed)), strict=True):
        if own:
            layer.load_state_dict({"weight": torch.from_numpy(own["w"]), "bias": torch.from_numpy(own["b"])})
    network = network.to(memory_format=_layout(variant))
    model = torch.compile(network) if variant.get("compile") else network
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)

    def step(x: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return model, optimizer, step


def prepare(case: Case, variant: Variant) -> Prepared:
    """A case in this variant."""
    if not isinstance(case, Step):
        return _operation(case, variant)
    _, _, step = _trainer(case, variant)
    images, labels = batches(case)
    pairs = [(_images(images[number], variant), torch.from_numpy(labels[number]).long()) for number in range(BATCHES)]
    numbers = count()

    def call() -> Tensor:
        return step(*pairs[next(numbers) % BATCHES])

    return Prepared(call, lambda results: [float(loss) for loss in results[:4]], checked=4)


def learn(folder: Path, variant: Variant) -> Progress:
    """Trains `small`."""
    recipe = Recipe.read(folder)
    model, optimizer, step = _trainer(SMALL, variant, recipe.seed)
    images, order = torch.from_numpy(recipe.images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(recipe.order)
    labels, test_labels = (torch.from_numpy(array).long() for array in (recipe.labels, recipe.test_labels))
    test = torch.from_numpy(recipe.test_images.transpose(0, 3, 1, 2).copy()).split(EVALUATED_AT_ONCE)

    def to_input(images: Tensor) -> Tensor:
        return (images.float() / 255).contiguous(memory_format=_layout(variant))

    progress = []
    for number, (chosen, rate) in enumerate(zip(order, recipe.rates.tolist(), strict=True), 1):
        optimizer.param_groups[0]["lr"] = rate
        step(to_input(images[chosen]), labels[chosen])
        if number % recipe.evaluate_every == 0:
            with torch.inference_mode():
                found = torch.cat([model(to_input(part)).argmax(-1) for part in test])
            accuracy = float((found == test_labels).float().mean())
            progress.append((number, accuracy, time.time()))
            if accuracy >= recipe.target:
                break
    return progress


if __name__ == "__main__":
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    serve(Contender({"torch": torch.__version__}, prepare, learn))
