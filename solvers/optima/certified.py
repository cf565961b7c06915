"""The best known SAE beside a certificate: each is told what the other has found."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.bounds.certificate import Certificate, certify
from solvers.bounds.certificate_terms import check_certifiable
from solvers.losses.best_activations import best_activation_loss
from solvers.optima.best_known import best_known, better, code_sae, hard_saes
from solvers.optima.optimum import Optimum
from solvers.optima.polish import polish
from solvers.optima.search import Search
from theory.laws.law import Law

_DEFAULT = Search()
_RELU = Architecture()


class Certified(NamedTuple):
    """The best known SAE, with the best bound there is, and what is proven of dictionaries.

    Parameters
    ----------
    optimum : Optimum
    certificate : Certificate or None
        None if the search for the optimum was interrupted.
    """

    optimum: Optimum
    certificate: Certificate | None


def certified_optimum(
    law: Law,
    n_latents: int,
    objective: Objective,
    search: Search = _DEFAULT,
    *,
    architecture: Architecture = _RELU,
    gap: float = 1e-3,
    claimed: float | None = None,
    any_b_dec: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Certified:
    """Return the best SAE known and a certificate, neither of which the other beats.

    The certificate's dictionaries are sought from the optimum's, too; the optimum is the best of
    `best_known` and of what the certificate's dictionaries lead to, and its lower bound is that
    of the certificate for every b_dec if that is the better one.

    Parameters
    ----------
    law, n_latents, objective, search, architecture
        As for `best_known`.
    gap, claimed, any_b_dec, progress
        As for `certify`.

    Raises
    ------
    InputError
        As `certify` and `best_known`; before any search if they do not cover what is asked.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> best, proven = certified_optimum(preset("shared"), 4, Objective(l1=0.1), Search(starts=4))
    >>> best.lower_bound_by, proven.attained_radial, best.attained
    ('radial bound', True, True)
    """
    check_certifiable(law, n_latents, objective, gap, claimed, architecture, any_b_dec)
    optimum = best_known(law, n_latents, objective, search, architecture=architecture)
    if optimum.interrupted:
        return Certified(optimum, None)
    certificate = certify(
        law, n_latents, objective, architecture=architecture, gap=gap, claimed=claimed,
        any_b_dec=any_b_dec, known=[optimum.sae], seed=int(search.seed), progress=progress,
    )  # fmt: skip
    optimum = optimum.bounded_by(certificate.bound)
    if certificate.interrupted:
        return Certified(optimum, certificate)
    first = optimum
    for start in _from_dictionaries(certificate, objective, architecture):
        end = polish(law, start, objective, architecture)
        optimum = better(optimum, "from the certificate's dictionary", end)
    # Where latents are counted the best activations are others.
    if optimum is not first and not objective.l0 and architecture.k != 1:
        found = best_activation_loss(law, optimum.sae, objective)
        if found < certificate.any_b_dec_optimum:
            angle = np.arctan2(optimum.sae.W_dec[:, 1], optimum.sae.W_dec[:, 0])
            certificate = replace(
                certificate,
                any_b_dec_optimum=found,
                any_b_dec_angles=tuple(angle.tolist()),
                best_b_dec=tuple(optimum.sae.b_dec.tolist()),
            )
    return Certified(optimum, certificate)


def _from_dictionaries(
    certificate: Certificate, objective: Objective, architecture: Architecture
) -> Iterator[Autoencoder]:
    """Yield SAEs of the certificate's two dictionaries."""
    for angles, b_dec in (
        (certificate.angles, (0.0, 0.0)),
        (certificate.any_b_dec_angles, certificate.best_b_dec),
    ):
        atoms = np.column_stack([np.cos(angles), np.sin(angles)])
        if architecture.name == "relu":
            yield code_sae(atoms, len(atoms), objective.l1, b_dec)
        else:
            yield from hard_saes(code_sae(atoms, len(atoms), 0.0, b_dec), objective, architecture)
