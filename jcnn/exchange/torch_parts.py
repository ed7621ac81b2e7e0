"""Modules that PyTorch does not have: what an exported network brings along where it needs them."""

# pyright: reportMissingImports=false

import torch
from torch import nn


class Residual(nn.Module):
    """body(x) + shortcut(x), the shortcut being x itself where none is given."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


class Parallel(nn.ModuleList):
    """Several modules that see the same input; their outputs are added, or stand side by side as channels."""

    def __init__(self, *branches: nn.Module, join: str = "concat") -> None:
        super().__init__(branches)
        self.join = join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *others = outputs = [branch(x) for branch in self]
        if self.join == "concat":
            return torch.cat(outputs, 1)
        for other in others:
            first = first + other
        return first


class Gate(nn.Module):
    """x · body(x), the body giving one factor for each value or for each channel."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.body(x)
        return x * gate.reshape(*gate.shape, *(1,) * (x.ndim - gate.ndim))


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of every pixel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class PadChannels(nn.Module):
    """Channels of zeros behind those of the input, so that there are `channels` in all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x.new_zeros(len(x), self.channels - x.shape[1], *x.shape[2:])], 1)


class Whiten(nn.Module):
    """A convolution whose filters, and what they take away, are not learned; a bias is."""

    weight: torch.Tensor
    offset: torch.Tensor

    def __init__(self, channels: int, filters: int, window: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(filters, channels, *window))
        self.register_buffer("offset", torch.zeros(filters))
        self.bias = nn.Parameter(torch.zeros(filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convolve = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[x.ndim - 3]
        return convolve(x, self.weight.to(x.dtype), self.bias + self.offset.to(x.dtype))


class Scale(nn.Module):
    """factor · x."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


class Maxout(nn.Module):
    """The largest of each `pieces` neighbouring channels."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(2)
