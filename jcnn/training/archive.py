"""What the manifest of a checkpoint must say, before any of its arrays is read."""

from collections.abc import Callable, Mapping
from typing import Any

from jcnn.archive import check_arrays, check_fields, is_count, is_named_texts, is_shape, is_texts
from jcnn.training.config import check_stored
from jcnn.training.hyperparameters import Recipe

FORMAT = 1


def check_manifest(manifest: Any) -> None:
    """Raises ValueError, KeyError or TypeError unless every field of a manifest is there and of its kind."""
    check_fields("the manifest", manifest, FIELDS)
    check_fields("data", manifest["data"], DATA_FIELDS)
    check_arrays(manifest["arrays"])
    if not is_named_texts(manifest.get("settings", {})):
        raise ValueError("the manifest: settings are no texts by name")
    check_stored(manifest["config"])
    if (seed := manifest["config"].get("seed", Recipe.seed)) != manifest["seed"]:
        raise ValueError(f"seed {manifest['seed']} beside a config of seed {seed}")


FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "format": lambda value: value == FORMAT,
    "step": is_count,
    "seed": is_count,
    "config": lambda value: isinstance(value, dict),
    "data": lambda value: isinstance(value, dict),
    "versions": is_named_texts,
    "arrays": lambda value: isinstance(value, dict),
}
DATA_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str),
    "input_shape": lambda value: is_shape(value) and len(value) > 0,
    "class_names": is_texts,
    "fingerprint": lambda value: isinstance(value, str),
}
