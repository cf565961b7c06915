"""Which architecture an SAE has, and its own number: what is asked for before there are weights.

`solvers.autoencoders.architectures` has the classes of trained SAEs.
"""

from dataclasses import dataclass
from typing import Final

from solvers.runtime.arguments import check_choice, check_number, check_whole
from theory.exact.errors import InputError

ARCHITECTURES: Final = ("relu", "jumprelu", "topk", "batchtopk", "gated")


@dataclass(frozen=True)
class Architecture:
    """An architecture.

    Parameters
    ----------
    name : {"relu", "jumprelu", "topk", "batchtopk", "gated"}
    k : number, optional
        Of TopK, a whole number ≥ 1, how many latents a sample may have [Gao2024]; of BatchTopK,
        a number > 0, how many it has on average [Bussmann2024]. The others have none.

    Raises
    ------
    InputError
        For an unknown name, a k that is missing, out of range, or not the architecture's.

    Examples
    --------
    >>> Architecture("topk", 2)
    Architecture(name='topk', k=2)
    >>> Architecture("relu", 2)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: k: expected none for the architecture 'relu', got 2
    """

    name: str = "relu"
    k: float | None = None

    def __post_init__(self) -> None:
        name = check_choice("architecture", self.name, ARCHITECTURES)
        if not self.has_k:
            if self.k is not None:
                raise InputError("k", f"none for the architecture {name!r}", self.k)
            return
        if self.k is None:
            kind = "a whole number ≥ 1" if name == "topk" else "a number > 0"
            raise InputError("k", f"{kind} for the architecture {name!r}")
        k = check_whole("k", self.k, 1) if name == "topk" else check_number("k", self.k, above=0)
        object.__setattr__(self, "k", k)

    @property
    def has_k(self) -> bool:
        """Whether sparsity is a number of latents, so that no penalty is needed."""
        return self.name in ("topk", "batchtopk")

    def check_width(self, n_latents: int) -> None:
        """Raise `InputError` if more latents are to fire than there are."""
        if self.k is not None and self.k > n_latents:
            raise InputError("k", f"at most {n_latents}, the number of latents", self.k)
