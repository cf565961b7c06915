"""Settings of the field's libraries that change the loss that training minimises, as one table.

Each is read from the configuration beside the weights and named in the notes. A setting that the
claimed loss takes into account is *computed*; of one that it leaves out, because it depends on the
history of training, the claim is *in part*; any other puts the training *outside* the claim: then
`Origin.loss` is "", and no training loss is reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from solvers.runtime.arguments import check_choice, check_fields

Version = tuple[int, ...]

COMPUTED, IN_PART, OUTSIDE = "computed", "in part", "outside"
ANY: Version = (10**6,)


@dataclass(frozen=True)
class Setting:
    """A key of a library's configuration and what values of it do to the trained loss.

    Parameters
    ----------
    library, key : str
    does : str
        What such a value does, the end of a sentence that begins with key and value.
    claim : {"computed", "in part", "outside"}
        Whether the claimed training loss takes it into account.
    plain : tuple
        Values that change nothing, beside a missing one.
    only : tuple
        If not empty, the values that do change something.
    since, before : tuple of int
        The versions that have it, from `since` to those before `before`.
    l1_stands : bool
        Whether λ means what it means without the setting, so that the SAE can still be judged.
    """

    library: str
    key: str
    does: str
    claim: str = OUTSIDE
    plain: tuple[object, ...] = (None, False, 0)
    only: tuple[object, ...] = ()
    since: Version = (0,)
    before: Version = ANY
    l1_stands: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("claim", self.claim, (COMPUTED, IN_PART, OUTSIDE))

    @property
    def versions(self) -> str:
        """The versions that have it, in words.

        Examples
        --------
        >>> Setting("SAELens", "k", "does nothing", since=(4,), before=(6,)).versions
        'from 4, before 6'
        """
        since = "" if self.since == (0,) else f"from {'.'.join(map(str, self.since))}"
        before = "" if self.before == ANY else f"before {'.'.join(map(str, self.before))}"
        return ", ".join(filter(None, (since, before))) or "all"

    def changes(self, value: object) -> bool:
        """Tell whether a value changes the trained loss.

        Examples
        --------
        >>> warm = Setting("SAELens", "l1_warm_up_steps", "lets λ rise", COMPUTED)
        >>> warm.changes(0), warm.changes(3000)
        (False, True)
        """
        return value in self.only if self.only else value not in self.plain


_WARM = "lets {} rise from 0 in the first steps; the loss here has the whole {}"
_DEAD = "adds a loss of latents while they are dead, which depends on the history of training"
_ANNEALED = "penalises Σ {}^p with a p that falls in training, none of the losses here"
_DECAYED = "pulls the weights to 0, which the loss here does not have"

#: Every such setting that is known.
SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "SAELens",
        "mse_loss_normalization",
        "divides the squared error of each sample by ‖x - x̄‖, x̄ the mean of its batch, none of "
        "the losses here",
        before=(6,),
    ),
    Setting("SAELens", "use_ghost_grads", _DEAD, before=(6,)),
    Setting(
        "SAELens", "noise_scale", "adds normal noise to the pre-activations in training",
        before=(6,),
    ),
    Setting(
        "SAELens", "lp_norm", "penalises the p-norm of the activations, not their sum",
        plain=(None, 1), l1_stands=False,
    ),
    Setting("SAELens", "l1_warm_up_steps", _WARM.format("λ", "λ"), COMPUTED),
    Setting("SAELens", "l0_warm_up_steps", _WARM.format("λ₀", "λ₀"), COMPUTED, since=(6,)),
    Setting(
        "SAELens", "jumprelu_sparsity_loss_mode",
        "penalises λ Σ tanh(c f_i ‖d_i‖), none of the losses here", only=("tanh",), since=(6,),
    ),
    Setting(
        "SAELens", "jumprelu_sparsity_loss_mode",
        "penalises 2λ/k (l0 - k)² of every sample, with k = target_l0, none of the losses here",
        only=("quadratic",), since=(6,),
    ),
    Setting(
        "SAELens", "jumprelu_sparsity_loss_mode", "is a penalty that is unknown here",
        plain=(None, "step", "tanh", "quadratic"), since=(6,),
    ),
    Setting("SAELens", "pre_act_loss_coefficient", _DEAD, IN_PART, since=(6,)),
    Setting("SAELens", "aux_loss_coefficient", _DEAD, IN_PART, since=(6,)),
    Setting(
        "SAELens", "detach_matryoshka_losses",
        "stops gradients at inner prefixes, so that training minimises no loss",
    ),
    Setting(
        "SAELens", "use_delta_loss",
        "stops gradients at inner prefixes, so that training minimises no loss",
    ),
    Setting("SAELens", "use_matryoshka_aux_loss", _DEAD, IN_PART, since=(6,)),
    Setting(
        "dictionary_learning", "trainer_class", _ANNEALED.format("f_i"),
        only=("PAnnealTrainer", "PAnnealTrainerNew"),
    ),
    Setting(
        "dictionary_learning", "trainer_class", _ANNEALED.format("ReLU(π_i)"),
        only=("GatedAnnealTrainer",),
    ),
    Setting(
        "dictionary_learning", "trainer_class",
        "penalises λ (E l0 / target_l0 - 1)², none of the losses here", only=("JumpReluTrainer",),
    ),
    Setting("dictionary_learning", "sparsity_warmup_steps", _WARM.format("λ", "λ"), COMPUTED),
    Setting(
        "dictionary_learning", "k_anneal_steps",
        "lets k fall from the width in the first steps; the loss here has the last k", COMPUTED,
    ),
    Setting("dictionary_learning", "auxk_alpha", _DEAD, IN_PART),
    Setting("dictionary_learning", "use_ghost_grads", _DEAD),
    Setting("dictionary_learning", "ghost_threshold", _DEAD),
    Setting("sparsify", "auxk_alpha", _DEAD, IN_PART),
    Setting("sparsify", "multi_topk", "adds an eighth of the error with 4k latents to its loss"),
    *(
        Setting(library, key, _DECAYED)
        for library in ("SAELens", "dictionary_learning", "sparsify")
        for key in ("weight_decay", "adam_weight_decay")
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Changed:
    """What a configuration's settings do to the claim of a training loss.

    Parameters
    ----------
    notes : tuple of str
    other_loss : str
        What was trained, in words, where no training loss is claimed; else "".
    l1_stands : bool
    """

    notes: tuple[str, ...] = ()
    other_loss: str = ""
    l1_stands: bool = True

    @property
    def outside(self) -> bool:
        """Whether no training loss is claimed."""
        return bool(self.other_loss)


def changed_loss(library: str, config: Mapping[str, Any], version: Version | None) -> Changed:
    """Return what the settings of a configuration do to the loss that was trained.

    Of an unknown version every setting is looked for.

    Examples
    --------
    >>> changed = changed_loss("sparsify", {"multi_topk": True}, None)
    >>> changed.outside, changed.notes
    (True, ('multi_topk=True adds an eighth of the error with 4k latents to its loss; no training \
loss is claimed',))
    """
    found = [
        one
        for one in SETTINGS
        if one.library == library
        and one.key in config
        and (version is None or one.since <= version < one.before)
        and one.changes(config[one.key])
    ]
    said = [(one, f"{one.key}={_shown(config[one.key])} {one.does}") for one in found]
    return Changed(
        tuple(
            f"{text}; no training loss is claimed" if one.claim == OUTSIDE else text
            for one, text in said
        ),
        "; ".join(text for one, text in said if one.claim == OUTSIDE),
        all(one.l1_stands for one in found),
    )


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, float | Decimal):
        text = f"{float(value):g}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_LONGEST = 40


def version_of(text: object) -> Version | None:
    """Return a version's first numbers, None if that is no version.

    Examples
    --------
    >>> version_of("5.11.0"), version_of("6.0.0rc1"), version_of(None)
    ((5, 11, 0), (6, 0), None)
    """
    if not isinstance(text, str):
        return None
    found: list[int] = []
    for part in text.split(".")[:3]:
        # Longer runs of digits are no version.
        if not (part.isascii() and part.isdigit() and len(part) < 9):
            break
        found.append(int(part))
    return tuple(found) or None
