"""The assignment in pytest: `SUBMISSION=submissions/ada.py pytest test_assignment.py`."""

import os

from jcnn.check import assert_grades


def test_conv_backward() -> None:
    assert_grades(f"{os.environ['SUBMISSION']}:conv_backward", "conv_backward")
