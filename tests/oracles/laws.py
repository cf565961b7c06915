"""Laws for the oracles, built in exact fractions from a law file's keys.

Like `tests.oracles.expected_losses`, written from the definition and sharing no code with what is
judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class OracleComponent:
    """One component ``x = matrix @ u + offset``, ``u`` uniform on ``[0, 1]^k``.

    Parameters
    ----------
    probability : Fraction
        Weight of the component in the mixture.
    matrix : tuple of tuple of Fraction
        ``d`` rows of ``k`` entries, ``k`` in ``{0, 1, 2}``; the rows are empty if ``k = 0``.
    offset : tuple of Fraction
        ``d`` entries.
    """

    probability: Fraction
    matrix: tuple[tuple[Fraction, ...], ...]
    offset: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        """Refuse inconsistent shapes."""
        if len(self.matrix) != len(self.offset) or not self.offset:
            raise ValueError("matrix and offset must have the same, positive, number of rows")
        if len({len(row) for row in self.matrix}) != 1 or self.cube_dimension > 2:
            raise ValueError("the rows of matrix must all have the same length 0, 1 or 2")

    @property
    def cube_dimension(self) -> int:
        """The dimension ``k`` of the cube that ``u`` is uniform on."""
        return len(self.matrix[0])


_SPECIFICATION_KEYS = {
    "sets",
    "magnitude_correlation",
    "onehot_probability",
    "amplitude",
    "probabilities",
    "embedding",
}


def _read_number(value: Any) -> Fraction:
    """Return a number of a specification; a float is its shortest decimal representation."""
    if isinstance(value, float):
        return Fraction(repr(value))
    if not isinstance(value, int | str | Fraction):
        raise TypeError(f"expected an int, a float, a string or a Fraction, got {value!r}")
    return Fraction(value)


def _read_table(values: Any) -> list[list[Fraction]]:
    table = [[_read_number(value) for value in row] for row in values]
    if len({len(row) for row in table}) != 1:
        raise ValueError("the rows of a table must all have the same length")
    return table


def _default_embedding(m: int, n: int) -> list[list[Fraction]]:
    """Return two antipodal pairs in the plane if ``m = n = 2``, else the identity."""
    if m == n == 2:
        rows = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    else:
        rows = [[int(i == j) for j in range(m + n)] for i in range(m + n)]
    return [[Fraction(entry) for entry in row] for row in rows]


def _joint_law(table: list[list[Fraction]], m: int, n: int, q: Fraction) -> list[list[Fraction]]:
    """Return the ``(m + 1, n + 1)`` joint law whose last row and column mean "none"."""
    shape = (len(table), len(table[0]))
    if shape == (m + 1, n + 1):
        if q != 0:
            raise ValueError("a table of the whole joint law needs onehot_probability = 0")
        return table
    if shape != (m, n):
        raise ValueError(f"probabilities must have shape ({m}, {n}) or ({m + 1}, {n + 1})")
    alone = q / (m + n)
    both_or_first = [[(1 - q) * entry for entry in row] + [alone] for row in table]
    second_or_none = [alone] * n + [Fraction(0)]
    return [*both_or_first, second_or_none]


def components_from_specification(spec: Mapping[str, Any]) -> list[OracleComponent]:
    """Return the mixture that a specification of two one-hot sets of features describes.

    Parameters
    ----------
    spec : mapping
        Numbers are ints, Fractions, strings such as ``"1/3"``, or floats, which stand for
        their shortest decimal representation. The keys are

        ``sets``
            ``[m, n]``, the sizes of the two sets (required).
        ``magnitude_correlation``
            ``f``: when features ``i`` and ``j`` are both active their amplitudes are
            ``A a1`` and ``A ((1 - f) a2 + f a1)``, ``a1`` and ``a2`` independent and uniform
            on ``[0, 1]``. Default 0.
        ``onehot_probability``
            ``q``, the probability that one feature is active alone: each of the ``m + n``
            with probability ``q / (m + n)`` and amplitude uniform on ``[0, A]``. Default 0.
        ``amplitude``
            ``A``. Default 1.
        ``probabilities``
            An ``(m, n)`` table of the pair active given that both sets are (default: the
            uniform one), or an ``(m + 1, n + 1)`` table of the whole joint law, whose last
            row and column mean "none of this set"; then ``q`` must be 0.
        ``embedding``
            The ``m + n`` directions in data space, first set first. Default: antipodal pairs
            ``e1, -e1, e2, -e2`` if ``m = n = 2``, otherwise the identity.

    Returns
    -------
    list of OracleComponent
        Pairs first, row by row, then single features, then the point mass at the origin;
        without components of probability 0.

    Examples
    --------
    >>> law = components_from_specification({"sets": [2, 2], "magnitude_correlation": 1})
    >>> [component.matrix for component in law[:2]]
    [((Fraction(1, 1),), (Fraction(1, 1),)), ((Fraction(1, 1),), (Fraction(-1, 1),))]
    """
    unknown = set(spec) - _SPECIFICATION_KEYS
    if unknown:
        raise ValueError(f"unknown keys: {sorted(unknown)}")
    m, n = (int(size) for size in spec["sets"])
    if m < 1 or n < 1:
        raise ValueError("both sets must have at least one feature")
    f = _read_number(spec.get("magnitude_correlation", 0))
    q = _read_number(spec.get("onehot_probability", 0))
    amplitude = _read_number(spec.get("amplitude", 1))
    embedding = _read_table(spec.get("embedding", _default_embedding(m, n)))
    if len(embedding) != m + n:
        raise ValueError(f"embedding must have {m + n} rows")
    table = _read_table(spec.get("probabilities", [[Fraction(1, m * n)] * n] * m))
    joint = _joint_law(table, m, n, q)

    d = len(embedding[0])
    zero = (Fraction(0),) * d
    components = []
    for i in range(m):
        for j in range(n):
            first, second = embedding[i], embedding[m + j]
            # x = A a1 first + A ((1 - f) a2 + f a1) second, collected by a1 and a2.
            along_a1 = [amplitude * (first[r] + f * second[r]) for r in range(d)]
            along_a2 = [amplitude * (1 - f) * second[r] for r in range(d)]
            columns = [along_a1] if f == 1 else [along_a1, along_a2]
            matrix = tuple(zip(*columns, strict=True))
            components.append(OracleComponent(joint[i][j], matrix, zero))
    alone = [joint[i][n] for i in range(m)] + [joint[m][j] for j in range(n)]
    for probability, direction in zip(alone, embedding, strict=True):
        matrix = tuple((amplitude * entry,) for entry in direction)
        components.append(OracleComponent(probability, matrix, zero))
    components.append(OracleComponent(joint[m][n], ((),) * d, zero))

    probabilities = [component.probability for component in components]
    if min(probabilities) < 0 or sum(probabilities) != 1:
        raise ValueError("the probabilities must be non-negative and sum to 1")
    return [component for component in components if component.probability > 0]
