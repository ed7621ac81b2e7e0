"""A run's command is read back as its config, and its commit is that of the code."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jcnn.commands.main import _parse
from jcnn.commands.train import Train
from jcnn.data.augmentations import Crop, Flip
from jcnn.training import Config, default_config, reproduction
from jcnn.training.averaging import EMA
from jcnn.training.reproduction import call, code_of_jcnn, command, commit
from tests.draws import draws

CONFIGS = st.builds(
    Config,
    data=st.sampled_from(["digits", "mnist", "cifar10", "a set; of 'others'"]),
    image_size=st.none() | st.integers(1, 300),
    network=st.sampled_from(["small", "lenet5"]),
    epochs=st.integers(1, 500),
    batch_size=st.integers(1, 4096),
    learning_rate=st.floats(1e-9, 1e3),
    momentum=st.floats(0, 0.999),
    schedule=st.sampled_from(["cosine", "constant"]),
    weight_decay=st.floats(0, 1),
    augment=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["float32", "bfloat16", "float16", "float64"]),
    optimizer=st.sampled_from(["sgd", "adam", "adamw"]),
)


@given(CONFIGS)
@draws(4)
def test_the_command_is_read_back_as_the_same_config(config: Config) -> None:
    program, *arguments = shlex.split(command(config.to_json()))
    assert program == "jcnn"
    read = _parse(arguments, default_config(config.data))
    assert isinstance(read, Train)
    assert read.config == config


def test_the_command_leaves_out_what_the_data_choose() -> None:
    assert command(default_config("mnist").to_json()) == "jcnn train --data mnist --network small --seed 0"
    chosen = replace(default_config("mnist"), augment=False, learning_rate=1e-05)
    assert command(chosen.to_json()).endswith("--learning-rate 1e-05 --augment none --seed 0")


def test_the_call_of_a_network_of_ones_own() -> None:
    values = {**Config(epochs=3, optimizer="adam").to_json(), "network": {"layers": []}}
    assert call(values) == ("jcnn.fit(network, train, test, recipe=jcnn.Recipe(epochs=3, seed=0, optimizer='adam'))")
    augmented = Config(augment=(Flip(), Crop(2)), average=EMA(0.9)).to_json()
    assert "augment=(Flip(), Crop(padding=2)), " in call(augmented)
    assert "average=EMA(decay=0.9)" in call(augmented)
    assert "optimizer=…" in call({**values, "optimizer": {"optax": {}}})
    named = reproduction.reproduction(values, 7, "abc")
    assert list(named) == ["In Python, with the network whose layers are listed above", "jcnn", "training images"]
    assert named["training images"] == "7 of digits, SHA-256 abc"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_commit_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("1")
    assert commit(file) == ""
    git(tmp_path, "init", "-q")
    assert commit(file) == ""  # as one that is installed below somebody else's checkout
    git(tmp_path, "add", "program.py")
    assert commit(file) == ""
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(file) == f"commit {head}"
    (tmp_path / "other").write_text("not tracked")
    assert commit(file) == f"commit {head}"
    file.write_text("2")
    assert commit(file) == f"commit {head}, with changes since"


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(Path(__file__)) == ""


def test_a_package_that_pip_installed_from_git_knows_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noted:
        text = '{"url": "https://example.org/jcnn.git", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}}'

        def read_text(self, name: str) -> str | None:
            return {"direct_url.json": self.text}.get(name)

    monkeypatch.setattr(reproduction, "commit", lambda _: "")
    monkeypatch.setattr(reproduction, "distribution", lambda _: Noted())
    assert code_of_jcnn() == "commit 0123abc"
    for text in ("not JSON", "[]", "{}", None):
        monkeypatch.setattr(Noted, "text", text)
        assert code_of_jcnn() == ""
