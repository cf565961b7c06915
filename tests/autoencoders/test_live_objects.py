"""Live objects as SAEs: against the files that they are saved to, and their own forward pass."""

import json
import math
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from solvers import InputError, Objective, Sae, expected_loss, load_checkpoint
from solvers.autoencoders.architectures import TopKSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.checkpoints.live import as_sae
from solvers.autoencoders.frames import frame_sae
from solvers.losses.expected_loss import expected_loss_and_gradient
from solvers.losses.loss_callback import exact_loss_callback
from solvers.studies.cross_check import cross_check, objective_for
from tests.autoencoders.live_modules import (
    BatchTopK,
    Counting,
    Gated,
    JumpRelu,
    Linear,
    Plain,
    TopK,
    WithoutBias,
)
from theory import load_law

DATA = Path(__file__).parents[1] / "data" / "architectures"
SAELENS = sorted(path.parent for path in (DATA / "saelens").rglob("cfg.json"))
DICTIONARIES = sorted(path.parent for path in (DATA / "dictionary_learning").rglob("ae.pt"))
LAW = load_law("shared")


def same(found: Autoencoder, expected: Autoencoder) -> None:
    """Assert that two SAEs are the same: class, arrays and what is known of the training."""
    assert type(found) is type(expected)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    assert found.origin == expected.origin


class OfState(nn.Module):
    """A module with the state dict that it is given, and attributes of a library's object."""

    def __init__(self, state: dict[str, Tensor], **attributes: object) -> None:
        super().__init__()
        self.held = state
        for name, value in attributes.items():
            setattr(self, name, value)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        return OrderedDict(self.held)


def of_library(module: str, name: str) -> type[OfState]:
    """Return a class that looks like one of a library which need not be installed."""
    return type(name, (OfState,), {"__module__": module})


@pytest.mark.parametrize("folder", SAELENS, ids=lambda path: "-".join(path.parts[-2:]))
def test_what_looks_like_an_object_of_saelens_is_read_as_its_file(folder: Path) -> None:
    config = json.loads((folder / "cfg.json").read_text())
    kind = of_library("sae_lens.saes.sae", "SAE")
    model = kind(load_file(folder / "sae_weights.safetensors"),
                 cfg=SimpleNamespace(to_dict=lambda: config))  # fmt: skip
    same(as_sae(model), load_checkpoint(folder))


@pytest.mark.parametrize("folder", SAELENS, ids=lambda path: "-".join(path.parts[-2:]))
def test_an_object_of_saelens_is_read_as_its_file(folder: Path) -> None:
    sae_lens = pytest.importorskip("sae_lens")
    kind = sae_lens.TrainingSAE if folder.name == "training" else sae_lens.SAE
    model = kind.load_from_disk(folder)
    found = as_sae(model)
    expected = load_checkpoint(folder)
    assert type(found) is type(expected)
    for name, array in expected.arrays.items():
        # SAELens brings the threshold of BatchTopK, stored in doubles, to float32.
        np.testing.assert_allclose(found.arrays[name], array, rtol=1e-7, err_msg=name)
    assert (found.origin.l1, found.origin.l0) == (expected.origin.l1, expected.origin.l0)


