"""What files of BatchTopK and Matryoshka SAEs share: one threshold, k, and the prefixes.

In training the k·B largest activations of a batch of B samples fire [Bussmann2024], so that what
becomes of one sample depends on the others. The libraries therefore keep a threshold θ, a running
mean of the least activation that fired, and after training f_i = p_i where p_i > θ, else 0.
Matryoshka SAEs [Bussmann2025] are the same functions: their prefixes belong to training alone.
"""

from itertools import accumulate, pairwise

import numpy as np

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.checkpoints.weight_files import Arrays, scalar
from solvers.runtime.arguments import check_number, check_whole
from theory.exact.errors import InputError


def by_stored_threshold(base: Sae, arrays: Arrays, name: str) -> JumpReluSae:
    """Return the SAE whose latents fire above the threshold that training stored.

    Raises
    ------
    InputError
        If it is not one finite number ≥ 0: libraries begin with -1, or have begun to diverge.

    Examples
    --------
    >>> base = Sae([[1.0, 2.0]], [0, 0], [[1.0], [1.0]], [0])
    >>> by_stored_threshold(base, {"threshold": np.array(0.5)}, "threshold").threshold.tolist()
    [0.5, 0.5]
    """
    threshold = scalar(arrays, name)
    if not threshold >= 0:
        hint = (
            "BatchTopK is a function of one sample only by the threshold that training stores in "
            "the end"
        )
        raise InputError(name, "a number ≥ 0", threshold, hint=hint)
    return JumpReluSae(base, np.full(base.d_sae, threshold))


def notes_on_threshold(sae: Autoencoder) -> tuple[str, ...]:
    """Say so if the stored threshold is 0, where SAELens' training begins."""
    if isinstance(sae, JumpReluSae) and not sae.threshold.any():
        return ("its threshold is 0, as before training: every latent with p_i > 0 fires",)
    return ()


def latents_per_sample(value: object, width: int) -> float:
    """Return BatchTopK's k, which may be a fraction, within the width.

    Examples
    --------
    >>> latents_per_sample(1.5, 4)
    1.5
    """
    return check_number("k", value, above=0, most=width)


def prefixes_of(key: str, widths: object, last: int) -> tuple[int, ...]:
    """Return the widths of a Matryoshka SAE's prefixes, the last of which is the SAE's.

    Raises
    ------
    InputError
        Naming the key, unless they are whole numbers that increase to `last`.

    Examples
    --------
    >>> prefixes_of("matryoshka_widths", [1, 2, 4], 4)
    (1, 2, 4)
    """
    found = _whole_numbers(key, widths)
    if any(after <= before for before, after in pairwise(found)):
        raise InputError(key, "increasing widths", widths)
    if found[-1] != last:
        raise InputError(key, f"widths that end at {last}, the number of latents", widths)
    return found


def prefixes_of_groups(key: str, sizes: object, last: int) -> tuple[int, ...]:
    """Return the widths that the groups of a Matryoshka SAE add up to; see `prefixes_of`.

    Examples
    --------
    >>> prefixes_of_groups("group_sizes", [1, 1, 2], 4)
    (1, 2, 4)
    """
    found = tuple(accumulate(_whole_numbers(key, sizes)))
    if found[-1] != last:
        raise InputError(key, f"sizes that add up to {last}, the number of latents", sizes)
    return found


def numbers_of(key: str, values: object, count: int | None = None) -> list[object]:
    """Return the entries of a list, `count` of them if that is given.

    Examples
    --------
    >>> numbers_of("group_weights", [0.5, 0.5], 2)
    [0.5, 0.5]
    """
    if not isinstance(values, list) or not values or len(values) != (count or len(values)):
        expected = "a list of numbers" if count is None else f"a list of {count} numbers"
        raise InputError(key, expected, values)
    return values


def _whole_numbers(key: str, values: object) -> tuple[int, ...]:
    return tuple(check_whole(key, value, 1) for value in numbers_of(key, values))
