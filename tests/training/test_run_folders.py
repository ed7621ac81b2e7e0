"""A run's folder has one owner: the second is refused by name, and a killed one leaves nothing to tidy up."""

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jcnn import Dense, Recipe, fit
from jcnn.commands.train import train
from jcnn.training import CheckpointError, Config, RunInUseError
from jcnn.training.run_folders import claimed, held

HOLD = "import sys; from pathlib import Path; from jcnn.training.run_folders import held\n"
HOLD += "with held(Path(sys.argv[1]), print): print('held', flush=True); sys.stdin.read()"
SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """One that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_owner_is_refused_by_name_and_process_at_once(tmp_path: Path) -> None:
    """Whether it would begin a run or go on with one; and once the first is killed, nothing is in the way."""
    out = tmp_path / "run"
    config = Config(network="lecture", epochs=1)
    with another_process(out) as process:
        said = rf"{out} is being trained already, by process {process.pid} on {re.escape(socket.gethostname())} {SINCE}:"
        for resume in (False, True):
            with pytest.raises(RunInUseError, match=f"{said} wait for its end, or give another --out"):
                train(config, out, resume=resume)
        with pytest.raises(RunInUseError, match=f"{said} wait for its end, or give another out"):
            fit(
                (Dense(2),),
                (np.ones((1, 1)), np.zeros(1, int)),
                recipe=Recipe(batch_size=1, augment=False, dtype="float64"),
                out=out,
            )
        assert [path.name for path in out.iterdir()] == [".lock"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with held(out, pytest.fail):
        assert str(os.getpid()) in (out / ".lock").read_text("utf-8")


def test_two_threads_of_a_process(tmp_path: Path) -> None:
    refused: list[str] = []

    def hold() -> None:
        try:
            with held(tmp_path, pytest.fail):
                pass
        except RunInUseError as error:
            refused.append(str(error))

    with held(tmp_path, pytest.fail):
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert f"by process {os.getpid()} on " in refused[0]


def test_a_folder_in_which_nothing_began_is_as_before(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size=1500"):
        train(replace(Config(), batch_size=1500), tmp_path / "new")
    with pytest.raises(ValueError, match="batch_size=1500"):
        train(replace(Config(), batch_size=1500), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_of_many_wins_at_every_moment(tmp_path: Path) -> None:
    """Owners come and go, and each removes the folder as it goes: never are there two."""
    out = tmp_path / "run"
    inside = threading.Lock()
    rounds, overlaps, errors = [0], [0], []

    def come_and_go() -> None:
        for _ in range(300):
            try:
                with held(out, pytest.fail):
                    if inside.acquire(blocking=False):
                        rounds[0] += 1
                        time.sleep(0)
                        inside.release()
                    else:
                        overlaps[0] += 1
            except RunInUseError:
                pass
            except OSError as error:
                errors.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [0]
    assert rounds[0] > 0
    assert errors == []


def test_a_folder_removed_while_it_is_looked_at_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    out.mkdir()
    looked = Path.is_dir

    def removed_before(path: Path) -> bool:
        monkeypatch.setattr(Path, "is_dir", looked)
        out.rmdir()
        return looked(path)

    monkeypatch.setattr(Path, "is_dir", removed_before)
    with held(out, pytest.fail):
        assert (out / ".lock").is_file()
    assert Path.is_dir is looked


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.write_text("a file")
    with pytest.raises(CheckpointError, match=f"^cannot write to {out}: File exists$"), held(out, pytest.fail):
        pass


def test_a_link_to_nowhere_in_place_of_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to("nowhere/else")
    with pytest.raises(FileNotFoundError) as told, held(tmp_path, pytest.fail):
        pass
    assert told.value.filename == str(tmp_path / ".lock")


def test_where_the_file_system_knows_no_locks_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    told: list[str] = []
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(held(tmp_path, told.append))
    assert (
        told
        == [f"the file system of {tmp_path} knows no locks (No locks available): nothing keeps another training from it"] * 2
    )


def test_folders_are_taken_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    together, taken = threading.Barrier(16), []

    def take() -> None:
        together.wait()
        for _ in range(5):
            with claimed(None, "digits-small") as folder:
                taken.append(folder)
                (folder / "config.json").touch()

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, taken)) == [f"runs/digits-small-{number:03d}" for number in range(1, 81)]
