from otter.test_files import test_case

from jcnn.check.classroom.notebooks import assert_part

OK_FORMAT = False

name = "conv_backward"
points = None


@test_case(points=36)
def test_dx(conv_backward):
    assert_part(conv_backward, "conv_backward", "dx")


@test_case(points=36)
def test_dw(conv_backward):
    assert_part(conv_backward, "conv_backward", "dw")


@test_case(points=18)
def test_db(conv_backward):
    assert_part(conv_backward, "conv_backward", "db")


@test_case(points=10, hidden=True)
def test_options(conv_backward):
    assert_part(conv_backward, "conv_backward", "options")
