"""What the README shows really runs, and what it says of files is so."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jcnn
from jcnn.commands.main import main

ROOT = Path(jcnn.__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: dict[str, object] = {}
    with jax.enable_x64(False), jax.numpy_rank_promotion("allow"):
        for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
            exec(code, shown)  # noqa: S102 (our own README)
    y, dw = shown["y"], shown["dw"]
    assert isinstance(y, jax.Array)
    assert isinstance(dw, jax.Array)
    assert y.shape == (8, 32, 32, 10)
    by_autodiff = jax.grad(lambda w: jcnn.conv(shown["x"], w, padding=2).sum())(shown["w"])  # pyright: ignore[reportArgumentType]
    # Sums of 8·32·32 products in float32, taken in another order.
    np.testing.assert_allclose(dw, by_autodiff, rtol=0, atol=float(8192 * jnp.finfo(jnp.float32).eps * jnp.abs(dw).max()))


def test_every_name_is_there_after_import_jcnn_alone() -> None:
    # In a process of its own: here other tests have loaded every module already.
    names = sorted(set(re.findall(r"\bjcnn(?:\.(?!py\b)[A-Za-z_]\w*)+", README)))
    assert {"jcnn.conv", "jcnn.data.load", "jcnn.compilation.compiler_options"} <= set(names)
    code = "import sys, jcnn\nfor name in sys.argv[1:]:\n eval(name, {'jcnn': jcnn})"
    subprocess.run([sys.executable, "-c", code, *names], check=True)


def test_the_error_shown_is_the_error_raised() -> None:
    (shown,) = re.findall(r"GeometryError: (.*)", README)
    with pytest.raises(jcnn.GeometryError, match=re.escape(shown)):
        jcnn.output_size(7, 3, stride=3, rounding="exact")


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = r'(?:src="|\]\()(?!https?://|#)([^")]+)'

on_every_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@on_every_page
def test_what_a_page_links_to_is_there(page: Path) -> None:
    missing = [link for link in re.findall(LINKED, page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert missing == []


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.encode()) < 10_000
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= set(re.findall(LINKED, README))


TO_BE_ADDED = {"jcnn/conv/x.py", "tests/conv/test_x.py"}
LEFT_BY_A_RUN = {"config.json", "metrics.jsonl", "report.html", "checkpoints/"}
IN_TESTS = {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def named_paths(page: str) -> set[str]:
    """What stands in backticks and is a folder, or a file by its ending."""
    spans = re.findall(r"`([^`\s]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    return {span for span in spans if re.fullmatch(r"[\w.-]+(/[\w.-]+)*(/|\.(py|md|jsonl?|npz|html|png|toml|lock))", span)}


@on_every_page
def test_the_paths_a_page_names_are_there(page: Path) -> None:
    named = named_paths(page.read_text("utf-8")) - TO_BE_ADDED - LEFT_BY_A_RUN
    missing = [
        path for path in named if path not in IN_TESTS and not any((base / path).exists() for base in (ROOT, ROOT / "jcnn"))
    ]
    assert missing == []


def test_named_paths() -> None:
    page = "`jcnn/a/`, `b.py` and `tests/c.json`, not `jcnn.conv`, `x / y`, `.npz`\n```sh\n`d.py`\n```"
    assert named_paths(page) == {"jcnn/a/", "b.py", "tests/c.json"}


MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def shown_commands(page: str) -> set[str]:
    """The commands of a page, in blocks of the shell and in backticks, without comments and variables of the environment."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines()
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    found = (
        re.sub(r"^(\w+=\S+ )+|\s+# .*$|^\.venv/bin/", "", " ".join(text.split(" # ")[0].split())) for text in (*lines, *spans)
    )
    return {command for command in found if re.match(r"(make|jcnn|python|pytest) \S", command)}


COMMANDS = sorted(set().union(*(shown_commands(page.read_text("utf-8")) for page in PAGES)))


def commands_of(*programs: str) -> pytest.MarkDecorator:
    chosen = [command for command in COMMANDS if command.split()[0] in programs]
    assert chosen
    return pytest.mark.parametrize("command", chosen)


@commands_of("make")
def test_the_targets_shown_are_there(command: str) -> None:
    _, target, *variables = shlex.split(command)
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    assert [each for each in variables if not re.search(rf"^{each.split('=')[0]} \??=", MAKEFILE, re.MULTILINE)] == []


@commands_of("pytest")
def test_the_tests_shown_are_there(command: str) -> None:
    assert [word for word in command.split()[1:] if not (ROOT / word).exists()] == []


def show_help(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs it with --help in place of its arguments, in this process."""
    program, *words = shlex.split(command)
    monkeypatch.setenv("COLUMNS", "200")
    if program == "jcnn":
        names = words[: 2 if words[0] == "data" else 1]
        main([*(name for name in names if not name.startswith("--")), "--help"])
    file = ROOT / (f"{words[1].replace('.', '/')}.py" if words[0] == "-m" else words[0])
    if words[0] != "-m":
        monkeypatch.syspath_prepend(file.parent)
    monkeypatch.setattr(sys, "argv", [str(file), "--help"])
    runpy.run_path(str(file), run_name="__main__")


@commands_of("jcnn", "python")
def test_the_commands_shown_run(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as end:
        show_help(command, monkeypatch)
    assert not end.value.code
    said = capsys.readouterr().out
    assert [word for word in shlex.split(command) if word.startswith("--") and word not in said] == []


def test_shown_commands() -> None:
    page = "`jcnn data list`, `A=1 pytest x.py` and `jcnn`\n```sh\nmake train   # trains\n.venv/bin/python a.py\n```"
    assert shown_commands(page) == {"jcnn data list", "pytest x.py", "make train", "python a.py"}
