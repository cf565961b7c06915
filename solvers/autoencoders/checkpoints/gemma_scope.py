"""Files .npz of four arrays: this package's own, and Gemma Scope's with a threshold."""

from pathlib import Path

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.weight_files import Arrays, check_names, npz_arrays, oriented


def read_npz(path: Path) -> tuple[Autoencoder, ...]:
    """Read an .npz of the four arrays; with a threshold it is a JumpReLU of Gemma Scope.

    See [Lieberum2024]. Both have the encoder read x itself.
    """
    arrays = npz_arrays(path)
    if "threshold" not in arrays:
        check_names(arrays, PARAMETERS, "an .npz file")
        return (_relu(arrays),)
    check_names(arrays, (*PARAMETERS, "threshold"), "Gemma Scope's params.npz")
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = JumpReluSae(_relu(arrays), arrays["threshold"])
    notes = ("Gemma Scope, JumpReLU: the encoder reads x itself", *turned)
    return (sae.with_origin(Origin("Gemma Scope", notes=notes)),)


def _relu(arrays: Arrays) -> Sae:
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return Sae(W_enc, b_enc, W_dec, b_dec)
