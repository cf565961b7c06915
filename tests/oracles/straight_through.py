"""The straight-through gradient of JumpReLU by automatic differentiation of weighted samples.

Written from equations 11 and 12 of arXiv 2407.14435, sharing no code with what is judged:
`torch.autograd.Function` with those pseudo-derivatives, applied to the loss of given points. On
a line or in a plane the points are those of a Gauss rule on each cell between the lines where a
pre-activation crosses θ, θ - ε/2 or θ + ε/2, so that their sum is the expectation to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

FloatArray = npt.NDArray[np.float64]

#: A standard normal is beyond this with probability 2e-19.
REACH = 9.0
NODES = 16


class _JumpReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Any, theta: Any, bandwidth: float, to_input: bool) -> Any:
        ctx.save_for_backward(z, theta)
        ctx.bandwidth, ctx.to_input = bandwidth, to_input
        return z * (z > theta)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        z, theta = ctx.saved_tensors
        kernel = (((z - theta) / ctx.bandwidth).abs() < 0.5).to(z) / ctx.bandwidth
        to_z = (z > theta) * grad
        if ctx.to_input:
            to_z = to_z + theta * kernel * grad
        return to_z, -(theta * kernel * grad).sum(0), None, None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Any, theta: Any, bandwidth: float, to_input: bool) -> Any:
        ctx.save_for_backward(z, theta)
        ctx.bandwidth, ctx.to_input = bandwidth, to_input
        return (z > theta).to(z)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        z, theta = ctx.saved_tensors
        kernel = (((z - theta) / ctx.bandwidth).abs() < 0.5).to(z) / ctx.bandwidth
        to_z = kernel * grad if ctx.to_input else None
        return to_z, -(kernel * grad).sum(0), None, None


def gradient(
    points: FloatArray,
    weights: FloatArray,
    arrays: Mapping[str, FloatArray],
    bandwidth: float,
    to_input: bool = False,
    *,
    l1: float = 0.0,
    l0: float = 0.0,
    decoder_norm: bool = False,
    prefixes: Sequence[int] = (),
) -> dict[str, FloatArray]:
    """Return what the estimator has for every array, summed over points with weights."""
    held = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    x, w = torch.tensor(points), torch.tensor(weights)
    z = x @ held["W_enc"] + held["b_enc"]
    settings = (held["threshold"], bandwidth, to_input)
    f = _JumpReLU.apply(z, *settings)
    sizes = held["W_dec"].norm(dim=1) if decoder_norm else 1.0
    loss = l1 * (f * sizes).sum(1) + l0 * _Step.apply(z, *settings).sum(1)
    for prefix in prefixes or (z.shape[1],):
        missing = x - held["b_dec"] - f[:, :prefix] @ held["W_dec"][:prefix]
        loss = loss + (missing * missing).sum(1)
    (w * loss).sum().backward()
    return {name: tensor.grad.numpy() for name, tensor in held.items()}


def rule(lines: FloatArray, normal: bool) -> tuple[FloatArray, FloatArray]:
    """Return nodes (N, k) and weights for one or two coordinates, uniform or standard normal.

    Parameters
    ----------
    lines : (m, 1+k) array
        Where c + a·u = 0 the integrand may jump.
    """
    low, high = (-REACH, REACH) if normal else (0.0, 1.0)
    if lines.shape[1] == 2:
        nodes, weights = _panels(lines, low, high, normal)
        return nodes[:, None], weights
    edges = np.array([[-low, 0.0, 1.0], [-high, 0.0, 1.0]])
    crossings = []
    for first, second in combinations(np.concatenate([lines, edges]), 2):
        across = first[1] * second[2] - first[2] * second[1]
        if abs(across) > 1e-12:
            crossings.append((first[2] * second[0] - first[0] * second[2]) / across)
    breaks = np.array([[-u, 1.0] for u in crossings])
    outer, outer_weights = _panels(breaks, low, high, normal)
    points, weights_of = [], []
    for u, weight in zip(outer, outer_weights, strict=True):
        inner = np.column_stack([lines[:, 0] + lines[:, 1] * u, lines[:, 2]])
        v, inner_weights = _panels(inner, low, high, normal)
        points.append(np.column_stack([np.full(len(v), u), v]))
        weights_of.append(weight * inner_weights)
    return np.concatenate(points), np.concatenate(weights_of)


def _panels(
    lines: FloatArray, low: float, high: float, normal: bool
) -> tuple[FloatArray, FloatArray]:
    """Return a composite Gauss rule with a break at every root of c + a u."""
    steep = np.abs(lines[:, 1]) > 1e-12
    roots = -lines[steep, 0] / lines[steep, 1]
    regular = np.linspace(low, high, 7 if normal else 2)
    ends = np.unique(np.concatenate([regular, roots[(roots > low) & (roots < high)]]))
    # Exact for the cubic polynomials of a uniform density.
    nodes, weights = np.polynomial.legendre.leggauss(NODES if normal else 4)
    half = np.diff(ends) / 2
    u = ((ends[1:] + ends[:-1]) / 2 + half * nodes[:, None]).ravel()
    total = (half * weights[:, None]).ravel()
    if normal:
        total = total * np.exp(-u * u / 2) / np.sqrt(2 * np.pi)
    return u, total
