"""What a class's submissions are, and what came of each: plain values that go through a pipe, a file and a page."""

from pathlib import Path
from typing import Any, NamedTuple

from jcnn.check.report import Verdict
from jcnn.printing import visible


class Submission(NamedTuple):
    """One student's work, found in the folder.

    Attributes:
        name: of the student's file or folder, as it may be printed.
        path: the file to grade; "" where there is none.
        alone: a file beside those of others, which must not be imported with it.
        problem: why it cannot be graded; "" where it can.
    """

    name: str
    path: str
    alone: bool
    problem: str = ""

    @property
    def file(self) -> str:
        """The name of the file, as it may be printed; "" where there is none."""
        return visible(Path(self.path).name)


class Graded(NamedTuple):
    """What came of one function of a submission.

    Attributes:
        kind: what it was graded as.
        verdict: as of the report.
        points: from 0 to 100.
        parts: by output and "options", the share that is right, from 0 to 1; None where nothing was due.
        diagnosis: what is wrong, in sentences; "" where nothing is.
        mistakes: each mistake in a few words, for counting.
        examples: numbers worked out.
        picture: the smallest failing case.
        left_out: cases that it does not take, and why.
        printed: what it printed, in short.
    """

    kind: str
    verdict: Verdict
    points: float
    parts: dict[str, float | None]
    diagnosis: str = ""
    mistakes: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    picture: str = ""
    left_out: tuple[str, ...] = ()
    printed: str = ""

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Graded":
        """From its fields as JSON gives them."""
        lists = {name: tuple(fields[name]) for name in ("mistakes", "examples", "left_out")}
        return cls(**{**fields, **lists})


class Result(NamedTuple):
    """What came of a submission.

    Attributes:
        submission: the name.
        file: the file that was graded, within the folder.
        functions: one for every kind, in the order asked for.
        seconds: how long it took.
    """

    submission: str
    file: str
    functions: tuple[Graded, ...]
    seconds: float = 0.0

    @property
    def points(self) -> float:
        """The mean over the functions, cut to a tenth."""
        return int(10 * sum(graded.points for graded in self.functions) / len(self.functions) + 1e-9) / 10

    @property
    def verdict(self) -> Verdict:
        """The worst of its functions."""
        from jcnn.check.report import worst_verdict

        return worst_verdict([graded.verdict for graded in self.functions])
