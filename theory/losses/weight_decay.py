"""Weight decay: the balance of encoder and decoder norms, and the optimum on the first data set.

L = E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²), biases not decayed, atoms free.
"""

from dataclasses import dataclass

import sympy

from theory.exact.symbols import AMPLITUDE, L1, MEAN_AMPLITUDE, RADIUS, WEIGHT_DECAY


def norm_imbalance() -> sympy.Expr:
    """Return ‖d_i‖² - ‖w_i‖² at a stationary point, with E f_i = m.

    (w_i, b_i, d_i) → (c w_i, c b_i, d_i/c) leaves x̂ unchanged and multiplies f_i by c, so

        d/dc [ λ c E f_i + μ (c² ‖w_i‖² + ‖d_i‖²/c²) ] = 0 at c = 1.

    Examples
    --------
    >>> norm_imbalance()
    lambda*m/(2*mu)
    """
    c = sympy.Dummy("c", positive=True)
    encoder, decoder = sympy.symbols("w2 d2", cls=sympy.Dummy, nonnegative=True)
    loss = L1 * c * MEAN_AMPLITUDE + WEIGHT_DECAY * (c**2 * encoder + decoder / c**2)
    (balanced,) = sympy.solve(sympy.diff(loss, c).subs(c, 1), decoder)
    return sympy.simplify(balanced - encoder)


@dataclass(frozen=True)
class DecayedOptimum:
    """The diagonal code on the first data set under weight decay, as equations.

    Parameters
    ----------
    loss : sympy.Expr
        In the norms and the threshold; four latents, one a ray.
    equations : tuple of sympy.Expr
        Its derivatives, all zero at the optimum.
    unknowns : tuple of sympy.Symbol
        ‖w‖, ‖d‖ and t: the latent is f = ‖w‖ (r - t)₊ along its ray.
    """

    loss: sympy.Expr
    equations: tuple[sympy.Expr, ...]
    unknowns: tuple[sympy.Symbol, sympy.Symbol, sympy.Symbol]


def decayed_diagonal() -> DecayedOptimum:
    """Return loss and stationarity equations of the diagonal code under weight decay.

    Examples
    --------
    Without decay of the encoder's scale there is nothing to hold ‖d‖ down, so the equations
    have the balance law among their consequences:

    >>> w, d, t = decayed_diagonal().unknowns
    >>> len(decayed_diagonal().equations)
    3
    """
    w, d, t = sympy.symbols("w d t", cls=sympy.Dummy, positive=True)
    reach = sympy.sqrt(2) * AMPLITUDE
    f = w * (RADIUS - t)
    silent = sympy.integrate(RADIUS**2, (RADIUS, 0, t))
    firing = sympy.integrate(sympy.expand((RADIUS - d * f) ** 2 + L1 * f), (RADIUS, t, reach))
    loss = sympy.expand((silent + firing) / reach) + 4 * WEIGHT_DECAY * (w**2 + d**2)
    equations = tuple(sympy.factor(sympy.diff(loss, unknown)) for unknown in (w, d, t))
    return DecayedOptimum(loss, equations, (w, d, t))
