"""What a reader reads, as data: docs/formats.md is made of these records."""

from dataclasses import dataclass

from solvers.runtime.arguments import check_fields


@dataclass(frozen=True)
class Format:
    """One form of file that a reader takes.

    Parameters
    ----------
    file : str
        Its files, or the arrays in it.
    library, versions : str
        Who writes it.
    architectures : tuple of str
        By the library's own names.
    encoder_reads : str
        x, x - b_dec, or which setting decides.
    extra : str
        The optional dependency that reading it needs; "" for none.
    """

    file: str
    library: str
    versions: str
    architectures: tuple[str, ...]
    encoder_reads: str
    extra: str = ""

    def __post_init__(self) -> None:
        check_fields(self)


#: What is no sparse autoencoder of single samples, and why; refused by name.
NO_FUNCTION_OF_ONE_SAMPLE = {
    "transcoder": "it maps one layer's activations to those of another",
    "skip_transcoder": "it maps one layer's activations to those of another",
    "jumprelu_transcoder": "it maps one layer's activations to those of another",
    "jumprelu_skip_transcoder": "it maps one layer's activations to those of another",
    "temporal": "what becomes of a sample depends on those before it",
    "crosscoder": "it reads the activations of several layers or models",
    "CrossCoder": "it reads the activations of several layers or models",
    "BatchTopKCrossCoder": "it reads the activations of several layers or models",
    "matching_pursuit": "its encoder is a loop, not one layer",
    "abstopk": "its activations may be negative",
    "IdentityDict": "it has no latents of its own",
}  # fmt: skip
