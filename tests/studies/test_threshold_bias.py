"""Where straight-through training settles, against the formulas of the densities."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, optimize

from solvers import Objective, frame_sae
from solvers.presentation.straight_through_figure import straight_through_figure
from solvers.studies.threshold_bias import ThresholdBias
from theory import InputError, load_law

L0 = 0.1
ROOT = np.sqrt(L0)


def bias_of(name: str, highest: float = 1.0) -> ThresholdBias:
    return ThresholdBias(load_law(name), frame_sae(np.pi / 4), Objective(0.0, l0=L0), highest)


def by_hand(density: Callable[[float], float], bandwidth: float) -> float:
    """Return the zero of λ₀ ∫ρ over the slab - 2θ ∫tρ over its lower half."""

    def slope(theta: float) -> float:
        low, high = theta - bandwidth / 2, theta + bandwidth / 2
        mass = integrate.quad(density, low, high, points=[0.0], epsabs=1e-13)[0]
        saved = integrate.quad(
            lambda t: t * density(t), low, theta, points=[0.0], epsabs=1e-13
        )[0]  # fmt: skip
        return float(L0 * mass - 2 * theta * saved)

    return float(optimize.brentq(slope, 0.2, 0.9, xtol=1e-13))


@pytest.mark.parametrize("bandwidth", [0.001, 0.05, 0.5, 0.85])
def test_the_first_data_set_in_closed_form(bandwidth: float) -> None:
    settled = bias_of("shared").settled(bandwidth)
    assert settled == pytest.approx(bandwidth / 8 + np.sqrt(L0 + bandwidth**2 / 64), abs=1e-11)


@pytest.mark.parametrize("bandwidth", [0.95, 1.2])
def test_readings_of_zero_push_the_threshold_to_the_edge(bandwidth: float) -> None:
    assert bias_of("shared").settled(bandwidth) == pytest.approx(bandwidth / 2, abs=1e-11)


@pytest.mark.parametrize("bandwidth", [0.05, 0.5, 1.0])
def test_the_second_data_set_by_its_density(bandwidth: float) -> None:
    """(u1 ± u2)/√2 with random signs has a tent of half-width √2 for its density, 1/√2 at 0."""

    def tent(t: float) -> float:
        return max(0.0, 1 / np.sqrt(2) - abs(t) / 2)

    settled = bias_of("independent").settled(bandwidth)
    assert settled == pytest.approx(by_hand(tent, bandwidth), abs=1e-10)


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_the_exact_slope_settles_at_the_root_of_the_penalty(name: str) -> None:
    bias = bias_of(name)
    assert bias.best == pytest.approx(ROOT, abs=1e-12)
    assert bias.excess(0.4) > 0


def test_what_it_costs() -> None:
    """On the first data set θ costs (θ³/3 + λ₀ (√2 - θ))/√2."""
    bias = bias_of("shared")
    theta = bias.settled(0.5)
    loss, least = (float(t**3 / 3 + L0 * (np.sqrt(2) - t)) / np.sqrt(2) for t in (theta, ROOT))
    assert bias.least == pytest.approx(least, rel=1e-13)
    assert bias.excess(theta) == pytest.approx(loss - least, rel=1e-10)


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_all_of_the_estimator_vanishes_there(name: str) -> None:
    """So training that has found the code rests, if the kernel does not reach the encoder."""
    bias = bias_of(name)
    theta = bias.settled(0.5)
    at_rest, told = (bias.estimate(theta, 0.5, to_input=told) for told in (False, True))
    for array in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
        np.testing.assert_allclose(getattr(at_rest.gradient, array), 0.0, atol=1e-12)
    assert np.abs(told.gradient.W_enc).max() > 1e-4


def test_a_threshold_that_never_settles() -> None:
    with pytest.raises(InputError, match="highest: expected a threshold beyond which none grows"):
        bias_of("shared", highest=0.2).settled(0.05)
    with pytest.raises(InputError, match="highest: expected a finite number > 0"):
        bias_of("shared", highest=float("nan"))


def test_the_figure_names_its_curves() -> None:
    both = {name: bias_of(name) for name in ("shared", "independent")}
    figure = straight_through_figure(both, [0.05, 0.5], [0.05, 0.5], 3)
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        "shared: slope in the threshold", "independent: slope in the threshold",
    ]  # fmt: skip
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "exact gradient"
    assert len(labels) == 3
