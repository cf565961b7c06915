"""Expectations that the loss of an SAE of any architecture and its exact gradient are made of.

Between its breaks an SAE is affine in x, so that on the plane (points, segments, parallelograms)
all expectations are integrals of what is quadratic between lines: `solvers.laws.line_arrangement`
has them, and on the same lines the boundary terms of the gradient,

    d E ℓ = E ∂ℓ + Σ_l E[δ(φ_l) (ℓ_on - ℓ_off) ∂φ_l],

φ_l a break: p_i, p_i - θ_i, the p_i - p_j of TopK, where two latents of which one is kept change
places, or a gate. On points nothing is on a line, and the second part is 0; where two breaks of a
whole component coincide, as for two equal latents, the loss has no gradient, and that of one side
is returned. This is the only route to the gradient of TopK SAEs, and a second one to that of
JumpReLU SAEs (`solvers.losses.jump_sums`).
"""

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.laws.arrays import Cubes, LawArrays
from solvers.laws.line_arrangement import Pieces, pieces_of
from solvers.losses.jump_sums import BoundarySums
from solvers.losses.sums import Weights, add_nodes, blocks
from theory.exact.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Pieces of lines times latents squared, of all components: more may take minutes for one loss.
LARGEST_WORK = 10**9
# Of these numbers, so many at once.
_AT_ONCE = 2**21
# Breaks that are smaller than this on a piece, relative to their terms, vanish there.
_TIED = 1e-13


