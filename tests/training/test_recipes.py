"""Recipes by name: each is one that can be trained; the command takes them, and what is given beside them overrides."""

import json
from pathlib import Path

import pytest

from jcnn.data.augmentations import Crop, Flip, check_rank
from jcnn.data.registry import check_source
from jcnn.network import trace
from jcnn.presets import PRESETS, preset
from jcnn.training import RECIPES, stored_config
from jcnn.training.recipes import help_text, recipe
from tests.commands.running import folder, run

__all__ = ["folder"]

SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
QUICK = ("--epochs", "1", "--batch-size", "512", "--network", "lecture")


@pytest.mark.parametrize("name", RECIPES)
def test_each_can_be_trained(name: str) -> None:
    config = recipe(name)
    config.check()
    check_source(config.data)
    assert config.network in PRESETS
    assert trace(preset(config.network, SHAPES[config.data], 10), SHAPES[config.data])[-1].output_shape == (10,)
    check_rank(config.augment, 2)
    assert name in help_text()


def test_the_command_takes_a_recipe_and_options_override(folder: Path) -> None:
    given = ("--augment", "flip,crop:1", "--average", "lookahead:3", "--learning-rate", "0.01")
    assert run("train", "--recipe", "digits", *QUICK, *given, "--out", "run") == 0
    config = stored_config(folder / "run")
    assert config is not None
    assert config.augment == (Flip(), Crop(1))
    assert (config.label_smoothing, config.learning_rate) == (recipe("digits").label_smoothing, 0.01)
    page = (folder / "run/report.html").read_text("utf-8")
    assert "Images as the network is shown them" in page
    assert "<td>flip,crop:1</td>" in page
    assert "<td>lookahead:3:0.5</td>" in page
    assert json.loads((folder / "run/config.json").read_text())["average"] == {"lookahead": {"steps": 3, "pull": 0.5}}
    assert run("train", "--resume", "--out", "run", "--augment", "flip") == 1


@pytest.mark.parametrize(
    ("arguments", "augment"),
    [((), True), (("--no-augment",), False), (("--augment", "none"), False), (("--augment",), True)],
    ids=["nothing said", "no augmentation", "none", "no word"],
)
def test_the_warp_is_switched_on_and_off(arguments: tuple[str, ...], augment: bool, folder: Path) -> None:
    assert run("train", *QUICK, *arguments, "--out", "run", "--momentum", "2") == 1  # refused, once it is read
    assert not (folder / "run").exists()
    from jcnn.commands import main

    command = main._parse(["train", *QUICK, *arguments], recipe("digits"))
    assert isinstance(command, main.Train)
    assert command.config.augment is augment


def test_lr_find_suggests_a_rate_and_leaves_its_plot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lr-find", "--network", "lecture", "--steps", "20", "--plot", "a.svg") == 0
    said = capsys.readouterr().out
    assert said.startswith("20 steps of lecture on digits with sgd: suggested is --learning-rate 0.")
    assert said.endswith("plot: a.svg\n")
    assert (folder / "a.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(("train", "--recipe", "mnist-fats"), 1, "did you mean mnist-fast?", id="no such recipe"),
        pytest.param(("lr-find", "--recipe", "cifar"), 1, "recipe 'cifar': expected one of digits", id="nor to find a rate"),
        pytest.param(("lr-find", "--steps", "3"), 1, "steps=3: expected an integer of at least 10", id="few steps"),
        pytest.param(("lr-find", "--lowest", "1", "--highest", "1"), 1, "expected 0 < lowest < highest", id="no range"),
        pytest.param(("train", "--augment", "flap"), 2, "did you mean flip?", id="no such augmentation"),
        pytest.param(("train", "--average", "ema:2"), 2, "decay=2.0: expected a number", id="an average out of range"),
        pytest.param(("train", "--label-smoothing", "1"), 1, "label_smoothing=1.0: expected", id="smoothing of everything"),
        pytest.param(("train", "--dtype", "float64", "--master-dtype", "float32"), 1, "master_dtype='float32'", id="narrow"),
    ],
)
def test_what_there_is_not_is_refused(
    arguments: tuple[str, ...], code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == code
    said = capsys.readouterr().err
    assert message in " ".join(said.replace("│", " ").split())
    assert not list(folder.iterdir())
