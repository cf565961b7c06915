"""k one-hot pairs in R^k: what composing features costs, and how many latents it takes.

Axis code: 2k atoms ±e_i. Fully composed code: 2^k atoms (±1, ..., ±1)/√k. In between, the
pairs are split into blocks of m and each block composed: (k/m) 2^m atoms. In gauges, a block B
costs √m ‖x_B‖_∞. Orthogonal frames of 2k atoms ±h_i cost Σ |h_i·x|.

These are costs of the best activations. Frames and blocks of m ≤ 2 have them from one ReLU layer.
Blocks of m ≥ 3 do not: (1, ..., 1) is 1/(m - 2) times the sum of its m neighbours of one sign
flipped, so no latent without bias fires on it alone, and the radial bound, which the composed
code attains with free activations, is out of reach of a block below λ = 2 (m - 2)/√m at A = 1
(`theory.losses.attained_bound`): the gains √k and (k + 1)/(2√k) are bounds on what SAEs can gain.
"""

from dataclasses import dataclass

import sympy
from sympy import kronecker_product

from theory.exact.annotations import checked
from theory.exact.errors import InputError


@dataclass(frozen=True)
class Composition:
    """Pairs composed in blocks.

    Parameters
    ----------
    latents : sympy.Expr
        Atoms that it takes.
    shared, independent : sympy.Expr
        Activation cost if all pairs share one uniform amplitude on [0, 1], and if each has
        its own.
    """

    latents: sympy.Expr
    shared: sympy.Expr
    independent: sympy.Expr


def composed_in_blocks(pairs: sympy.Expr, block: sympy.Expr) -> Composition:
    """Return atoms and costs of k pairs composed in blocks of m.

    Parameters
    ----------
    pairs, block : int or positive integer symbol
        k and m; numbers must divide.

    Examples
    --------
    >>> k = sympy.Symbol("k", integer=True, positive=True)
    >>> axis, composed = composed_in_blocks(k, 1), composed_in_blocks(k, k)
    >>> sympy.simplify(axis.shared / composed.shared)
    sqrt(k)
    >>> composed.independent / axis.independent
    2*sqrt(k)/(k + 1)
    """
    k, m = sympy.sympify(pairs), sympy.sympify(block)
    if k.is_number and m.is_number and not (m >= 1 and k >= 1 and (k / m).is_integer):
        raise InputError("block", f"a divisor of the number of pairs {k}", m)
    t = sympy.Dummy("t", positive=True)
    one = sympy.integrate(t, (t, 0, 1))
    # The largest of m independent uniform amplitudes has the density m t^(m-1).
    largest = sympy.simplify(sympy.integrate(m * t**m, (t, 0, 1)))
    a_block = sympy.sqrt(m)
    return Composition(
        k / m * 2**m, k / m * a_block * one, sympy.simplify(k / m * a_block * largest)
    )


@checked
def hadamard_frame(pairs: int) -> Composition:
    """Return atoms and costs of the frame of 2k atoms from a Hadamard matrix of order k.

    Every h_i has entries ±1/√k, and the signs of the pairs are independent and fair, so h_i·x
    is 1/√k times a sum of k signs times amplitudes, and the cost is √k E|sum|.

    Parameters
    ----------
    pairs : int
        An order for which `hadamard_matrix` has a construction.

    Examples
    --------
    For k = 2 it is the diagonal code, and for k = 4 it beats the axis code's 2 at 8 latents:

    >>> hadamard_frame(2).independent, hadamard_frame(4).shared
    (2*sqrt(2)/3, 3/2)
    """
    k = sympy.Integer(hadamard_matrix(pairs).rows)
    ways = [sympy.binomial(k, j) * abs(k - 2 * j) for j in range(pairs + 1)]
    signs = sum(ways) / 2**k
    return Composition(
        2 * k,
        sympy.sqrt(k) * signs / 2,
        sympy.simplify(sympy.sqrt(k) * mean_absolute_sum(pairs)),
    )


@checked
def hadamard_matrix(order: int) -> sympy.Matrix:
    """Return a matrix of entries ±1 with orthogonal rows.

    Sylvester's doubling of a smaller one, or Paley's constructions from the quadratic
    characters of a prime p: of order p + 1 if p ≡ 3, of order 2 (p + 1) if p ≡ 1 (mod 4)
    [Paley1933]. There is none unless the order is 1, 2 or a multiple of 4; of the multiples
    up to 100, this has all but 52, 92 and 100.

    Raises
    ------
    InputError
        If none of the constructions gives this order.

    Examples
    --------
    >>> H = hadamard_matrix(12)
    >>> H * H.T == 12 * sympy.eye(12)
    True
    """
    if order == 1:
        return sympy.ones(1, 1)
    if order > 1 and order % 2 == 0:
        half = order // 2
        if sympy.isprime(order - 1) and order % 4 == 0:
            return sympy.eye(order) + _conference_matrix(order - 1, -1)
        if sympy.isprime(half - 1) and (half - 1) % 4 == 1:
            doubled = kronecker_product(_conference_matrix(half - 1, 1), _DOUBLING)
            return doubled + kronecker_product(sympy.eye(half), sympy.Matrix([[1, -1], [-1, -1]]))
        if half <= 2 or half % 4 == 0:
            return kronecker_product(_DOUBLING, hadamard_matrix(half))
    raise InputError("pairs", "an order of a known Hadamard matrix", order)


_DOUBLING = sympy.Matrix([[1, 1], [1, -1]])


def _conference_matrix(prime: int, sign: int) -> sympy.Matrix:
    """Return C of order p + 1 with C Cᵀ = p and zero diagonal, bordered quadratic characters."""
    characters = [0, *(1 if sympy.is_quad_residue(a, prime) else -1 for a in range(1, prime))]

    def entry(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return int(i != j) * (sign if j == 0 else 1)
        return characters[(j - i) % prime]

    return sympy.Matrix(prime + 1, prime + 1, entry)


def mean_absolute_sum(terms: int) -> sympy.Expr:
    """Return E|U_1 + ... + U_k| for independent U_i uniform on [-1, 1].

    (s)₊ is integrated k times over u_i in [-1, 1]: each integration raises the power and
    leaves a difference of the two ends, so that

        E (U_1 + ... + U_k)₊ = Σ_j (-1)^j binomial(k, j) (k - 2j)₊^(k+1) / (2^k (k+1)!).

    Examples
    --------
    >>> [mean_absolute_sum(k) for k in (1, 2, 4)]
    [1/2, 2/3, 14/15]
    """
    k = sympy.Integer(terms)
    positive = sum(
        (-1) ** j * sympy.binomial(k, j) * max(k - 2 * j, 0) ** (k + 1) for j in range(terms + 1)
    )
    return 2 * positive / (2**k * sympy.factorial(k + 1))
