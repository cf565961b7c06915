"""Files .npz of four arrays, and what the architecture adds: this package's own, Gemma Scope's."""

from pathlib import Path

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.weight_files import Arrays, check_names, npz_arrays, oriented


def read_npz(path: Path) -> tuple[Autoencoder, ...]:
    """Read an .npz of the four arrays; with a threshold it is a JumpReLU of Gemma Scope.

    See [Lieberum2024]. With a k, a number without axes, it is a TopK SAE, and with W_gate and
    b_gate a Gated one, as `save` writes them. In all of them the encoder reads x itself.
    """
    return (npz_sae(npz_arrays(path)),)


def npz_sae(arrays: Arrays) -> Autoencoder:
    """Return the SAE of arrays by the names that .npz files have for them; see `read_npz`."""
    if "threshold" in arrays:
        return _gemma_scope(arrays)
    if "k" in arrays:
        check_names(arrays, (*PARAMETERS, "k"), "an .npz file of a TopK SAE")
        return TopKSae(_relu(arrays), arrays["k"])  # type: ignore[arg-type]  # it checks k
    if "W_gate" in arrays:
        check_names(arrays, (*PARAMETERS, "W_gate", "b_gate"), "an .npz file of a Gated SAE")
        return GatedSae(_relu(arrays), arrays["W_gate"], arrays["b_gate"])
    check_names(arrays, PARAMETERS, "an .npz file")
    return _relu(arrays)


def _gemma_scope(arrays: Arrays) -> Autoencoder:
    check_names(arrays, (*PARAMETERS, "threshold"), "Gemma Scope's params.npz")
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = JumpReluSae(_relu(arrays), arrays["threshold"])
    notes = ("JumpReLU, as Gemma Scope stores it: the encoder reads x itself", *turned)
    return sae.with_origin(Origin("Gemma Scope", notes=notes))


def _relu(arrays: Arrays) -> Sae:
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return Sae(W_enc, b_enc, W_dec, b_dec)
