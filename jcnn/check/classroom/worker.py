"""One of the processes that grade a class side by side: a line of JSON in for every submission, a line of JSON out.

It keeps what all submissions have in common, the cases and their right answers. Each submission runs in a further process of
its own, as always; this one is there so that its grader's work is shared out, can be stopped, and is lost for that one alone.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from jcnn.check.classroom.mistakes import mistakes_of
from jcnn.check.classroom.score import score_of
from jcnn.check.classroom.submission import Graded
from jcnn.check.grading.grade import grade_file
from jcnn.check.operations import expected_of, kind_of
from jcnn.check.report import Report


def main() -> None:
    """Reads requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(_answer(request)) + "\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> list[dict[str, Any]]:
    if "warm" in request:
        for kind in request["warm"]:
            expected_of(kind_of(kind))
        return []
    # Away from the files of others, and whatever it writes is gone with the folder.
    with tempfile.TemporaryDirectory(dir=request["room"], ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            return [
                _graded(request, kind, function)._asdict()
                for kind, function in zip(request["kinds"], request["functions"], strict=True)
            ]
        finally:
            os.chdir("/")


def _graded(request: dict[str, Any], kind: str, function: str) -> Graded:
    place = _own_copy(Path(request["path"])) if request["alone"] else request["path"]
    report = grade_file(f"{place}:{function}", kind, **request["options"])
    return summarise(report, kind, {str(place): request["name"]})


def summarise(report: Report, kind: str, shown: dict[str, str] | None = None) -> Graded:
    """What a class needs of a report.

    Args:
        report: of one function.
        kind: what it was graded as.
        shown: what stands for paths in its sentences.
    """
    score = score_of(report, kind)

    def said(text: str | None) -> str:
        for path, name in (shown or {}).items():
            text = (text or "").replace(path, name)
        return text or ""

    return Graded(
        kind=kind,
        verdict=report.verdict,
        points=score.points,
        parts={name: share.value for name, share in score.parts.items()},
        diagnosis=said(report.diagnosis),
        mistakes=tuple(map(said, mistakes_of(report))),
        examples=tuple(finding.example for finding in report.findings if finding.example),
        picture=report.picture or "",
        left_out=report.left_out,
        printed=report.printed,
    )


def _own_copy(path: Path) -> Path:
    """The file alone in the working folder, by a name that no module has."""
    known = not path.stem.isidentifier() or path.stem in sys.stdlib_module_names or find_spec(path.stem) is not None
    own = Path.cwd() / ("submission.py" if known else path.name)
    shutil.copyfile(path, own)
    return own


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)  # the candidate's process is ended on the way out


if __name__ == "__main__":
    main()
