"""Codes: named dictionaries, and the gauge that says what reconstructing a point costs.

    γ_D(x) = min { Σ f_i : Σ f_i d_i = x, f ≥ 0 } = max { y·x : d_i·y ≤ 1 for all i }

The second form is the dual linear programme; its maximum is at a vertex of the polar set
{y : d_i·y ≤ 1}, so γ is the maximum of finitely many linear functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import sympy

from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.signs import Signs, Witness, value_at
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

    def __init__(self, name: str, atoms: Sequence[Sequence[Number]]) -> None:
        rows = tuple(
            tuple(exact_number(entry, f"{name}: atom {i}") for entry in atom)
            for i, atom in enumerate(atoms)
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


def codes_of(law: Law) -> tuple[Code, ...]:
    """Return the codes that a law of two one-hot sets suggests, with unit atoms.

    "axis-aligned" has an atom along every feature, "diagonal" one along the sum of every pair
    of features of the two sets. Two sets of one feature add the codes that have absorbed one
    [Chanin2024]: the other feature and the sum. Without features there is none.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> [code.name for code in codes_of(preset("shared"))]
    ['axis-aligned', 'diagonal']
    """
    if len(law.features) != 2:
        return ()
    first, second = law.features
    sums = [tuple(a + b for a, b in zip(x, y, strict=True)) for x in first for y in second]
    found = []
    named = [("axis-aligned", [*first, *second]), ("diagonal", sums)]
    if len(first) == len(second) == 1:
        named.append(("first feature absorbed", [first[0], sums[0]]))
        named.append(("second feature absorbed", [second[0], sums[0]]))
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
    signs = Signs(witness)
    vertices: dict[tuple[str, ...], Atom] = {}
    for chosen in combinations(code.atoms, code.dimension):
        matrix = sympy.Matrix(chosen)
        if signs.of(matrix.det()) == 0:
            continue
        vertex = tuple(sympy.simplify(y) for y in matrix.LUsolve(sympy.ones(matrix.rows, 1)))
        if all(signs.of(1 - dot(atom, vertex)) >= 0 for atom in code.atoms):
            key = tuple(str(value_at(y, signs.witness).round(20)) for y in vertex)
            vertices.setdefault(key, vertex)
    if not vertices:
        raise InputError(code.name, f"atoms that span R^{code.dimension}")
    return PolarVertices(tuple(vertices.values()), frozenset(signs.conditions))


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
    return gauge_with_signs(code, x, Signs(witness))


def gauge_with_signs(code: Code, x: Sequence[Number], signs: Signs) -> sympy.Expr:
    """Return γ(x) as `gauge` does, leaving in `signs` the conditions that it rests on."""
    point = sympy.Matrix([exact_number(entry, "x") for entry in x])
    if len(point) != code.dimension:
        raise InputError("x", f"{code.dimension} coordinates, as the atoms have", len(point))
    best: sympy.Expr = sympy.oo
    for chosen in combinations(code.atoms, code.dimension):
        matrix = sympy.Matrix(chosen).T
        if signs.of(matrix.det()) == 0:
            continue
        activations = matrix.LUsolve(point)
        if all(signs.of(f) >= 0 for f in activations):
            total = sympy.simplify(sum(activations))
            if best is sympy.oo or signs.of(best - total) > 0:
                best = total
    return best


def dot(a: Sequence[sympy.Expr], b: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return a·b."""
    return sum((x * y for x, y in zip(a, b, strict=True)), start=sympy.Integer(0))
