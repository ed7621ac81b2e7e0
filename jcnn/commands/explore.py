"""`jcnn explore`: a page to play with."""

from dataclasses import dataclass

from rich.console import Console

from jcnn.endings import UsageError


@dataclass(frozen=True)
class Explore:
    """Open a page to play with: sliding windows, a digit you draw on its way through a network, bugs to plant and find."""

    port: int = 0
    """Where on this machine; 0: 2718, or a free one if that is taken."""
    open_browser: bool = True
    """Open a browser at the page."""

    def run(self, console: Console) -> int:
        """Serves the page until Ctrl-C, which ends the process."""
        from jcnn.explore import open_page
        from jcnn.explore.serve import check_port

        try:
            check_port(self.port)
        except ValueError as error:
            raise UsageError(str(error)) from error
        open_page(self.port, browser=self.open_browser, tell=lambda text: console.print(text, soft_wrap=True, markup=False))
