"""Bare safetensors, Gemma Scope's two releases, and what is no SAE of single samples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from solvers import InputError, load_checkpoint
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.checkpoints.load import FORMATS, find_checkpoints, load_checkpoints
from solvers.cli.main import main
from solvers.presentation.formats_page import formats_markdown

D, N = 3, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, D))
FOUR: dict[str, Any] = {
    "W_enc": RNG.normal(size=(D, N)),
    "b_enc": RNG.normal(size=N),
    "W_dec": RNG.normal(size=(N, D)),
    "b_dec": RNG.normal(size=D),
}
THRESHOLD = np.abs(RNG.normal(size=N))
P = X @ FOUR["W_enc"] + FOUR["b_enc"]
CENTRED = (X - FOUR["b_dec"]) @ FOUR["W_enc"] + FOUR["b_enc"]
LOWER = {name.lower(): array for name, array in FOUR.items()}
LINEAR = {
    "encoder.weight": FOUR["W_enc"].T.copy(),
    "encoder.bias": FOUR["b_enc"],
    "decoder.weight": FOUR["W_dec"].T.copy(),
}


def write(
    folder: Path, arrays: dict[str, Any], config: object = None, name: str = "model",
    beside: str = "config.json",
) -> Path:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_file(arrays, folder / f"{name}.safetensors")
    if config is not None:
        (folder / beside).write_text(json.dumps(config))
    return folder / f"{name}.safetensors"


def agrees(sae: Autoencoder, f: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(sae.activations(X), f, atol=1e-12)
    np.testing.assert_allclose(
        sae.reconstruction(X), f @ FOUR["W_dec"] + FOUR["b_dec"], atol=1e-12
    )


def top(k: int, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    kept = np.argsort(values, axis=1)[:, -k:]
    f = np.zeros_like(values)
    np.put_along_axis(f, kept, np.maximum(np.take_along_axis(values, kept, 1), 0), 1)
    return f


@pytest.mark.parametrize("config", [None, {"architecture": "jump_relu", "hf_hook_point_in": "a"}])
def test_gemma_scope_2_as_file_or_folder(tmp_path: Path, config: object) -> None:
    path = write(tmp_path / "layer_1", {**LOWER, "threshold": THRESHOLD}, config, "params")
    for where in (path, path.parent):
        sae = load_checkpoint(where)
        assert sae.origin.library == "Gemma Scope"
        agrees(sae, np.maximum(P, 0) * (P > THRESHOLD))
    assert find_checkpoints(tmp_path) == [path]


def test_gemma_scope_1_as_file_or_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = {name: np.ones((2, 2)) if name.startswith("W") else np.zeros(2) for name in FOUR}
    np.savez(tmp_path / "params.npz", threshold=np.ones(2), **flat)  # type: ignore[arg-type]
    shown = []
    for path in (tmp_path, tmp_path / "params.npz"):
        assert main(["loss", "independent", str(path), "--l1", "0.1"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


GEMMA = {"architecture": "jump_relu", "hf_hook_point_in": "a"}


@pytest.mark.parametrize(
    ("changes", "config", "message"),
    [
        ({}, {**GEMMA, "hf_hook_point_out": "b"}, "hf_hook_point_out: expected no other place"),
        ({}, {**GEMMA, "architecture": "crosscoder"}, "it reads the activations of several"),
        ({}, {**GEMMA, "architecture": "relu"}, "architecture: expected one of jump_relu"),
        ({}, {**GEMMA, "architecture": ["a"]}, "architecture: expected one of jump_relu"),
        (
            {"affine_skip_connection": np.eye(D)},
            GEMMA,
            "affine_skip_connection: expected only .*as a transcoder it maps one layer",
        ),
        ({"w_dec": np.ones((N, 2, D))}, GEMMA, "w_dec: expected a matrix; it reads the activ"),
        ({"threshold": THRESHOLD * np.nan}, GEMMA, "threshold: expected finite"),
        ({"more": np.ones(1)}, GEMMA, "more: expected only w_enc.*; this array is unknown"),
    ],
)
def test_what_gemma_scope_2_has_beside_saes(
    tmp_path: Path, changes: dict[str, Any], config: object, message: str
) -> None:
    arrays = {**LOWER, "threshold": THRESHOLD, **changes}
    with pytest.raises(InputError, match=message):
        load_checkpoint(write(tmp_path, arrays, config, "params"))


@pytest.mark.parametrize("beside", ["model.json", "model_cfg.json", "cfg.json", "config.json"])
def test_a_bare_file_is_read_by_the_rules_of_its_configuration(
    tmp_path: Path, beside: str
) -> None:
    config = {"d_in": D, "d_sae": N, "apply_b_dec_to_input": True, "l1_coefficient": 0.5}
    path = write(tmp_path, FOUR, config, beside=beside)
    for where in (path, tmp_path):
        sae = load_checkpoint(where)
        assert (sae.origin.library, sae.origin.l1) == ("SAELens", 0.5)
        agrees(sae, np.maximum(CENTRED, 0))


def test_a_bare_file_of_sparsify_and_of_dictionary_learning(tmp_path: Path) -> None:
    arrays = {"encoder.weight": LINEAR["encoder.weight"], "encoder.bias": FOUR["b_enc"],
              "W_dec": FOUR["W_dec"], "b_dec": FOUR["b_dec"]}  # fmt: skip
    sae = load_checkpoint(write(tmp_path / "a", arrays, {"k": 2}))
    assert sae.origin.library == "sparsify"
    agrees(sae, top(2, CENTRED))
    trainer = {"dict_class": "AutoEncoder", "trainer_class": "StandardTrainerAprilUpdate"}
    path = write(tmp_path / "b", {**LINEAR, "bias": FOUR["b_dec"]}, {"trainer": trainer})
    assert load_checkpoint(path).origin.convention == "april-update"
    agrees(load_checkpoint(path), np.maximum(CENTRED, 0))


def test_a_bare_file_without_a_configuration_says_what_is_assumed(tmp_path: Path) -> None:
    sae = load_checkpoint(write(tmp_path, FOUR))
    agrees(sae, np.maximum(P, 0))
    assert "assumed to read x itself" in sae.notes[-1]
    agrees(load_checkpoint(write(tmp_path, {**FOUR, "k": np.array(2)})), top(2, P))


def test_other_tensors_are_passed_over_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"sparsity": np.ones(3)}, name="sparsity")
    with pytest.raises(InputError, match="found none"):
        find_checkpoints(tmp_path)
    path = write(tmp_path / "sae", FOUR)
    (tmp_path / "broken.safetensors").write_bytes(b"cut")
    assert find_checkpoints(tmp_path) == [tmp_path / "broken.safetensors", path]
    with pytest.raises(InputError, match=r"W_enc: expected this array in a .safetensors file"):
        load_checkpoint(tmp_path / "sparsity.safetensors")


@pytest.mark.parametrize(
    "name",
    ["transcoder", "skip_transcoder", "jumprelu_transcoder", "temporal", "matching_pursuit"],
)
def test_saelens_architectures_that_are_no_function_of_one_sample(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"d_in": D, "d_sae": N, "apply_b_dec_to_input": False, "architecture": name}
    path = write(tmp_path, FOUR, config, "sae_weights", "cfg.json").parent
    with pytest.raises(
        InputError, match=rf"architecture: expected one of .*got '{name}'; (it|wh)"
    ):
        load_checkpoint(path)
    assert main(["check", "independent", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    config |= {"architecture": "standard", "d_out": D + 1}
    (path / "cfg.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="d_out: expected 3, as in the encoder's weights, got 4"):
        load_checkpoint(path)


def trainer(folder: Path, state: dict[str, Any], **settings: object) -> Path:
    folder.mkdir()
    torch.save({name: torch.tensor(value) for name, value in state.items()}, folder / "ae.pt")
    (folder / "config.json").write_text(json.dumps({"trainer": settings}))
    return folder


GATED = {
    "encoder.weight": LINEAR["encoder.weight"], "decoder.weight": LINEAR["decoder.weight"],
    "decoder_bias": FOUR["b_dec"], "r_mag": np.zeros(N), "gate_bias": FOUR["b_enc"],
    "mag_bias": FOUR["b_enc"],
}  # fmt: skip


@pytest.mark.parametrize("named", ["AutoEncoder", "MatroyshkaBatchTopKSAE", None])
def test_old_trainers_that_write_the_name_of_another_class(
    tmp_path: Path, named: str | None
) -> None:
    """The arrays decide: those of a Gated SAE whose two paths are one are ReLU's."""
    settings = {} if named is None else {"dict_class": named}
    sae = load_checkpoint(trainer(tmp_path / "a", GATED, **settings))
    assert sae.architecture == "Gated"
    agrees(sae, np.maximum(CENTRED, 0))
    wrong = "no dict_class" if named is None else f"dict_class '{named}'"
    assert f"config.json has {wrong}, but the arrays are those of GatedAutoEncoder" in sae.notes
    state = {**LINEAR, "decoder.bias": FOUR["b_dec"]}
    agrees(load_checkpoint(trainer(tmp_path / "b", state, **settings)), np.maximum(P, 0))


