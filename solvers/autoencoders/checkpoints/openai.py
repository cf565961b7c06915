"""Checkpoints of OpenAI's sparse_autoencoder: a .pt file with a pre_bias."""

from solvers.autoencoders.autoencoder import Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.formats import Format
from solvers.autoencoders.checkpoints.weight_files import Arrays, check_names, oriented
from theory.exact.errors import InputError

FORMATS = (Format("`.pt` with `pre_bias`", "OpenAI", "all", ("ReLU",), "x - b_dec", "torch"),)


def openai_sae(arrays: Arrays, settings: dict[str, object]) -> Autoencoder:
    """Read OpenAI's `Autoencoder`: f = ReLU(E (x - pre_bias) + latent_bias), D f + pre_bias."""
    names = ("pre_bias", "encoder.weight", "latent_bias", "decoder.weight")
    statistics = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
    check_names(
        {**arrays, **settings}, names, "OpenAI's .pt file",
        (*statistics, "activation", "activation_state_dict"),
    )  # fmt: skip
    check_names(arrays, names, "OpenAI's .pt file", statistics)
    activation = settings.get("activation", "ReLU")
    if activation != "ReLU":
        hint = (
            "OpenAI's code divides the input of its TopK SAEs by its standard deviation, so x̂ is "
            "not piecewise affine in x"
        )
        raise InputError("activation", "'ReLU'", activation, hint=hint)
    arrays, turned = oriented(
        arrays,
        {
            "encoder.weight": ("latent_bias", "pre_bias"),
            "decoder.weight": ("pre_bias", "latent_bias"),
        },
    )
    pre_bias, encoder, latent_bias, decoder = (arrays[name] for name in names)
    sae = Sae.from_centred_encoder(encoder.T, latent_bias, decoder.T, pre_bias)
    notes = ("OpenAI, ReLU: the encoder subtracts pre_bias; folded in", *turned)
    return sae.with_origin(Origin("OpenAI", notes=notes))
