"""A page to play with: `jcnn explore` shows what the library's own functions compute, live, in a browser on this machine."""

from jcnn.explore.serve import open_page

__all__ = ["open_page"]