def test_the_trainer_of_saelens_logs_the_exact_loss() -> None:
    pytest.importorskip("sae_lens")
    from sae_lens import (  # noqa: PLC0415
        LoggingConfig,
        StandardTrainingSAE,
        StandardTrainingSAEConfig,
    )
    from sae_lens.config import SAETrainerConfig  # noqa: PLC0415
    from sae_lens.training import sae_trainer  # noqa: PLC0415

    logged: list[tuple[int, dict[str, Any]]] = []
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(sae_trainer.wandb, "log", lambda m, step: logged.append((step, m)))
    monkeypatch.setattr(sae_trainer.wandb, "Histogram", lambda values: None)
    torch.manual_seed(0)
    sae = StandardTrainingSAE(StandardTrainingSAEConfig(d_in=2, d_sae=4, l1_coefficient=0.1))
    logger = LoggingConfig(log_to_wandb=True, wandb_log_frequency=5, eval_every_n_wandb_logs=2)
    cfg = SAETrainerConfig(
        total_training_samples=64 * 20, train_batch_size_samples=64, logger=logger, device="cpu",
        autocast=False, lr=1e-2, lr_end=1e-2, lr_scheduler_name="constant", lr_warm_up_steps=0,
        lr_decay_steps=0, n_restart_cycles=1, adam_beta1=0.9, adam_beta2=0.999,
        dead_feature_window=100, feature_sampling_window=100, n_checkpoints=0,
        checkpoint_path=None, save_final_checkpoint=False,
    )  # fmt: skip
    exact = exact_loss_callback(LAW, objective_for(sae), every=1)
    trainer: Any = sae_trainer.SAETrainer(
        cfg,
        sae,
        iter(lambda: torch.randn(64, 2), None),
        evaluator=lambda sae, data, scaler: exact(trainer.n_training_steps, sae),
    )
    trainer.fit()
    monkeypatch.undo()
    values = [(step, metrics["exact_loss"]) for step, metrics in logged if "exact_loss" in metrics]
    assert [step for step, _ in values] == [9, 19]
    assert values == [(step, loss.total) for step, loss in exact.losses]
    assert values[-1][1] == expected_loss(LAW, sae, objective_for(sae)).total


@pytest.mark.parametrize("folder", DICTIONARIES, ids=lambda path: path.parts[-2])
def test_a_dictionary_is_read_as_its_file(folder: Path) -> None:
    trainer = json.loads((folder / "config.json").read_text())["trainer"]
    state = torch.load(folder / "ae.pt", weights_only=True)
    kind = of_library("dictionary_learning.dictionary", trainer["dict_class"])
    groups = {"group_sizes": state["group_sizes"], "active_groups": len(state["group_sizes"])} if (
        "group_sizes" in state
    ) else {}  # fmt: skip
    found, expected = as_sae(kind(state, **groups)), load_checkpoint(folder)
    assert type(found) is type(expected)
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    # What the trainer did, the dictionary does not know.
    assert found.origin.library == "dictionary_learning"
    assert found.origin.batch_k == expected.origin.batch_k


def test_a_jumprelu_dictionary_may_subtract_b_dec() -> None:
    state = {"W_enc": torch.ones(1, 1), "b_enc": torch.zeros(1), "W_dec": torch.ones(1, 1),
             "b_dec": torch.full((1,), 2.0), "threshold": torch.zeros(1)}  # fmt: skip
    kind = of_library("dictionary_learning.dictionary", "JumpReluAutoEncoder")
    assert as_sae(kind(state, apply_b_dec_to_input=False)).b_enc.tolist() == [0.0]
    assert as_sae(kind(state, apply_b_dec_to_input=True)).b_enc.tolist() == [-2.0]


