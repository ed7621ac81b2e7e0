"""Assignment 3: the gradients of a convolution."""


def conv_backward(dy, x, w, b=None, *, stride=1, padding=0):
    """Gradients of the loss with respect to x, w and b.

    Args:
        dy: gradient with respect to the output, (N, O1, O2, K).
        x: images, (N, H, W, C).
        w: filters, (F1, F2, C, K).
        b: biases, (K,).
        stride: pixels between two windows.
        padding: zeros on every side.

    Returns:
        dx, dw, db.
    """
    raise NotImplementedError("your turn")
