"""Modules of no library, each with a forward pass of its own."""

from typing import Any

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """f = ReLU((x - s b_dec) W_enc + b_enc)."""

    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__()
        self.subtracts = subtracts
        for name, shape in (
            ("W_enc", (3, 5)),
            ("b_enc", (5,)),
            ("W_dec", (5, 3)),
            ("b_dec", (3,)),
        ):
            setattr(self, name, nn.Parameter(torch.randn(shape, dtype=dtype)))

    def acts(self, p: Tensor) -> Tensor:
        return p.relu()

    def forward(self, x: Tensor) -> Any:
        f = self.acts((x - self.subtracts * self.b_dec) @ self.W_enc + self.b_enc)
        return f @ self.W_dec + self.b_dec


class Counting(Plain):
    """Counts the samples that it has seen, and returns the loss first."""

    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__(dtype, subtracts)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.seen += len(x)
        reconstructed = super().forward(x)
        return {"loss": (reconstructed - x).square().mean(), "x_hat": reconstructed}


class JumpRelu(Plain):
    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__(dtype, subtracts)
        self.log_threshold = nn.Parameter(torch.randn(5, dtype=dtype))

    def acts(self, p: Tensor) -> Tensor:
        return p * (p > self.log_threshold.exp())


class TopK(Plain):
    k = 2

    def acts(self, p: Tensor) -> Tensor:
        kept = p.relu().topk(self.k, dim=-1)
        return torch.zeros_like(p).scatter(-1, kept.indices, kept.values)


class BatchTopK(TopK):
    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__(dtype, subtracts)
        self.register_buffer("threshold", torch.tensor(0.5, dtype=dtype))

    def acts(self, p: Tensor) -> Tensor:
        return p * (p > self.threshold)


class Gated(Plain):
    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__(dtype, subtracts)
        del self.b_enc
        for name in ("r_mag", "b_gate", "b_mag"):
            setattr(self, name, nn.Parameter(torch.randn(5, dtype=dtype)))

    def forward(self, x: Tensor) -> Any:
        path = (x - self.subtracts * self.b_dec) @ self.W_enc
        gate = path + self.b_gate > 0
        f = gate * (path * self.r_mag.exp() + self.b_mag).relu()
        return f @ self.W_dec + self.b_dec


class Linear(nn.Module):
    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__()
        self.subtracts = subtracts
        self.encoder = nn.Linear(3, 5, dtype=dtype)
        self.decoder = nn.Linear(5, 3, dtype=dtype)

    def forward(self, x: Tensor) -> Any:
        f = self.encoder(x - self.subtracts * self.decoder.bias).relu()
        return self.decoder(f), f


class WithoutBias(Linear):
    def __init__(self, dtype: torch.dtype, subtracts: float = 0.0) -> None:
        super().__init__(dtype, 0.0)
        self.encoder = nn.Linear(3, 5, bias=False, dtype=dtype)