def piecewise_sums_over(
    law: LawArrays, sae: Autoencoder, weights: Weights, l0: float
) -> BoundarySums:
    """Return the sums; derivatives are of E ‖x - x̂‖² + Σ (penalty_i E f_i + λ₀ P(f_i > 0)).

    Parameters
    ----------
    law : LawArrays
        Of points, segments and parallelograms.
    sae : Autoencoder
        Says who fires.
    weights : Weights
        The same arrays, and what is charged; thresholds are the SAE's.
    l0 : float
        λ₀.

    Raises
    ------
    InputError
        For another law, or more work than `LARGEST_WORK`, before any is done.

    Examples
    --------
    TopK with k = 1 and the four features as atoms leaves out the smaller of two independent
    amplitudes, E min(a, b)² = 1/6: with E ‖x‖² = 2/3 and E f² = 1/2.

    >>> from solvers.autoencoders.architectures import TopKSae
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> base, zero = frame_sae(0.0), np.zeros(4)
    >>> weights = Weights(base.W_enc, base.b_enc, base.W_dec, base.b_dec, zero)
    >>> law = law_arrays(load_law("independent"))
    >>> sums = piecewise_sums_over(law, TopKSae(base, 1), weights, 0.0)
    >>> round(float(np.trace(sums.together)), 12), sums.firing.round(12).tolist()
    (0.5, [0.25, 0.25, 0.25, 0.25])
    """
    breaks, _ = sae.breaks
    d, m = breaks.shape
    n = sae.d_sae
    check_in_plane(law, sae)
    if not is_affordable(law, sae):
        limit = f"components × breaks² × latents² of at most {LARGEST_WORK:,}"
        raise InputError("latents", limit, n)
    sums = BoundarySums.zero(n, d, m)
    for cubes in law.cubes:
        if not cubes.cube_dimension:
            x = cubes.affine[:, :, 0]
            add_nodes(sums, cubes.probability, x, sae.fires(x), weights)
            continue
        for probability, affine in blocks(cubes, max(1, _AT_ONCE // (m * m * n * n))):
            _add_block(sums, Cubes(probability, affine), sae, weights, l0)
    to_W_enc, to_b_enc = sae.to_encoder(*sums.to_breaks)
    sums.to_W_enc += to_W_enc
    sums.to_b_enc += to_b_enc
    return sums


def is_affordable(law: LawArrays, sae: Autoencoder) -> bool:
    """Tell whether the sums take no more than `LARGEST_WORK`."""
    solid = sum(len(cubes.probability) for cubes in law.cubes if cubes.cube_dimension)
    return solid * (len(sae.breaks[1]) * sae.d_sae) ** 2 <= LARGEST_WORK


def check_in_plane(law: LawArrays, sae: Autoencoder) -> None:
    """Raise `InputError` unless all components are points, segments and parallelograms."""
    if not law.in_plane_cells:
        allowed = f"at most two uniform magnitudes at once for a {sae.architecture} SAE"
        most = f"{law.cubes[-1].cube_dimension} at once" if law.cubes else ""
        raise InputError("law", allowed, "normal magnitudes" if law.normals else most)


def _add_block(
    sums: BoundarySums, cubes: Cubes, sae: Autoencoder, weights: Weights, l0: float
) -> None:
    # A segment is a square along one of whose sides nothing changes.
    affine = np.pad(cubes.affine, ((0, 0), (0, 0), (0, 2 - cubes.cube_dimension)))
    pieces, fires = _crossed(affine, sae)
    probability = cubes.probability[pieces.component]
    maps = affine[pieces.component]

    nodes, weight = pieces.inside()
    x = _at(maps, nodes)
    weight = probability[:, None] * weight
    for side, sign in zip(fires, (1.0, -1.0), strict=True):
        # Beyond the square there is nothing.
        there = np.ones(len(side), dtype=bool) if sign < 0 else ~_is_side(pieces, sae)
        each = np.repeat(side[there], nodes.shape[1], axis=0)
        at = x[there].reshape(len(each), sae.d_in)
        add_nodes(sums, sign * weight[there].ravel(), at, each, weights)

    moving = ~_is_side(pieces, sae)
    pieces = pieces.take(moving)
    nodes, weight = pieces.on_lines()
    x = _at(maps[moving], nodes)
    on, off = (_charged(x, side[moving], weights, l0) for side in fires)
    jump = probability[moving, None] * weight * (on - off)
    to_weights, to_offsets = sums.to_breaks
    np.add.at(to_offsets, pieces.line, jump.sum(axis=1))
    np.add.at(to_weights.T, pieces.line, np.einsum("es,esd->ed", jump, x))


def _crossed(
    affine: Array, sae: Autoencoder
) -> tuple[Pieces, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return the pieces of breaks and sides where something changes, and who fires on both sides.

    Who fires is (E, n) on the positive side and on the negative one.
    """
    weights, offsets = sae.breaks
    lines = weights.T @ affine
    lines[:, :, 0] += offsets
    size = (np.abs(weights).T @ np.abs(affine)).sum(axis=2) + np.abs(offsets)
    pieces = pieces_of(lines)
    m, nudges = len(offsets), sae.nudges()
    pieces = pieces.take(~_moved_outside(pieces, lines, _TIED * size, nudges))
    beside = lines[pieces.component]
    values = beside[:, :, 0] + np.einsum("elk,ek->el", beside[:, :, 1:], pieces.middle)
    signs = np.sign(values)
    piece, other = np.nonzero(np.abs(values) <= _TIED * size[pieces.component])
    signs[piece, other] = _moved_apart(beside, pieces.line, nudges, piece, other)
    own = np.flatnonzero(pieces.line < m)
    sides = []
    for sign in (1.0, -1.0):
        signs[own, pieces.line[own]] = sign
        sides.append(sae.fires_where(signs))
    changes = (sides[0] != sides[1]).any(axis=1)
    changes |= (pieces.line >= m) & sides[0].any(axis=1)
    return pieces.take(changes), (sides[0][changes], sides[1][changes])


def _moved_outside(pieces: Pieces, lines: Array, tied: Array, nudges: Array) -> NDArray[np.bool_]:
    """Tell which pieces of breaks lie along a side of the square and are moved out of it.

    φ_l = ε e_l lies where φ_l grows from its zero if e_l > 0, and so beyond the side u_k = 1 if
    ∂φ_l/∂u_k > 0, beyond u_k = 0 if it is < 0.
    """
    outside = np.zeros(len(pieces.line), dtype=bool)
    on_break = np.flatnonzero(pieces.line < lines.shape[1])
    component, line = pieces.component[on_break], pieces.line[on_break]
    a, within = lines[component, line], tied[component, line]
    for k in (0, 1):
        for side, outward in ((0.0, -1.0), (1.0, 1.0)):
            along = np.ones(len(on_break), dtype=bool)
            for end in (pieces.start[on_break], pieces.end[on_break]):
                at = end.copy()
                at[:, k] = side
                value = a[:, 0] + np.einsum("pk,pk->p", a[:, 1:], at)
                near = np.abs(end[:, k] - side) <= 0.5
                along &= near & (np.abs(value) <= within)
            outside[on_break] |= along & (outward * a[:, 1 + k] * nudges[line] > 0)
    return outside


def _moved_apart(beside: Array, line: Index, nudges: Array, piece: Index, other: Index) -> Array:
    """Return the signs of breaks that vanish on a piece as another does.

    Where φ_l = ε e_l, moved by a little, φ_j - ε e_j = ε (c e_l - e_j) with c = ∇φ_j·∇φ_l/‖∇φ_l‖².
    """
    on_side = line[piece] >= beside.shape[1]
    own = np.where(on_side, 0, line[piece])
    mine, theirs = beside[piece, own, 1:], beside[piece, other, 1:]
    squared = np.einsum("pk,pk->p", mine, mine)
    share = np.einsum("pk,pk->p", mine, theirs) / np.where(squared > 0, squared, 1.0)
    # A side of the square is where it is.
    at = np.where(on_side, 0.0, share * nudges[own])
    signs: Array = np.sign(at - nudges[other])
    return signs


def _is_side(pieces: Pieces, sae: Autoencoder) -> NDArray[np.bool_]:
    beyond: NDArray[np.bool_] = pieces.line >= len(sae.breaks[1])
    return beyond


def _at(maps: Array, u: Array) -> Array:
    """Return x (E, N, d) at nodes u (E, N, 2) of squares that are mapped so (E, d, 3)."""
    x: Array = maps[:, None, :, 0] + np.einsum("edk,enk->end", maps[:, :, 1:], u)
    return x


def _charged(x: Array, fires: NDArray[np.bool_], weights: Weights, l0: float) -> Array:
    """Return the loss at x (E, N, d), less that of nothing firing, if these fire (E, n)."""
    f = np.where(fires[:, None], x @ weights.W_enc + weights.b_enc, 0.0)
    ahead = weights.penalty - 2.0 * (x - weights.b_dec) @ weights.atoms.T
    loss = np.einsum("esi,esi->es", f @ weights.gram + ahead, f)
    charged: Array = loss + l0 * fires.sum(axis=1)[:, None]
    return charged