@pytest.mark.parametrize(
    ("state", "named", "message"),
    [
        ({**LINEAR, "b_dec": FOUR["b_dec"], "k": 2}, "BatchTopKSAE", "threshold: expected this"),
        ({**LINEAR, "b_dec": FOUR["b_dec"], "k": 2}, None, "dict_class: expected one of Auto"),
        ({**LINEAR, "b_dec": FOUR["b_dec"], "k": 2}, "AutoEncoder", "dict_class: expected one"),
        ({**LINEAR, "b_dec": FOUR["b_dec"], "k": 2, "threshold": 1.0}, "x", "dict_class: expect"),
        ({**LINEAR, "bias": FOUR["b_dec"]}, "CrossCoder", "it reads the activations of several"),
        ({**LINEAR, "other": FOUR["b_dec"]}, "AutoEncoder", "bias: expected this array"),
        ({"other": FOUR["b_dec"]}, "unknown", "expected this array"),
        ({**LINEAR, "bias": FOUR["b_dec"], "other": 1.0}, "x", "other: expected only"),
    ],
)
def test_arrays_that_do_not_decide(
    tmp_path: Path, state: dict[str, Any], named: str | None, message: str
) -> None:
    settings = {} if named is None else {"dict_class": named}
    with pytest.raises(InputError, match=message):
        load_checkpoint(trainer(tmp_path / "a", state, **settings))


def test_the_page_of_formats_is_made_of_the_readers_records() -> None:
    page = Path(__file__).parents[2] / "docs" / "formats.md"
    made = formats_markdown()
    assert page.read_text("utf-8") == made
    assert all(one.file in made for one in FORMATS)


def test_every_file_of_a_folder_that_is_read_names_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "sae", FOUR, {"d_in": D, "d_sae": N, "apply_b_dec_to_input": True},
                   "sae_weights", "cfg.json").parent  # fmt: skip
    (folder / "runner_cfg.json").write_text("{}")
    for path in folder.iterdir():
        assert load_checkpoints(path)[0].origin.library == "SAELens"
