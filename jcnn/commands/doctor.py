"""`jcnn doctor`: whether this machine is ready."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from jcnn import doctor
from jcnn.endings import ERROR
from jcnn.printing import plain


@dataclass(frozen=True)
class Doctor:
    """Examine this machine: devices, precision, versions and settings that matter, each with a verdict."""

    def run(self, console: Console) -> int:
        """Prints the findings; the exit code says whether all is well."""
        findings = doctor.examine()
        table = Table(show_edge=False, pad_edge=False)
        for title in ("verdict", "what", "found", "advice"):
            table.add_column(title, overflow="fold")
        colours = {"good": "green", "note": "yellow", "bad": "red"}
        for finding in findings:
            verdict = f"[{colours[finding.verdict]}]{finding.verdict}[/]"
            table.add_row(verdict, plain(finding.what), plain(finding.found), plain(finding.advice))
        console.print(table)
        well = doctor.healthy(findings)
        console.print("all is well" if well else "something is wrong: see the rows marked bad")
        return 0 if well else ERROR
