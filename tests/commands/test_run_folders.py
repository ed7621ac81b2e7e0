"""The folders of runs: each claimed by one alone."""

import threading
from pathlib import Path

import pytest

from jcnn.commands.run_folders import claimed
from jcnn.training import Config


def test_folders_are_taken_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    together, taken = threading.Barrier(16), []

    def take() -> None:
        together.wait()
        for _ in range(5):
            with claimed(None, Config()) as folder:
                taken.append(folder)
                (folder / "config.json").touch()

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, taken)) == [f"runs/digits-small-{number:03d}" for number in range(1, 81)]
