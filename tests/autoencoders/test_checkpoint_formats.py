"""Files of the documented layouts, each against the forward pass that its library documents."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from solvers import InputError, load_checkpoint, load_checkpoints
from solvers.autoencoders.checkpoints.load import find_checkpoints

D, N = 3, 5
X = torch.randn(200, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
Forward = Callable[[dict[str, torch.Tensor]], tuple[torch.Tensor, torch.Tensor]]


def tensors(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(*shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def agrees(path: Path, activations: torch.Tensor, x_hat: torch.Tensor) -> None:
    sae = load_checkpoint(path)
    np.testing.assert_allclose(sae.activations(X.numpy()), activations.numpy(), atol=1e-12)
    np.testing.assert_allclose(sae.reconstruction(X.numpy()), x_hat.numpy(), atol=1e-12)


def write_trainer(folder: Path, name: str, state: dict[str, Any], **settings: Any) -> Path:
    """Write a dictionary_learning folder."""
    folder.mkdir()
    torch.save(state, folder / "ae.pt")
    config = {"trainer": {"dict_class": name, "activation_dim": D, "dict_size": N, **settings}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_dictionary_learning_april_update(tmp_path: Path) -> None:
    w = tensors(**{"encoder.weight": (N, D), "encoder.bias": (N,), "decoder.weight": (D, N),
                   "decoder.bias": (D,)})  # fmt: skip
    f = torch.relu(X @ w["encoder.weight"].T + w["encoder.bias"])
    path = write_trainer(tmp_path / "trainer_0", "AutoEncoderNew", w)
    agrees(path, f, f @ w["decoder.weight"].T + w["decoder.bias"])


def test_dictionary_learning_jumprelu(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,), threshold=(N,))
    w["threshold"] = w["threshold"].abs()
    p = X @ w["W_enc"] + w["b_enc"]
    f = torch.relu(p * (p > w["threshold"]))
    path = write_trainer(tmp_path / "trainer_0", "JumpReluAutoEncoder", w)
    agrees(path, f, f @ w["W_dec"] + w["b_dec"])


def test_dictionary_learning_gated(tmp_path: Path) -> None:
    w = tensors(**{"encoder.weight": (N, D), "decoder.weight": (D, N), "decoder_bias": (D,),
                   "r_mag": (N,), "gate_bias": (N,), "mag_bias": (N,)})  # fmt: skip
    encoded = (X - w["decoder_bias"]) @ w["encoder.weight"].T
    gate = (encoded + w["gate_bias"] > 0).double()
    f = gate * torch.relu(w["r_mag"].exp() * encoded + w["mag_bias"])
    settings = {"trainer_class": "GatedSAETrainer", "l1_penalty": 0.25}
    path = write_trainer(tmp_path / "trainer_0", "GatedAutoEncoder", w, **settings)
    agrees(path, f, f @ w["decoder.weight"].T + w["decoder_bias"])
    assert load_checkpoint(path).origin.l1 == 0.25


def topk_state() -> dict[str, torch.Tensor]:
    w = tensors(**{"encoder.weight": (N, D), "encoder.bias": (N,), "decoder.weight": (D, N),
                   "b_dec": (D,)})  # fmt: skip
    return {**w, "k": torch.tensor(2), "threshold": torch.tensor(0.75, dtype=torch.float64)}


def test_dictionary_learning_topk_and_batch_topk(tmp_path: Path) -> None:
    w = topk_state()
    post = torch.relu((X - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"])
    top = post.topk(2, dim=-1)
    f = torch.zeros_like(post).scatter_(-1, top.indices, top.values)
    path = write_trainer(tmp_path / "trainer_0", "AutoEncoderTopK", w)
    agrees(path, f, f @ w["decoder.weight"].T + w["b_dec"])
    f = post * (post > w["threshold"])
    path = write_trainer(tmp_path / "trainer_1", "BatchTopKSAE", w)
    agrees(path, f, f @ w["decoder.weight"].T + w["b_dec"])
    assert [path.name for path in find_checkpoints(tmp_path)] == ["trainer_0", "trainer_1"]


def test_batch_topk_without_its_threshold_is_no_function_of_one_sample(tmp_path: Path) -> None:
    state = {**topk_state(), "threshold": torch.tensor(-1.0)}
    path = write_trainer(tmp_path / "trainer_0", "BatchTopKSAE", state)
    with pytest.raises(InputError, match=r"threshold: expected a number ≥ 0, got -1"):
        load_checkpoint(path)
    state["k"] = torch.tensor([1, 2])
    path = write_trainer(tmp_path / "trainer_1", "AutoEncoderTopK", state)
    with pytest.raises(InputError, match=r"k: expected one number; its shape is \(2,\)"):
        load_checkpoint(path)


def write_saelens(folder: Path, arrays: dict[str, torch.Tensor], **config: Any) -> Path:
    folder.mkdir()
    save_file({name: array.numpy() for name, array in arrays.items()},
              folder / "sae_weights.safetensors")  # fmt: skip
    whole = {"d_in": D, "d_sae": N, "apply_b_dec_to_input": False, **config}
    (folder / "cfg.json").write_text(json.dumps(whole))
    return folder


@pytest.mark.parametrize("rescaled", [True, False])
def test_saelens_topk_ranks_by_decoder_norm_if_it_says_so(tmp_path: Path, rescaled: bool) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    p = X @ w["W_enc"] + w["b_enc"]
    norms = w["W_dec"].norm(dim=-1)
    ranked = p * norms if rescaled else p
    top = ranked.topk(2, dim=-1)
    f = torch.zeros_like(p).scatter_(-1, top.indices, top.values.relu())
    x_hat = (f / norms if rescaled else f) @ w["W_dec"] + w["b_dec"]
    path = write_saelens(
        tmp_path / "sae", w, architecture="topk", k=2, rescale_acts_by_decoder_norm=rescaled
    )
    agrees(path, f, x_hat)


def test_saelens_before_6_calls_topk_standard(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    path = write_saelens(
        tmp_path / "sae",
        w,
        architecture="standard",
        activation_fn_str="topk",
        activation_fn_kwargs={"k": 3},
    )
    sae = load_checkpoint(path)
    assert (sae.architecture, (sae.activations(X.numpy()) > 0).sum(axis=1).max()) == ("TopK", 3)


def test_saelens_jumprelu_of_older_training_files(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,), log_threshold=(N,))
    p = (X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    f = torch.relu(p) * (p > w["log_threshold"].exp())
    path = write_saelens(tmp_path / "sae", w, architecture="jumprelu", apply_b_dec_to_input=True)
    agrees(path, f, f @ w["W_dec"] + w["b_dec"])


def test_transposed_matrices_are_turned_and_said_so(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    f = torch.relu(X @ w["W_enc"] + w["b_enc"])
    turned = {**w, "W_enc": w["W_enc"].T.contiguous(), "W_dec": w["W_dec"].T.contiguous()}
    path = write_saelens(tmp_path / "sae", turned, architecture="standard")
    agrees(path, f, f @ w["W_dec"] + w["b_dec"])
    notes = " ".join(load_checkpoint(path).notes)
    assert "W_enc: found transposed, (5, 3) where (3, 5) is documented" in notes
    assert "W_dec: found transposed, (3, 5) where (5, 3) is documented" in notes


def test_square_matrices_are_read_as_documented_and_said_so(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, D), b_enc=(D,), W_dec=(D, D), b_dec=(D,))
    f = torch.relu(X @ w["W_enc"] + w["b_enc"])
    path = write_saelens(tmp_path / "sae", w, architecture="standard", d_sae=D)
    agrees(path, f, f @ w["W_dec"] + w["b_dec"])
    assert "W_enc: square, so both orientations fit" in " ".join(load_checkpoint(path).notes)


def test_gemma_scope(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,), threshold=(N,))
    w["threshold"] = w["threshold"].abs()
    p = X @ w["W_enc"] + w["b_enc"]
    f = (p > w["threshold"]) * torch.relu(p)
    np.savez(tmp_path / "params.npz", **{name: array.numpy() for name, array in w.items()})
    agrees(tmp_path / "params.npz", f, f @ w["W_dec"] + w["b_dec"])


def openai_state() -> dict[str, Any]:
    w = tensors(**{"pre_bias": (D,), "encoder.weight": (N, D), "latent_bias": (N,),
                   "decoder.weight": (D, N)})  # fmt: skip
    return {**w, "stats_last_nonzero": torch.zeros(N, dtype=torch.long), "activation": "ReLU",
            "activation_state_dict": {}}  # fmt: skip


def test_openai(tmp_path: Path) -> None:
    w, path = openai_state(), tmp_path / "sae.pt"
    torch.save(w, path)
    f = torch.relu((X - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"])
    agrees(path, f, f @ w["decoder.weight"].T + w["pre_bias"])


def test_openai_topk_divides_its_input_by_a_standard_deviation(tmp_path: Path) -> None:
    state = {**openai_state(), "activation": "TopK",
             "activation_state_dict": {"k": 2, "postact_fn": "ReLU"}}  # fmt: skip
    torch.save(state, tmp_path / "sae.pt")
    with pytest.raises(InputError, match="activation: expected 'ReLU', got 'TopK'; OpenAI's code"):
        load_checkpoint(tmp_path / "sae.pt")


def write_sparsify(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    w = tensors(**{"encoder.weight": (N, D), "encoder.bias": (N,), "W_dec": (N, D), "b_dec": (D,)})
    save_file({name: array.numpy() for name, array in w.items()}, folder / "sae.safetensors")
    whole = {"activation": "topk", "num_latents": N, "k": 2, "d_in": D, **config}
    (folder / "cfg.json").write_text(json.dumps(whole))
    return folder


def test_sparsify(tmp_path: Path) -> None:
    path = write_sparsify(tmp_path / "sae")
    w = tensors(**{"encoder.weight": (N, D), "encoder.bias": (N,), "W_dec": (N, D), "b_dec": (D,)})
    post = torch.relu((X - w["b_dec"]) @ w["encoder.weight"].T + w["encoder.bias"])
    top = post.topk(2, dim=-1)
    f = torch.zeros_like(post).scatter_(-1, top.indices, top.values)
    for name in (path, path / "cfg.json", path / "sae.safetensors"):
        agrees(name, f, f @ w["W_dec"] + w["b_dec"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"activation": "groupmax"}, "cfg.json: activation: expected 'topk', got 'groupmax'"),
        ({"skip_connection": True}, "cfg.json: skip_connection: expected False, got True"),
        ({"transcode": True}, "cfg.json: transcode: expected False"),
        ({"k": 9}, "cfg.json: k: expected a whole number from 1 to 5, got 9"),
        ({"num_latents": 4}, "cfg.json: num_latents: expected 5, as in the encoder's weights"),
    ],
)
def test_sparsify_settings_that_make_another_function(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_checkpoint(write_sparsify(tmp_path / "sae", **config))


def test_a_configuration_beside_another_librarys_weights(tmp_path: Path) -> None:
    """SAELens' cfg.json beside sparsify's weights, and the other way round."""
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    saelens = write_saelens(tmp_path / "one", w, architecture="standard")
    sparsify = write_sparsify(tmp_path / "two")
    first, second = saelens / "cfg.json", sparsify / "cfg.json"
    texts = first.read_text(), second.read_text()
    first.write_text(texts[1])
    second.write_text(texts[0])
    with pytest.raises(InputError, match=r"cfg.json: expected a SAELens configuration with d_in"):
        load_checkpoint(saelens)
    with pytest.raises(InputError, match=r"cfg.json: k: expected a whole number from 1 to 5"):
        load_checkpoint(sparsify)


def test_what_lies_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a checkpoint in this folder \(ae.pt, "):
        find_checkpoints(tmp_path)
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    saelens = write_saelens(tmp_path / "b", w, architecture="standard")
    write_saelens(saelens / "training", w, architecture="standard")
    (tmp_path / "a").mkdir()
    torch.save({"W": torch.ones(4, 2), "b": torch.ones(4)}, tmp_path / "a" / "toy_model.pt")
    torch.save({name: torch.stack([array, array]) for name, array in w.items()},
               tmp_path / "a" / "weights.pt")  # fmt: skip
    (tmp_path / "notes.txt").write_text("nothing")
    found = find_checkpoints(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/weights.pt", "b"]
    assert len(load_checkpoints(found[0])) == 2
    assert find_checkpoints(found[0]) == [found[0]]


def test_which_trainer_trained_it_decides_the_convention(tmp_path: Path) -> None:
    w = tensors(**{"encoder.weight": (N, D), "encoder.bias": (N,), "decoder.weight": (D, N),
                   "bias": (D,)})  # fmt: skip
    for number, (trainer, convention) in enumerate(
        (
            ("StandardTrainer", "dictionary-learning"),
            ("StandardTrainerAprilUpdate", "april-update"),
            ("SomethingNewTrainer", ""),
        )
    ):
        settings = {"trainer_class": trainer, "l1_penalty": 0.1}
        path = write_trainer(tmp_path / f"trainer_{number}", "AutoEncoder", w, **settings)
        origin = load_checkpoint(path).origin
        assert (origin.convention, origin.l1) == (convention, 0.1 if convention else None)


def test_saelens_penalties_that_are_not_its_present_one_are_not_assumed(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    for number, setting in enumerate(
        ({"scale_sparsity_penalty_by_decoder_norm": False}, {"lp_norm": 0.5})
    ):
        path = write_saelens(tmp_path / str(number), w, l1_coefficient=0.1, **setting)
        origin = load_checkpoint(path).origin
        assert (origin.convention, origin.loss, origin.l1) == ("", "", None)
        assert "give the objective's settings" in " ".join(origin.notes)


def test_sparsify_widths_by_expansion_factor(tmp_path: Path) -> None:
    assert load_checkpoint(write_sparsify(tmp_path / "a", num_latents=0)).d_sae == N
    with pytest.raises(InputError, match=r"num_latents: expected 5, as in the .* got 6"):
        load_checkpoint(write_sparsify(tmp_path / "b", num_latents=0, expansion_factor=2))


def corrupted(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(bytes(content))


def test_flipped_bytes_never_give_a_traceback(tmp_path: Path) -> None:
    """Every byte of small files, one after the other."""
    rng = np.random.default_rng(0)
    arrays = {"W_enc": np.ones((2, 3)), "b_enc": np.ones(3), "W_dec": np.ones((3, 2)),
              "b_dec": np.zeros(2)}  # fmt: skip
    originals = tmp_path / "a.npz", tmp_path / "b.pt", tmp_path / "c.safetensors"
    save_file(arrays, originals[2])
    np.savez_compressed(originals[0], **arrays)
    torch.save({name: torch.tensor(array) for name, array in arrays.items()}, originals[1])
    for original in originals:
        content = original.read_bytes()
        for position in rng.choice(len(content), size=min(len(content), 250), replace=False):
            path = tmp_path / f"flipped{original.suffix}"
            path.write_bytes(content)
            corrupted(path, int(position))
            with suppress(InputError):
                load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_fn_kwargs": [1], "architecture": "topk"}, "expected a JSON object, got"),
        ({"metadata": "x"}, "cfg.json: metadata: expected a JSON object"),
        ({"metadata": {"training_architecture_details": 3}}, "training_architecture_details: exp"),
        (
            {"architecture": "topk", "k": 1, "rescale_acts_by_decoder_norm": "false"},
            "true or false",
        ),
        ({"d_in": [1]}, r"d_in: expected 3, as in the encoder's weights, got \[1\]"),
    ],
)
def test_saelens_settings_of_wrong_types(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    with pytest.raises(InputError, match=message):
        load_checkpoint(write_saelens(tmp_path / "sae", w, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": torch.tensor(2.7)}, "k: expected a whole number, got 2.7"),
        ({"k": torch.tensor(np.nan)}, "k: expected finite numbers, got nan"),
        ({"k": "2"}, "k: expected this array in dictionary_learning's"),
        ({"encoder.weight": "abc"}, "encoder.weight: expected this array in dictionary_learning"),
        ({"threshold": torch.tensor(1j)}, "threshold: expected an array of real numbers"),
    ],
)
def test_dictionary_learning_values_of_wrong_kinds(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    name = "BatchTopKSAE" if "threshold" in changes else "AutoEncoderTopK"
    path = write_trainer(tmp_path / "trainer_0", name, {**topk_state(), **changes})
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)


def test_r_mag_must_be_a_vector_of_the_latents(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_gate=(N,), b_mag=(N,), W_dec=(N, D), b_dec=(D,))
    for shape in ((D, 1), (1,), (N + 1,)):
        path = write_saelens(
            tmp_path / str(shape), {**w, "r_mag": torch.zeros(shape)}, architecture="gated"
        )
        with pytest.raises(InputError, match=r"r_mag: expected shape \(5,\), as b_gate has"):
            load_checkpoint(path)
    big = {**w, "r_mag": torch.full((N,), 1000.0, dtype=torch.float64)}
    with pytest.raises(InputError, match="W_enc: expected finite numbers, got"):
        load_checkpoint(write_saelens(tmp_path / "big", big, architecture="gated"))


def test_a_number_beyond_any_exponent_in_a_configuration(tmp_path: Path) -> None:
    w = tensors(W_enc=(D, N), b_enc=(N,), W_dec=(N, D), b_dec=(D,))
    path = write_saelens(tmp_path / "sae", w)
    (path / "cfg.json").write_text('{"d_in": 1e999999999999999999999}')
    with pytest.raises(InputError, match="expected JSON; this is something else"):
        load_checkpoint(path)
