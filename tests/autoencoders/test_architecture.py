"""The architecture that is asked for, and the files that SAEs of all of them are saved to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Sae, load_checkpoint
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder
from tests.autoencoders.checkpoint_cases import good


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("tpok", 1), r"architecture: expected one of relu, .* \(did you mean 'topk'\?\)"),
        ((None,), "architecture: expected one of relu"),
        (("topk",), "k: expected a whole number ≥ 1 for the architecture 'topk'"),
        (("topk", 1.0), "k: expected a whole number ≥ 1, got 1.0"),
        (("topk", 0), "k: expected a whole number ≥ 1, got 0"),
        (("topk", True), "k: expected a whole number ≥ 1, got True"),
        (("batchtopk",), "k: expected a number > 0 for the architecture 'batchtopk'"),
        (("batchtopk", 0), "k: expected a finite number > 0, got 0"),
        (("batchtopk", float("nan")), "k: expected a finite number > 0, got nan"),
        (("relu", 1), "k: expected none for the architecture 'relu', got 1"),
        (("jumprelu", 1), "k: expected none for the architecture 'jumprelu', got 1"),
        (("gated", 1), "k: expected none for the architecture 'gated', got 1"),
    ],
)
def test_it_refuses(fields: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Architecture(*fields)


def test_numbers_of_numpy_are_taken() -> None:
    assert Architecture("topk", np.int64(2)) == Architecture("topk", 2)
    assert Architecture("batchtopk", np.float32(1.5)).k == 1.5


def test_more_than_all_latents_cannot_fire() -> None:
    Architecture("topk", 3).check_width(3)
    Architecture().check_width(1)
    with pytest.raises(
        InputError, match=r"k: expected at most 3, the number of latents, got 3\.5"
    ):
        Architecture("batchtopk", 3.5).check_width(3)


def random_saes() -> list[Autoencoder]:
    rng = np.random.default_rng(3)
    base = Sae(rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=(3, 2)), [0.25, -1])
    return [
        base,
        JumpReluSae(base, rng.random(3)),
        TopKSae(base, 2),
        GatedSae(base, rng.normal(size=(2, 3)), rng.normal(size=3)),
    ]


@pytest.mark.parametrize("sae", random_saes(), ids=lambda sae: sae.architecture)
def test_a_saved_sae_is_read_back(sae: Autoencoder, tmp_path: Path) -> None:
    path = tmp_path / "sae.npz"
    sae.save(path)
    loaded = load_checkpoint(path)
    assert type(loaded) is type(sae)
    assert loaded.arrays.keys() == sae.arrays.keys()
    for name, array in sae.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
    x = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_array_equal(loaded.reconstruction(x), sae.reconstruction(x))
    assert [file.name for file in tmp_path.iterdir()] == ["sae.npz"]


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"k": np.array(0)}, "k: expected a whole number from 1 to 3, got 0"),
        ({"k": np.array(4)}, "k: expected a whole number from 1 to 3, got 4"),
        ({"k": np.array(1.5)}, "k: expected a whole number from 1 to 3, got 1.5"),
        ({"k": np.array([1, 2])}, "k: expected a whole number from 1 to 3"),
        ({"k": np.array(True)}, "k: expected a whole number from 1 to 3, got True"),
        ({"k": np.array("1")}, "k: expected a whole number from 1 to 3, got 1"),
        ({"k": np.array(1), "W_gate": np.zeros((2, 3))}, "W_gate: expected only W_enc.*, k"),
        ({"k": np.array(1), "threshold": np.zeros(3)}, "k: expected only W_enc.*, threshold"),
        ({"W_gate": np.zeros((2, 3))}, "b_gate: expected this array in an .npz file of a Gated"),
        ({"W_gate": np.zeros((3, 2)), "b_gate": np.zeros(3)}, "W_enc|b_enc"),
    ],
)
def test_files_with_wrong_additions(tmp_path: Path, added: dict[str, Any], message: str) -> None:
    path = tmp_path / "sae.npz"
    np.savez(path, **{**good(), **added})
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_prefix_leaves_the_other_latents_out() -> None:
    sae = random_saes()[2]
    x = np.random.default_rng(1).normal(size=(20, 2))
    f = sae.activations(x)
    expected = f[:, :2] @ sae.W_dec[:2] + sae.b_dec
    np.testing.assert_allclose(sae.of_prefix(2).reconstruction(x), expected, rtol=1e-14)
    np.testing.assert_array_equal(sae.of_prefix(3).W_dec, sae.W_dec)
