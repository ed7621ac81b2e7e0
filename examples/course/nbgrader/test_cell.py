# An "Autograder tests" cell worth 10 points; conv_backward is what the student wrote in a cell above.
from jcnn.check.classroom.notebooks import points_for

points_for(conv_backward, "conv_backward", points=10)