KINDS = [Plain, Counting, JumpRelu, TopK, BatchTopK, Gated, Linear, WithoutBias]
PRECISION = {torch.float32: 1e-6, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", PRECISION, ids=str)
@pytest.mark.parametrize("subtracts", [0.0, 1.0], ids=["x", "x-b_dec"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_module_is_the_sae_of_its_own_forward_pass(
    kind: type[Plain], subtracts: float, dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    module = kind(dtype, subtracts)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = as_sae(module)
    assert module.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was changed"
    x = torch.randn(2_000, 3, dtype=dtype)
    with torch.no_grad():
        returned = module(x)
    theirs = returned if isinstance(returned, Tensor) else next(
        value for value in (returned.values() if isinstance(returned, dict) else returned)
        if value.shape == x.shape
    )  # fmt: skip
    ours = found.reconstruction(x.double().numpy())
    scale = max(1.0, float(theirs.abs().max()))
    off = np.abs(ours - theirs.double().numpy()).max(axis=1) / scale
    # Next to a jump, rounding decides who fires.
    assert np.quantile(off, 0.999) <= PRECISION[dtype]
    assert found.notes[0].endswith(", as in its forward pass")


def test_later_training_does_not_change_what_was_read() -> None:
    module = Plain(torch.float64)
    found = as_sae(module)
    W_enc = found.W_enc.copy()
    with torch.no_grad():
        module.W_enc.mul_(2.0)
    np.testing.assert_array_equal(found.W_enc, W_enc)
    np.testing.assert_array_equal(as_sae(module).W_enc, 2 * W_enc)


def test_bfloat16_is_read_exactly_and_recognised() -> None:
    torch.manual_seed(0)
    module = Plain(torch.bfloat16, 1.0)
    found = as_sae(module)
    np.testing.assert_array_equal(found.W_dec, module.W_dec.detach().double().numpy())
    assert "subtracts b_dec" in found.notes[0]


def arrays() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(3)
    return {
        "W_enc": rng.normal(size=(2, 3)),
        "b_enc": rng.normal(size=3),
        "W_dec": rng.normal(size=(3, 2)),
        "b_dec": rng.normal(size=2),
    }


MORE: list[dict[str, Any]] = [
    {},
    {"threshold": np.array([0.1, 0.2, 0.3])},
    {"k": np.array(2)},
    {"W_gate": np.ones((2, 3)), "b_gate": np.zeros(3)},
]


@pytest.mark.parametrize("more", MORE, ids=lambda more: "-".join(more) or "relu")
def test_a_mapping_is_read_as_its_npz_file(more: dict[str, Any], tmp_path: Path) -> None:
    given = {**arrays(), **more}
    np.savez(tmp_path / "weights.npz", **given)
    expected = load_checkpoint(tmp_path / "weights.npz")
    tensors = {name: torch.tensor(value) for name, value in given.items()}
    lists = {name: value.tolist() for name, value in given.items()}
    with np.load(tmp_path / "weights.npz") as archive:
        for one in (given, tensors, lists, archive):
            found = as_sae(one)
            assert type(found) is type(expected)
            for name, array in expected.arrays.items():
                np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    assert found.notes == ("the encoder reads x itself, as is usual with such names",)


def test_the_names_say_what_is_usual_and_an_argument_decides() -> None:
    given = arrays()
    linear = {"encoder.weight": given["W_enc"].T, "encoder.bias": given["b_enc"],
              "decoder.weight": given["W_dec"].T}  # fmt: skip
    plain, centred = Sae(**given), Sae.from_centred_encoder(**given)
    for name, expected in (("decoder.bias", plain), ("bias", centred), ("b_dec", centred)):
        found = as_sae({**linear, name: given["b_dec"]})
        np.testing.assert_array_equal(found.b_enc, expected.b_enc)
        np.testing.assert_array_equal(found.W_enc, expected.W_enc)
    assert as_sae(given, encoder_reads="x").notes == ("the encoder reads x itself",)
    np.testing.assert_array_equal(as_sae(given, encoder_reads="x-b_dec").b_enc, centred.b_enc)
    gated = {**given, "W_gate": np.ones((2, 3)), "b_gate": np.zeros(3)}
    both: Any = as_sae(gated, encoder_reads="x-b_dec")
    np.testing.assert_array_equal(both.b_gate, -given["b_dec"] @ np.ones((2, 3)))


def test_an_sae_of_this_package_is_returned_as_it_is() -> None:
    for sae in (frame_sae(0.3), TopKSae(frame_sae(0.3), 2)):
        assert as_sae(sae) is sae


class NoSae(Plain):
    def forward(self, x: Tensor) -> Any:
        return x.tanh()


class Wants(Plain):
    def forward(self, x: Tensor, more: Tensor) -> Any:  # type: ignore[override]
        raise AssertionError


def without(name: str) -> dict[str, NDArray[Any]]:
    return {key: value for key, value in arrays().items() if key != name}


SAELENS_KIND = of_library("sae_lens.saes.sae", "SAE")
CFG = {"d_in": 2, "d_sae": 3, "apply_b_dec_to_input": True, "normalize_activations": "none"}


def saelens_with(**settings: object) -> Any:
    config = {**CFG, **settings}
    held = {name: torch.tensor(value) for name, value in arrays().items()}
    return SAELENS_KIND(held, cfg=SimpleNamespace(to_dict=lambda: config))


def dictionary(name: str, **attributes: object) -> Any:
    return of_library("dictionary_learning.dictionary", name)({}, **attributes)


BAD: list[tuple[Any, str]] = [
    *((nonsense, r"model: expected an SAE: an Autoencoder of this package, an SAE of SAELens")
      for nonsense in (None, 3, "sae.npz", b"", object(), [1, 2], np.ones(3), {}, nn.Module, Sae)),
    (without("W_dec"), r"W_dec: expected an array W_dec or decoder.weight; the names are W_enc, "),
    (without("b_dec"), r"b_dec: expected an array b_dec or decoder.bias"),
    ({**arrays(), "more": np.ones(1)}, r"more: expected only arrays of an SAE"),
    ({**arrays(), "bias": np.ones(2)}, r"bias: expected no such array beside b_dec"),
    ({**arrays(), "k": 2, "threshold": 0.1}, r"threshold: expected no such array beside k"),
    ({**arrays(), "k": 1.5}, r"k: expected a whole number, got 1.5"),
    ({**arrays(), "k": 4}, r"k: expected a whole number from 1 to 3, got 4"),
    ({**arrays(), "threshold": -1.0}, r"threshold: expected a number ≥ 0, got -1"),
    ({**arrays(), "W_gate": np.ones((2, 3))}, r"W_gate: expected threshold, k, or W_gate"),
    ({**arrays(), "b_dec": [0.0, math.nan]}, r"b_dec: expected finite numbers, got nan"),
    ({**arrays(), "b_enc": np.ones(4)}, r"b_enc: expected shape \(3,\)"),
    ({**arrays(), "W_enc": "x"}, r"W_enc: expected an array of real numbers"),
    ({**arrays(), "W_enc": np.ones((4, 2, 3))}, r"W_enc: expected shape \(d_in, d_sae\)"),
    ({3: np.ones(2)}, r"W_enc: expected an array W_enc or encoder.weight; the names are 3"),
    (nn.Linear(2, 2), r"Linear: W_enc: expected an array W_enc or encoder.weight"),
    (nn.Module(), r"Module: W_enc: expected .* the names are nothing"),
    (NoSae(torch.float64), r"NoSae: forward: expected that of an SAE with a one-layer encoder; "),
    (saelens_with(architecture="temporal"), r"SAE: cfg: architecture: expected one of standard"),
    (saelens_with(normalize_activations="layer_norm"), r"SAE: cfg: normalize_activations: exp"),
    (saelens_with(d_sae=4), r"SAE: cfg: d_sae: expected 3, as in the encoder's weights, got 4"),
    (saelens_with(architecture="topk", k=9), r"SAE: cfg: k: expected a whole number from 1 to 3"),
    (SAELENS_KIND({}), r"SAE: cfg: expected a configuration of SAELens"),
    (dictionary("IdentityDict"), r"IdentityDict: dict_class: expected one of AutoEncoder, "),
    (dictionary("AutoEncoder"), r"AutoEncoder: encoder.weight: expected this array in"),
    (dictionary("MatryoshkaBatchTopKSAE", group_sizes=[1, 2], active_groups=1),
     r"MatryoshkaBatchTopKSAE: active_groups: expected 2, all groups, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "message"), BAD, ids=range(len(BAD)))
def test_nonsense_is_refused_in_one_line(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        as_sae(model)
    text = str(raised.value)
    assert "\n" not in text
    assert len(text) < 400
    for use in (
        lambda: expected_loss(LAW, model, Objective(0.1)),
        lambda: expected_loss_and_gradient(LAW, model, Objective(0.1)),
        lambda: cross_check(LAW, model, Objective(0.1)),
        lambda: exact_loss_callback(LAW, Objective(0.1))(0, model),
    ):
        with pytest.raises(InputError, match=message.removeprefix("model: ")):
            use()


def test_a_forward_pass_that_cannot_be_asked_is_said_to_be_assumed() -> None:
    module = Wants(torch.float64)
    says = "as is usual with such names; its forward pass could not be asked"
    assert as_sae(module).notes == (f"the encoder reads x itself, {says}",)
    centred = as_sae(module, encoder_reads="x-b_dec")
    assert centred.notes == ("the encoder subtracts b_dec; folded into b_enc",)
    module.register_buffer("more", torch.ones(1))
    with pytest.raises(InputError, match="more: expected only arrays of an SAE"):
        as_sae(module)


def test_what_an_encoder_reads_is_not_for_an_argument_where_it_is_known() -> None:
    for model in (frame_sae(0.0), saelens_with()):
        with pytest.raises(InputError, match="encoder_reads: expected None"):
            as_sae(model, encoder_reads="x")
    with pytest.raises(InputError, match="encoder_reads: expected one of x, x-b_dec"):
        as_sae(arrays(), encoder_reads="y")
    contradicted = Plain(torch.float64, subtracts=1.0)
    with pytest.raises(InputError, match="forward: expected that of an SAE with an encoder"):
        as_sae(contradicted, encoder_reads="x")


def test_losses_and_checks_take_live_objects() -> None:
    sae = frame_sae(0.0, 0.05)
    given = dict(sae.arrays)
    objective = Objective(0.1)
    assert expected_loss(LAW, given, objective) == expected_loss(LAW, sae, objective)
    gradient = expected_loss_and_gradient(LAW, given, objective).gradient
    for ours, theirs in zip(
        gradient, expected_loss_and_gradient(LAW, sae, objective).gradient, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    check = cross_check(LAW, given, objective)
    assert check.verdict == "training"
    folder = DATA / "saelens/standard/inference"
    config = json.loads((folder / "cfg.json").read_text())
    model = SAELENS_KIND(load_file(folder / "sae_weights.safetensors"),
                         cfg=SimpleNamespace(to_dict=lambda: config))  # fmt: skip
    assert objective_for(model) == objective_for(load_checkpoint(folder))


def test_the_callback_evaluates_at_multiples_and_logs() -> None:
    torch.manual_seed(0)
    module = nn.ParameterDict({name: torch.tensor(value) for name, value in arrays().items()})
    logged: list[tuple[dict[str, float], int]] = []
    objective = Objective(0.1)
    exact = exact_loss_callback(
        LAW, objective, every=3, log=lambda metrics, step: logged.append((metrics, step))
    )
    expected = []
    for step in range(7):
        with torch.no_grad():
            module["W_enc"] *= 0.9
        returned = exact(step, module.state_dict())
        if step % 3:
            assert returned == {}
        else:
            weights = {name: value.detach().numpy() for name, value in module.items()}
            expected.append((step, expected_loss(LAW, Sae(**weights), objective)))
            assert returned == {"exact_loss": expected[-1][1].total}
    assert exact.losses == expected
    assert logged == [({"exact_loss": loss.total}, step) for step, loss in expected]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"every": 0}, "every: expected a whole number"), ({"log": 3}, "log: expected a function")],
)
def test_the_callback_refuses_nonsense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        exact_loss_callback(LAW, Objective(0.1), **settings)
    with pytest.raises(InputError, match="step: expected a whole number"):
        exact_loss_callback(LAW, Objective(0.1))("1", frame_sae(0.0))  # type: ignore[arg-type]


CODE = """
import sys
import numpy as np
from solvers import Objective, expected_loss
from solvers.autoencoders.checkpoints.live import as_sae
from theory import load_law
arrays = dict(W_enc=np.ones((2, 1)), b_enc=[0], W_dec=np.ones((1, 2)), b_dec=[0, 0])
class Model:
    def state_dict(self):
        return arrays
for model in (arrays, Model()):
    expected_loss(load_law("shared"), as_sae(model), Objective(0.1))
    expected_loss(load_law("shared"), model, Objective(0.1))
assert not {"torch", "sae_lens", "dictionary_learning", "safetensors"} & sys.modules.keys()
"""


def test_nothing_of_torch_is_imported_without_an_object_of_it() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
