"""The orthogonal maps that leave a law unchanged, computed from its components.

A component is a uniform law on {centre + Σ t_j m_j/2 : |t_j| ≤ 1}, known by its probability,
its centre and the set of its half edges ±m_j/2. An orthogonal g is a symmetry if it permutes
these. It is determined by the images of linearly independent centres and half edges, which must
be vectors of the same kind, length and mutual angles: so these are tried, and few are left. A
normal component is known by its probability, its mean and its covariance, which must be kept.
What the law does not span is left alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import LawArrays
from theory.exact.errors import InputError

Array = NDArray[np.float64]

#: More symmetries than this are not enumerated, nor are those of a law of more components.
LARGEST_GROUP = 5000
LARGEST_LAW = 1024
# Lengths and angles agree if they do to this, relative to the data's size.
_EQUAL = 1e-9
# A map is orthogonal and keeps the law if it does so to this; errors grow in solving for it.
_CLOSE = 1e-7


class _Part(NamedTuple):
    """A component as its probability, centre, half edges of both signs, and normal covariance."""

    probability: float
    centre: Array
    edges: Array
    covariance: Array


def symmetries(law: LawArrays, centre: Array | None = None) -> Array:
    """Return the orthogonal symmetries of the law of x - centre, the identity first, (G, d, d).

    Parameters
    ----------
    law : LawArrays
    centre : (d,) array, optional
        By default 0.

    Raises
    ------
    InputError
        If there are more than `LARGEST_GROUP`, or more than `LARGEST_LAW` components.

    Examples
    --------
    Both data sets have those of the square:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory.laws.presets import preset
    >>> [len(symmetries(law_arrays(preset(name)))) for name in ("shared", "independent")]
    [8, 8]
    """
    count = law.component_count
    if count > LARGEST_LAW:
        expected = f"at most {LARGEST_LAW:,} components, whose symmetries can be found"
        raise InputError("law", expected, count)
    size = float(np.sqrt(np.trace(law.second_moment))) or 1.0
    parts = _parts(law, np.zeros(law.dimension) if centre is None else centre, _EQUAL * size)
    vectors, kinds = _vectors(parts, size)
    basis = _independent(vectors, size)
    images = _images(vectors @ vectors.T, kinds, basis, _EQUAL * size * size)
    inverse = np.linalg.pinv(vectors[basis])
    identity = np.eye(law.dimension)
    beyond = identity - inverse @ vectors[basis]
    # On the span g takes each basis vector to its image; elsewhere it is the identity.
    candidates = [vectors[image].T @ inverse.T + beyond for image in images]
    found = [
        g
        for g in candidates
        if np.abs(g @ g.T - identity).max() <= _CLOSE and _keeps(parts, g, _CLOSE * size)
    ]
    return np.array(sorted(found, key=lambda g: float(np.abs(g - identity).sum())))


def _parts(law: LawArrays, origin: Array, tolerance: float) -> list[_Part]:
    """Return the components of the law of x - origin, those that coincide as one."""
    parts: list[_Part] = []
    for part in _every_part(law, origin):
        same = [k for k, other in enumerate(parts) if _coincide(part, other, tolerance)]
        if same:
            together = parts[same[0]].probability + part.probability
            parts[same[0]] = part._replace(probability=together)
        else:
            parts.append(part)
    return parts


def _every_part(law: LawArrays, origin: Array) -> Iterator[_Part]:
    none = np.zeros((law.dimension, law.dimension))
    for cubes in law.cubes:
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            half = affine[:, 1:].T / 2
            half = half[np.abs(half).any(axis=1)]
            centre = affine[:, 0] + affine[:, 1:].sum(axis=1) / 2 - origin
            yield _Part(float(probability), centre, np.concatenate([half, -half]), none)
    for normals in law.normals:
        for probability, mean, factor in zip(*normals.arrays, strict=True):
            nothing = np.zeros((0, law.dimension))
            yield _Part(float(probability), mean - origin, nothing, factor @ factor.T)


def _vectors(parts: list[_Part], size: float) -> tuple[Array, list[tuple[object, ...]]]:
    """Return the different centres and half edges, and of each what a symmetry must keep."""
    vectors: list[Array] = []
    roles: list[list[tuple[object, ...]]] = []
    for part in parts:
        label = (round(part.probability, 9), len(part.edges))
        named = [(part.centre, "centre"), *((edge, "edge") for edge in part.edges)]
        for vector, name in named:
            known = [k for k, v in enumerate(vectors) if np.abs(v - vector).max() <= _EQUAL * size]
            if not known:
                vectors.append(vector)
                roles.append([])
            roles[known[0] if known else -1].append((*label, name))
    return np.array(vectors), [tuple(sorted(role, key=str)) for role in roles]


def _independent(vectors: Array, size: float) -> list[int]:
    """Return indices of linearly independent vectors that span what all of them do."""
    chosen: list[int] = []
    left = vectors.copy()
    while True:
        lengths = np.linalg.norm(left, axis=1)
        largest = int(np.argmax(lengths))
        if lengths[largest] <= 1e-9 * size:
            return chosen
        chosen.append(largest)
        along = left[largest] / lengths[largest]
        left = left - np.outer(left @ along, along)


def _images(
    gram: Array, kinds: list[tuple[object, ...]], basis: list[int], tolerance: float
) -> list[list[int]]:
    """Return the index lists whose Gram matrix and labels are the basis's."""
    lists: list[list[int]] = [[]]
    for place, source in enumerate(basis):
        wanted = gram[source, [*basis[:place], source]]
        extended = []
        for chosen in lists:
            candidates = np.abs(gram[:, chosen] - wanted[:-1]).max(axis=1, initial=0.0)
            close = (candidates <= tolerance) & (
                np.abs(np.diagonal(gram) - wanted[-1]) <= tolerance
            )
            extended += [
                [*chosen, int(i)] for i in np.flatnonzero(close) if kinds[i] == kinds[source]
            ]
        lists = extended
        if len(lists) > LARGEST_GROUP:
            hint = "so many are not enumerated"
            raise InputError("law", f"at most {LARGEST_GROUP} symmetries", hint=hint)
    return lists


def _keeps(parts: list[_Part], g: Array, tolerance: float) -> bool:
    """Tell whether g permutes the components."""
    left = list(parts)
    for part in parts:
        image = _Part(
            part.probability, g @ part.centre, part.edges @ g.T, g @ part.covariance @ g.T
        )
        for k, other in enumerate(left):
            likely = abs(other.probability - part.probability) <= _EQUAL
            if likely and _coincide(image, other, tolerance):
                del left[k]
                break
        else:
            return False
    return True


def _coincide(part: _Part, other: _Part, tolerance: float) -> bool:
    """Tell whether two components have the same centre, edges and covariance."""
    near = np.abs(other.centre - part.centre).max() <= tolerance
    # The covariance is of the size of a square.
    size = np.sqrt(np.abs(part.covariance).max())
    near &= np.abs(other.covariance - part.covariance).max() <= tolerance * max(size, tolerance)
    return bool(near and _same_set(other.edges, part.edges, tolerance))


def _same_set(some: Array, others: Array, tolerance: float) -> bool:
    if len(some) != len(others):
        return False
    near = np.abs(some[:, None, :] - others[None, :, :]).max(axis=2, initial=0.0) <= tolerance
    return bool(near.any(axis=0).all() and near.any(axis=1).all())
