import torch
import torch.nn.functional as F


class ConvFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, stride=1, padding=0):
        ctx.save_for_backward(x, w)
        ctx.stride = stride
        ctx.padding = padding
        return F.conv2d(x, w, b, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx, gy):
        x, w = ctx.saved_tensors
        s, p = ctx.stride, ctx.padding
        kh, kw = w.shape[2], w.shape[3]
        gx = gw = gb = None
        if ctx.needs_input_grad[0]:
            # rows / columns which the last window did not reach
            eh = (x.shape[2] + 2 * p - kh) % s
            ew = (x.shape[3] + 2 * p - kw) % s
            gx = F.conv_transpose2d(gy, w, stride=s, padding=p, output_padding=(eh, ew))
        if ctx.needs_input_grad[1]:
            gw = F.conv2d(x.transpose(0, 1), gy.transpose(0, 1), padding=p, dilation=s)
            gw = gw[:, :, :kh, :kw].transpose(0, 1)
        if ctx.needs_input_grad[2]:
            gb = gy.sum((0, 2, 3))
        return gx, gw, gb, None, None
