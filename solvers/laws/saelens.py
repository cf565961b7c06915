"""A law handed to SAELens, so that training and theory share one law.

SAELens draws activations with an `ActivationGenerator` and embeds them with a `FeatureDictionary`.
Its own generator knows independent or correlated firing and normal magnitudes; the one made here
draws the law's active sets and magnitudes instead, whatever they are: through
`modify_activations`, which may replace what was drawn. SAELens then takes ReLU of the magnitudes,
which changes normal ones in the share that `sae-theory law` reports as clipped.
"""

from typing import Any, NamedTuple

import numpy as np

from solvers.laws.samples import directions, draw_features
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.features import NORMAL
from theory.laws.law import Law


class SaeLensData(NamedTuple):
    """What SAELens' training takes for data.

    Parameters
    ----------
    generator : sae_lens.synthetic.ActivationGenerator
        `generator.sample(batch_size)` returns magnitudes (batch_size, features).
    dictionary : sae_lens.synthetic.FeatureDictionary
        Maps them to data (batch_size, d).
    """

    generator: Any
    dictionary: Any


@checked
def to_saelens(law: Law) -> SaeLensData:
    """Return a generator and a feature dictionary of SAELens with a law's distribution.

    What is drawn is fixed by PyTorch's own seed, `torch.manual_seed`.

    Raises
    ------
    InputError
        If sae-lens is not installed, or the law is not given by features or has noise, which
        SAELens knows none of.

    Examples
    --------
    >>> from theory import load_law
    >>> data = to_saelens(load_law("shared"))  # doctest: +SKIP
    >>> data.dictionary(data.generator.sample(1024)).shape  # doctest: +SKIP
    torch.Size([1024, 2])
    """
    if not law.features or not (law.magnitudes or law.remainder is not None):
        raise InputError("law", "a law that is given by features", law.name)
    features = directions(law)
    if _has_noise(law):
        raise InputError("noise", "a law without noise, for SAELens", law.name)
    try:
        import torch  # noqa: PLC0415
        from sae_lens.synthetic import ActivationGenerator, FeatureDictionary  # noqa: PLC0415
    except ImportError:
        expected = "sae-lens 6 installed: pip install 'sae-theory[saelens]'"
        raise InputError("saelens", expected) from None

    def drawn(activations: Any) -> Any:
        seed = int(torch.randint(2**31 - 1, (1,)))
        _, magnitudes = draw_features(law, np.random.default_rng(seed), len(activations))
        return torch.from_numpy(magnitudes).to(activations)

    count, dimension = features.shape
    generator = ActivationGenerator(count, 1.0, modify_activations=drawn)
    dictionary = FeatureDictionary(count, dimension, bias=False, initializer=None)
    with torch.no_grad():
        dictionary.feature_vectors.copy_(torch.from_numpy(features))
        dictionary.bias.copy_(torch.from_numpy(_bias(law, features)))
    return SaeLensData(generator, dictionary)


def _has_noise(law: Law) -> bool:
    """Tell whether x is more than its features' magnitudes."""
    if law.remainder is not None:
        return bool(law.remainder.noise != 0)
    return any(
        part.base == NORMAL and not all(any(column) for column in _slopes(law, c))
        for c, part in enumerate(law.components)
    )


def _slopes(law: Law, component: int) -> list[tuple[Any, ...]]:
    """Return for each coordinate of the base variable what the magnitudes take of it."""
    width = law.components[component].base_dimension
    rows = law.magnitudes[component]
    return [tuple(row[1 + k] for row in rows) for k in range(width)]


def _bias(law: Law, features: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """Return what x has beside its features' magnitudes."""
    if law.remainder is not None:
        return np.array([float(b) for b in law.remainder.bias] or [0.0] * features.shape[1])
    part = law.components[0]
    offset = np.array([float(entry) for entry in part.offset])
    constant = np.array([float(row[0]) for row in law.magnitudes[0]])
    return offset - constant @ features[list(law.active[0])]
