"""Codes: named dictionaries, and the gauge that says what reconstructing a point costs.

    γ_D(x) = min { Σ f_i : Σ f_i d_i = x, f ≥ 0 } = max { y·x : d_i·y ≤ 1 for all i }

The second form is the dual linear programme; its maximum is at a vertex of the polar set
{y : d_i·y ≤ 1}, so γ is the maximum of finitely many linear functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import sympy

from theory.exact.annotations import checked
from theory.exact.arguments import check_list
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.signs import Signs, Witness
from theory.laws.law import Law

Atom = tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class Code:
    """A dictionary with a name.

    Parameters
    ----------
    name : str
    atoms : sequence of sequences of numbers or expressions
        The atoms d_i, one a row.

    Raises
    ------
    InputError
        If there is no atom, the rows differ in length, or an entry is not a finite number.

    Examples
    --------
    >>> Code("triangle", [(1, 0), (0, 1), (-1, -1)]).dimension
    2
    """

    name: str
    atoms: tuple[Atom, ...]

    @checked
    def __init__(self, name: str, atoms: Sequence[Sequence[Number]]) -> None:
        rows = tuple(
            tuple(
                exact_number(entry, f"{name}: atom {i}")
                for entry in check_list(f"{name}: atom {i}", atom, "a list of numbers")
            )
            for i, atom in enumerate(check_list("atoms", atoms, "a list of rows"))
        )
        if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise InputError(name, "one or more atoms of one dimension")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "atoms", rows)

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.atoms[0])

    def scaled(self, norm: Number) -> "Code":
        """Return the code with every atom multiplied by `norm`."""
        factor = exact_number(norm, "norm")
        return Code(self.name, [[factor * entry for entry in atom] for atom in self.atoms])


@checked
def rotated(theta: Number) -> Code:
    """Return the code of four unit atoms ±u, ±v, u at angle `theta` from the first axis.

    Examples
    --------
    >>> rotated(sympy.pi / 4).atoms[0]
    (sqrt(2)/2, sqrt(2)/2)
    """
    angle = exact_number(theta, "theta")
    cosine, sine = sympy.cos(angle), sympy.sin(angle)
    return Code(
        f"rotated by {angle}",
        [(cosine, sine), (-cosine, -sine), (-sine, cosine), (sine, -cosine)],
    )


@checked
def rhombic(phi: Number) -> Code:
    """Return the code of four unit atoms (±cos φ, ±sin φ); φ = 45° is the diagonal code.

    Examples
    --------
    >>> rhombic(sympy.pi / 3).atoms[3]
    (-1/2, -sqrt(3)/2)
    """
    angle = exact_number(phi, "phi")
    cosine, sine = sympy.cos(angle), sympy.sin(angle)
    return Code(
        f"rhombic at {angle}",
        [(cosine, sine), (cosine, -sine), (-cosine, sine), (-cosine, -sine)],
    )


def axis_aligned() -> Code:
    """Return the code whose atoms are the four features ±e1, ±e2 of the two presets."""
    return Code("axis-aligned", rotated(0).atoms)


def diagonal() -> Code:
    """Return the code whose atoms are the composed features (±e1 ± e2)/√2."""
    return Code("diagonal", rotated(sympy.pi / 4).atoms)


@checked
def codes_of(law: Law) -> tuple[Code, ...]:
    """Return the codes that a law's features suggest, with unit atoms.

    "true features" has an atom along every feature; with two one-hot sets it is called
    "axis-aligned", and "diagonal" has one along the sum of every pair of features of the two.
    Two sets of one feature add the codes that have absorbed one [Chanin2024]: the other feature
    and the sum. Without features there is none.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> [code.name for code in codes_of(preset("shared"))]
    ['axis-aligned', 'diagonal']
    """
    every = [feature for group in law.features for feature in group]
    named = [("true features", every)] if every else []
    if len(law.features) == 2:
        first, second = law.features
        sums = [tuple(a + b for a, b in zip(x, y, strict=True)) for x in first for y in second]
        named = [("axis-aligned", every), ("diagonal", sums)]
        if len(first) == len(second) == 1:
            named.append(("first feature absorbed", [first[0], sums[0]]))
            named.append(("second feature absorbed", [second[0], sums[0]]))
    found = []
    for name, directions in named:
        norms = [sympy.sqrt(dot(direction, direction)) for direction in directions]
        if all(norm != 0 for norm in norms):
            atoms = [sympy.Matrix(row) / norm for row, norm in zip(directions, norms, strict=True)]
            found.append(Code(name, [tuple(atom) for atom in atoms]))
    return tuple(found)


class PolarVertices(NamedTuple):
    """Vertices of a polar set, and the expressions that must be ≥ 0 for them to be all."""

    vertices: tuple[Atom, ...]
    conditions: frozenset[sympy.Expr]


def polar_vertices(code: Code, witness: Witness | None = None) -> PolarVertices:
    """Return the vertices of {y : d_i·y ≤ 1}; γ is the maximum of y·x over them.

    Parameters
    ----------
    code : Code
        Its atoms span R^d.
    witness : mapping from symbol to number, optional
        Where the vertices are told apart if the atoms hold symbols.

    Raises
    ------
    InputError
        If the atoms do not span R^d: the polar set then has no vertex.

    Examples
    --------
    >>> sorted(polar_vertices(axis_aligned()).vertices)
    [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    """
    signs, apart = Signs(witness), Signs(witness)
    vertices: list[Atom] = []
    for inverse in _bases(code, signs):
        vertex = tuple(sympy.simplify(y) for y in inverse * sympy.ones(code.dimension, 1))
        known = any(
            all(apart.of(a - b) == 0 for a, b in zip(vertex, other, strict=True))
            for other in vertices
        )
        if not known and all(signs.of(1 - dot(atom, vertex)) >= 0 for atom in code.atoms):
            vertices.append(vertex)
    if not vertices:
        raise InputError(code.name, f"atoms that span R^{code.dimension}")
    return PolarVertices(tuple(vertices), frozenset(signs.conditions))


def _bases(code: Code, signs: Signs) -> Iterator[sympy.Matrix]:
    """Yield the inverse of every matrix of d linearly independent atoms, one a row."""
    for chosen in combinations(code.atoms, code.dimension):
        determinant, adjugate = _determinant_and_adjugate(chosen)
        if signs.of(determinant) != 0:
            yield adjugate / determinant


@lru_cache(maxsize=1 << 10)
def _determinant_and_adjugate(atoms: tuple[Atom, ...]) -> tuple[sympy.Expr, sympy.Matrix]:
    matrix = sympy.Matrix(atoms)
    return sympy.simplify(matrix.det()), matrix.adjugate().as_immutable()


@checked
def gauge(code: Code, x: Sequence[Number], witness: Witness | None = None) -> sympy.Expr:
    """Return γ(x), the least Σ f_i with Σ f_i d_i = x and f ≥ 0, or oo if there is none.

    Found from the primal side, over all choices of d linearly independent atoms: an optimal
    basis of the linear programme.

    Examples
    --------
    Axis-aligned γ = ‖x‖₁ and diagonal γ = √2 ‖x‖_∞:

    >>> gauge(axis_aligned(), (3, 4)), gauge(diagonal(), (3, 4))
    (7, 4*sqrt(2))
    """
    signs = Signs(witness)
    point = sympy.Matrix([exact_number(entry, "x") for entry in x])
    if len(point) != code.dimension:
        raise InputError("x", f"{code.dimension} coordinates, as the atoms have", len(point))
    best: sympy.Expr = sympy.oo
    for inverse in _bases(code, signs):
        activations = inverse.T * point
        if all(signs.of(f) >= 0 for f in activations):
            total = sympy.simplify(sum(activations))
            if best is sympy.oo or signs.of(best - total) > 0:
                best = total
    return best


def is_reached(code: Code, x: Sequence[sympy.Expr], signs: Signs) -> bool:
    """Tell whether x is a nonnegative combination of the atoms, leaving conditions in `signs`.

    Examples
    --------
    >>> corner = Code("corner", [(1, 0), (0, 1)])
    >>> is_reached(corner, sympy.Matrix([1, 2]), Signs()), is_reached(corner, [1, -2], Signs())
    (True, False)
    """
    point = sympy.Matrix(list(x))
    return any(all(signs.of(f) >= 0 for f in inverse.T * point) for inverse in _bases(code, signs))


def dot(a: Sequence[sympy.Expr], b: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return a·b."""
    return sum((x * y for x, y in zip(a, b, strict=True)), start=sympy.Integer(0))
