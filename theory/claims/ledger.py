"""The ledger of claims: each with its source, in our own words, and the proof that judges it."""

from theory.claims.claim import Claim
from theory.claims.composing import COMPOSING
from theory.claims.cost_proofs import (
    axis_aligned_total,
    cheaper_on_second,
    diagonal_total,
    lower_loss_on_first,
    magnitudes_in_between,
    ratio_of_totals,
    true_features,
)
from theory.claims.data_proofs import (
    principal_components_first,
    principal_components_second,
    two_dimensional,
)
from theory.claims.loss_proofs import (
    global_optimum,
    infinite_expectation,
    onehot_three_quarters,
    weight_decay_balance,
)

_COMMENT = "[Anders2024], comment by L. Chan"

LEDGER: tuple[Claim, ...] = (
    Claim(
        "two-dimensional",
        "The first data set is two-dimensional, x = x1-x2 and y = y1-y2, and lies on the "
        "diagonals of the square.",
        f"{_COMMENT}, 2nd paragraph",
        two_dimensional,
    ),
    Claim(
        "axis-aligned-total",
        "With encoder and decoder weights of size s, an axis-aligned code's activations total "
        "2A/s².",
        f"{_COMMENT}, 4th paragraph",
        axis_aligned_total,
    ),
    Claim(
        "diagonal-total",
        "A code on the four diagonals only needs activations of √2·A/s².",
        f"{_COMMENT}, 4th paragraph",
        diagonal_total,
    ),
    Claim(
        "ratio",
        "So the axis-aligned code's activations are √2 times the diagonal code's (whatever s "
        "means).",
        f"{_COMMENT}, 4th paragraph, by division",
        ratio_of_totals,
    ),
    Claim(
        "lower-loss-first",
        "Therefore the diagonal code has the lower loss on the first data set (exact "
        "reconstruction, any amplitudes of finite mean).",
        f"{_COMMENT}, 4th paragraph",
        lower_loss_on_first,
    ),
    Claim(
        "principal-components-first",
        "The principal components of the first data set are the diagonals.",
        f"{_COMMENT}, 1st and 2nd paragraphs",
        principal_components_first,
    ),
    Claim(
        "principal-components-second",
        "The principal components of the second data set, too, are at 45°.",
        f"{_COMMENT}, 1st and last paragraphs",
        principal_components_second,
    ),
    Claim(
        "lower-loss-second",
        "The story is the same on the second data set: the diagonal code is the cheaper, and "
        "the best of all rotations.",
        f"{_COMMENT}, last paragraph",
        cheaper_on_second,
    ),
    Claim(
        "true-features",
        "The L1 penalty is what lets an SAE recover the true features.",
        f"{_COMMENT}, end of the 4th paragraph",
        true_features,
    ),
    Claim(
        "global-optimum",
        "On the first data set the optimum is exactly diagonal, whatever the weight of the L1 "
        "penalty.",
        "[Anders2024], comment by D. Till",
        global_optimum,
    ),
    Claim(
        "weight-decay",
        "Since there is weight decay, the encoding and the decoding weights want to be of the "
        "same size.",
        f"{_COMMENT}, 4th paragraph",
        weight_decay_balance,
    ),
    Claim(
        "onehot-three-quarters",
        "SAEs find composed features even if one-hot vectors of the true features are 75% of the "
        "data.",
        "[Anders2024], summary of results",
        onehot_three_quarters,
    ),
    Claim(
        "relative-expectation",
        "SAEs are trained to minimise the mean of ‖x - x̂‖²/‖x‖² + λ Σ f_i, so that mean can be "
        "compared between them.",
        "[Anders2024], code, class AutoEncoder",
        infinite_expectation,
    ),
    Claim(
        "in-between",
        "With magnitudes that are partly correlated, between the two data sets, the diagonal code "
        "is still the best.",
        "suggested by [Anders2024], comment by L. Chan, which treats both ends alike",
        magnitudes_in_between,
    ),
    *COMPOSING,
)
