"""What is told of a candidate is tried without looking for the change that makes it right, which takes seconds each time."""

import pytest

from jcnn.check.grading import grade


@pytest.fixture(autouse=True)
def without_search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the search to its own tests and to the commands', which run in processes of their own."""
    if request.node.path.name != "test_repair.py":
        monkeypatch.setattr(grade, "SEARCH", 0.0)
        monkeypatch.setattr(grade, "SEARCH_OF_NAMED", 0.0)
