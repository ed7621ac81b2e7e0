"""What a run was asked to do, on the disk: read back, or refused by name once a bit of it changed."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jcnn.data.augmentations import Crop, Cutout, Flip
from jcnn.training.averaging import Lookahead
from jcnn.training.config import LATER, Config, stored_config, to_text

CONFIG = Config(data="mnist", image_size=20, epochs=3, learning_rate=0.1)
TEXT = to_text(CONFIG.to_json())


def test_a_config_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(TEXT, "utf-8")
    assert stored_config(tmp_path) == CONFIG


def test_values_that_are_no_numbers_are_read_back(tmp_path: Path) -> None:
    config = replace(CONFIG, augment=(Flip(), Crop(2), Cutout(3, 0.5)), average=Lookahead(3), master_dtype="float32")
    (tmp_path / "config.json").write_text(to_text(config.to_json()), "utf-8")
    assert stored_config(tmp_path) == config


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("augment", [{"crops": {}}], "did you mean crop", id="an augmentation that there is not"),
        pytest.param("augment", [{"crop": {"padding": -1}}], "padding=-1: expected", id="an amount out of range"),
        pytest.param("augment", [3], "expected {NAME", id="a number"),
        pytest.param("average", {"ema": {"decay": 2}}, "decay=2: expected", id="an average out of range"),
        pytest.param("average", "ema", "average='ema': expected", id="words"),
    ],
)
def test_values_that_there_are_not_are_refused_by_name(tmp_path: Path, name: str, value: Any, message: str) -> None:
    (tmp_path / "config.json").write_text(to_text({**CONFIG.to_json(), name: value}), "utf-8")
    with pytest.raises(ValueError, match=rf"config\.json is no config of this version: .*{message}"):
        stored_config(tmp_path)


def test_what_runs_did_before_a_choice_could_be_made_is_its_default() -> None:
    """A choice that is left out of a file is read as the default."""
    assert {name: getattr(Config(), name) for name in LATER} == LATER
    assert set(Config().to_json()) == {field.name for field in fields(Config)} - LATER.keys()


def test_no_config(tmp_path: Path) -> None:
    assert stored_config(tmp_path) is None


def test_any_flipped_bit_is_noticed_by_name(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    content = TEXT.encode()
    for flip in np.random.default_rng(0).choice(8 * len(content), 200, replace=False):
        damaged = bytearray(content)
        damaged[flip // 8] ^= 1 << flip % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"config\.json (is no config of this version|is not what was written)"):
            stored_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(TEXT.replace('"epochs": 3', '"epochs": 4'), "does not fit: .*another --out", id="by hand"),
        pytest.param(TEXT.replace("\n", ""), "digest does not fit", id="other spaces"),
        pytest.param(TEXT.replace('"epochs": 3', '"epochs": 9, "epochs": 3'), "digest does not fit", id="twice"),
        pytest.param(json.dumps(CONFIG.to_json()), "has no digest: .*by an older version", id="of an older version"),
        pytest.param('{"epochs": "many", "digest": ""}', "epochs='many': expected an integer", id="a word for a number"),
        pytest.param('{"colour": 1, "digest": ""}', "no config of this version", id="an unknown choice"),
        pytest.param("[]", r"no config of this version: it holds \[\], expected choices by name; .*another --out", id="a list"),
        pytest.param("3", "no config of this version: it holds 3, expected choices by name", id="a number"),
        pytest.param("null", "no config of this version: it holds None, expected choices by name", id="nothing"),
        pytest.param("[" * 100_000, "no config of this version", id="nested deep"),
        pytest.param("", "no config of this version", id="empty"),
    ],
)
def test_another_hand_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=rf"config\.json .*{message}"):
        stored_config(tmp_path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(OSError, match=r"config\.json"):
        stored_config(tmp_path)


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
@pytest.mark.parametrize("value", [[], {}, b"", 1j], ids=repr)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}="):
        replace(CONFIG, **{name: value}).check()


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "image_size", "learning_rate"])
def test_true_is_no_number(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}=True: expected a"):
        replace(CONFIG, **{name: True}).check()
