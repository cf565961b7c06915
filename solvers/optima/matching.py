"""Atoms held against a named code, against each other, and b_dec against the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.laws.arrays import LawArrays
from theory.codes.code import codes_of
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Live atoms within this many degrees of each other are duplicates.
DUPLICATE = 1.0
#: Atoms further than this from a code on average, in degrees, are not close to it.
CLOSE = 15.0
#: An atom further off than this, in degrees, points away: it is no match.
FARTHEST = 90.0
#: ‖b_dec‖ beyond this share of the data's root mean square norm has absorbed a part of it.
ABSORBED = 0.1


@dataclass(frozen=True)
class AtomReport:
    """One latent and its atom.

    Parameters
    ----------
    latent : int
    atom : tuple of float
        d_i.
    norm : float
        ‖d_i‖.
    firing : float
        Probability that the latent fires.
    dead : bool
        Whether that is 0.
    angle : float or None
        Of the atom in the plane, in degrees from the first axis; None beyond two dimensions.
    matched : int or None
        The atom of the closest code that it is assigned to; None if there is none within 90°.
    cosine, angle_to_code : float or None
        With that atom; the angle in degrees.
    duplicate_of : int or None
        An earlier live latent whose atom has nearly the same direction.
    """

    latent: int
    atom: tuple[float, ...]
    norm: float
    firing: float
    dead: bool
    angle: float | None
    matched: int | None = None
    cosine: float | None = None
    angle_to_code: float | None = None
    duplicate_of: int | None = None


@dataclass(frozen=True)
class CodeMatch:
    """How close live atoms come to a code.

    Parameters
    ----------
    code : str
    mean_angle, largest_angle : float
        In degrees, over the assignment of largest total cosine; where the atoms assigned to
        each other are more than 90° apart they count as 90°, and are no pair.
    pairs : tuple of (int, int)
        Latent and atom of the code, at most 90° apart.
    unmatched : tuple of int
        Atoms of the code that no live latent is matched to.
    """

    code: str
    mean_angle: float
    largest_angle: float
    pairs: tuple[tuple[int, int], ...]
    unmatched: tuple[int, ...]


def unit(atoms: Array) -> Array:
    """Return atoms at norm 1; zero atoms stay."""
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    scaled: Array = atoms / np.where(norms > 0, norms, 1.0)
    return scaled


def match(
    atoms: Array, live: list[int], code: Array, name: str, firing: Sequence[float] | None = None
) -> CodeMatch:
    """Return the assignment of live atoms to a code's that has the largest total cosine.

    With `firing`, cosines count as often as the latent fires, in the assignment and in the
    mean angle: a latent that hardly ever fires takes no atom from another.

    Examples
    --------
    >>> found = match(np.array([[0.0, 2.0], [1.0, 1.0]]), [0, 1], np.eye(2), "axes")
    >>> found.pairs, round(found.mean_angle, 9)
    (((0, 1), (1, 0)), 22.5)

    The second latent points away from what the first leaves:

    >>> match(np.array([[0.0, 2.0], [-1.0, 1.0]]), [0, 1], np.eye(2), "axes").pairs
    ((0, 1),)
    """
    cosines = unit(atoms[live]) @ unit(code).T
    weights = np.ones(len(live)) if firing is None else np.array(firing)[live]
    # A match beyond 90° will be none, so it is worth nothing to the assignment.
    worth = weights[:, None] * np.maximum(cosines, 0.0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    angles = np.degrees(np.arccos(np.clip(cosines[rows, columns], -1.0, 1.0)))
    matched = angles <= FARTHEST
    angles = np.minimum(angles, FARTHEST)
    mean = float(np.average(angles, weights=weights[rows]))
    pairs = tuple(
        (live[int(r)], int(c)) for r, c in zip(rows[matched], columns[matched], strict=True)
    )
    left = tuple(sorted(set(range(len(code))) - {c for _, c in pairs}))
    return CodeMatch(name, mean, float(angles.max()), pairs, left)


def closest_code(law: Law, atoms: Array, firing: Sequence[float]) -> CodeMatch | None:
    """Return the match with that code of the law (`codes_of`) whose mean angle is least.

    None if no latent is live or the law suggests no code.
    """
    live = [i for i, probability in enumerate(firing) if probability > 0]
    matches = [
        match(atoms, live, np.array(code.atoms, dtype=np.float64), code.name, firing)
        for code in codes_of(law)
        if live
    ]
    return min(matches, key=lambda found: found.mean_angle, default=None)


def atom_reports(
    sae: Autoencoder, firing: tuple[float, ...], closest: CodeMatch | None, law: Law
) -> tuple[AtomReport, ...]:
    """Return a report on every latent."""
    directions = unit(sae.W_dec)
    codes = {code.name: np.array(code.atoms, dtype=np.float64) for code in codes_of(law)}
    assigned = dict(closest.pairs) if closest else {}
    reports: list[AtomReport] = []
    for i, (atom, probability) in enumerate(zip(sae.W_dec, firing, strict=True)):
        dead = not probability > 0
        cosine = angle_to_code = None
        if closest and i in assigned:
            cosine = float(directions[i] @ unit(codes[closest.code])[assigned[i]])
            angle_to_code = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        twin = None
        if not dead:
            near = np.cos(np.radians(DUPLICATE))
            twins = [r.latent for r in reports
                     if not r.dead and directions[r.latent] @ directions[i] > near]  # fmt: skip
            twin = twins[0] if twins else None
        reports.append(
            AtomReport(
                latent=i,
                atom=tuple(float(entry) for entry in atom),
                norm=float(np.linalg.norm(atom)),
                firing=float(probability),
                dead=dead,
                angle=float(np.degrees(np.arctan2(atom[1], atom[0]))) if len(atom) == 2 else None,
                matched=assigned.get(i),
                cosine=cosine,
                angle_to_code=angle_to_code,
                duplicate_of=twin,
            )
        )
    return tuple(reports)


@dataclass(frozen=True)
class Absorbed:
    """The part of the data whose mean b_dec points to.

    Parameters
    ----------
    towards : tuple of float
        The mean of the nearest component of the law.
    angle : float
        Between it and b_dec, in degrees.
    """

    towards: tuple[float, ...]
    angle: float


def absorbed(law: LawArrays, b_dec: Array) -> Absorbed | None:
    """Return which ray of the law b_dec has absorbed, or None if b_dec is small."""
    size = float(np.sqrt(np.trace(law.second_moment)))
    norm = float(np.linalg.norm(b_dec))
    if not norm > ABSORBED * size:
        return None
    means = law.component_means
    cosines = unit(means) @ (b_dec / norm)
    best = int(np.argmax(cosines))
    angle = float(np.degrees(np.arccos(np.clip(cosines[best], -1.0, 1.0))))
    return Absorbed(tuple(float(entry) for entry in means[best]), angle)
