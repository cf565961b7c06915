"""Readers: SAEs trained by a real library against sampled values, and hostile files."""

import json
import pickle
import shutil
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from solvers import InputError, Objective, Sae, expected_loss, load_checkpoint, load_checkpoints
from solvers.autoencoders.objective import CONVENTIONS
from solvers.losses.expected_loss import ExpectedLoss
from solvers.losses.training_loss import training_loss
from theory import law_from_dict

TRAINED = Path(__file__).parents[1] / "data" / "trained"
MANIFEST = json.loads((TRAINED / "manifest.json").read_text())
STANDARD = [entry for entry in MANIFEST if entry["name"].startswith("saelens_standard")]
ONE = TRAINED / STANDARD[0]["path"]


RELU = [entry for entry in MANIFEST if entry["architecture"] == "relu"]


def test_the_manifest_holds_the_checkpoints_of_four_libraries() -> None:
    libraries = Counter(entry["path"].split("/")[0] for entry in MANIFEST)
    assert libraries == {
        "saelens": 10,
        "dictionary_learning": 2,
        "sparsify": 1,
        "anders2024": 15,
    }
    assert len(RELU) == 24


OTHERS = [entry for entry in MANIFEST if entry not in RELU]


@pytest.mark.parametrize("form", ["", "training"])
@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry["name"])
def test_other_architectures_lie_within_four_standard_errors_too(
    entry: dict[str, Any], form: str
) -> None:
    if form and not (TRAINED / entry["path"] / form).exists():
        form = ""
    law = law_from_dict(entry["law"])
    sae = load_checkpoint(TRAINED / entry["path"] / form)
    assert sae.architecture.lower() == entry["architecture"].split("(")[0].split()[0]
    loss = expected_loss(law, sae, Objective(l1=1.0, sparsity="decoder-norm"))
    exact = {**figures(loss)}
    trained = training_loss(law, sae)
    assert trained is not None
    exact["total"] = trained.total
    if "aux" in entry["sampled"]:
        exact["aux"] = trained.terms["gate reconstruction"]
        exact["gate_l1"] = trained.terms["gate sparsity"] / entry["l1"]
    if sae.architecture == "TopK":
        # Read with unit atoms, as the library ranks them: activations are weighted already.
        assert exact["l1_weighted"] == pytest.approx(exact["l1"], rel=1e-6)
    off = deviations(exact, entry)
    assert off.keys() == entry["sampled"].keys() - zero_error(entry)
    assert max(abs(deviation) for deviation in off.values()) <= 4, off
    for name in zero_error(entry):
        assert exact[name] == pytest.approx(entry["sampled"][name]["mean"], abs=1e-5)


def zero_error(entry: dict[str, Any]) -> set[str]:
    """Name the figures that were the same in every sample."""
    return {name for name, s in entry["sampled"].items() if s["standard_error"] == 0}


def convention_of(entry: dict[str, Any]) -> str:
    """Name the convention that the checkpoint's own library trained it in."""
    library = entry["path"].split("/")[0]
    relative = entry["training_loss"]["normalise_per_sample"]
    return {
        "saelens": "saelens-standard",
        "dictionary_learning": "dictionary-learning",
        "anders2024": "anders2024" if relative else "anders2024-raw",
    }[library]


def figures(loss: ExpectedLoss) -> dict[str, float]:
    """Name the parts of a loss as the manifest does."""
    return {
        "mse": loss.reconstruction,
        "l1": loss.l1,
        "l0": loss.l0,
        "total": loss.total,
        "l1_weighted": loss.sparsity / loss.objective.l1,
    }


def deviations(exact: dict[str, float], entry: dict[str, Any]) -> dict[str, float]:
    """Return exact less sampled in units of the sample's standard error."""
    sampled = {name: entry["sampled"][name] for name in exact if name in entry["sampled"]}
    return {
        name: (exact[name] - value["mean"]) / value["standard_error"]
        for name, value in sampled.items()
        if value["standard_error"] > 0
    }


@pytest.mark.parametrize("form", ["", "training"])
@pytest.mark.parametrize("entry", RELU, ids=lambda entry: entry["name"])
def test_exact_figures_lie_within_four_standard_errors_of_the_sampled(
    entry: dict[str, Any], form: str
) -> None:
    if form and not (TRAINED / entry["path"] / form).exists():
        form = ""
    law = law_from_dict(entry["law"])
    sae = load_checkpoint(weights_of(entry, form), entry.get("instance"))
    objective = CONVENTIONS[convention_of(entry)].objective(entry["l1"], law.dimension)
    loss = expected_loss(law, sae, objective)
    exact = figures(loss)
    own = training_loss(law, sae)
    if own is not None:
        # What the file itself says of λ and the convention comes to the same.
        assert own.total == pytest.approx(loss.total, rel=1e-12)
    if objective.reconstruction == "relative":
        # These SAEs have x̂(0) ≠ 0, so that the mean they were trained on does not exist.
        assert exact.pop("mse") == exact.pop("total") == np.inf
        assert "x = 0" in loss.reason
        squared = expected_loss(law, sae, replace(objective, reconstruction="squared"))
        exact["mse_raw"] = squared.reconstruction
    off = deviations(exact, entry)
    assert {"l1", "l0"} < off.keys()
    assert {"mse", "mse_raw", "total"} & off.keys()
    assert max(abs(deviation) for deviation in off.values()) <= 4, off


def weights_of(entry: dict[str, Any], form: str = "") -> Path:
    """Return what to load: the folder, or the post's one file of weights in it."""
    folder: Path = TRAINED / entry["path"] / form
    if entry["path"].startswith("dictionary_learning"):
        return folder / "trainer_0"
    return next(folder.glob("weights_*.pt"), folder)


def test_which_encoders_subtract_b_dec_is_in_the_notes() -> None:
    notes = {
        entry["name"]: load_checkpoint(TRAINED / entry["path"]).notes[0] for entry in STANDARD
    }
    for entry in STANDARD:
        centred = entry["training_loss"]["encoder_subtracts_b_dec"]
        assert ("subtracts b_dec; folded" in notes[entry["name"]]) == centred


def test_either_file_of_a_folder_names_it() -> None:
    whole = load_checkpoint(ONE)
    for name in ("cfg.json", "sae_weights.safetensors"):
        np.testing.assert_array_equal(load_checkpoint(ONE / name).W_dec, whole.W_dec)


def test_npz_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"W_enc": rng.normal(size=(3, 5)), "b_enc": rng.normal(size=5)}
    arrays |= {"W_dec": rng.normal(size=(5, 3)), "b_dec": rng.normal(size=3)}
    path = tmp_path / "weights.npz"
    Sae(**arrays).save(path)
    loaded = load_checkpoint(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.npz"]


def good() -> dict[str, Any]:
    return {
        "W_enc": np.ones((2, 3)),
        "b_enc": np.zeros(3),
        "W_dec": np.ones((3, 2)),
        "b_dec": np.zeros(2),
    }


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"W_enc": None},
            "W_enc: expected this array in an .npz file; it holds W_dec",
        ),
        ({"gate": np.zeros(3)}, "gate: expected only W_enc.*; this array is unknown"),
        ({"threshold": np.zeros(2)}, r"threshold: expected shape \(3,\), got \(2,\)"),
        ({"b_enc": np.zeros(2)}, r"b_enc: expected shape \(3,\)"),
        ({"W_dec": np.ones((2, 3))}, r"W_dec: expected shape \(3, 2\)"),
        ({"b_dec": np.array([0, np.nan])}, r"b_dec: expected finite numbers, got nan"),
        ({"b_dec": np.array(["a", "b"])}, "b_dec: expected an array of real numbers"),
        ({"W_enc": np.zeros((0, 3))}, "W_enc: expected shape"),
    ],
)
def test_npz_with_wrong_arrays(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **{k: v for k, v in {**good(), **arrays}.items() if v is not None})
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


class Hostile:
    """Unpickling this creates a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "executed", tmp_path / "weights.npz"
    np.savez(path, **{**good(), "b_enc": np.array([Hostile(trace)], dtype=object)})
    with pytest.raises(InputError, match="b_enc: expected an array of real numbers; it holds obj"):
        load_checkpoint(path)
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(InputError, match="this is neither"):
        load_checkpoint(bare)
    assert not trace.exists()


@pytest.mark.parametrize("keep", [0, 10, 200, 700, -1])
def test_truncated_npz(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="truncated"):
        load_checkpoint(path)


def test_npz_with_a_damaged_member(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    content = bytearray(path.read_bytes())
    at = content.index(b"\x93NUMPY") + 140
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_npz_with_one_array_twice(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(path, "a") as archive,
    ):
        archive.writestr("b_dec.npy", b"")
    with pytest.raises(InputError, match="expected every array once"):
        load_checkpoint(path)


def test_encrypted_npz(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1  # the flag "encrypted"
            at = content.find(signature, at + 4)
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_a_device_is_no_checkpoint() -> None:
    with pytest.raises(InputError, match="expected a file or a folder; this is neither"):
        load_checkpoint("/dev/null")


def test_npz_members_that_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in good():
            archive.writestr(f"{name}.npy", b"not an array")
    with pytest.raises(InputError, match="W_enc: expected an array"):
        load_checkpoint(path)


def test_npz_header_that_lies_about_the_size(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000), }"
    header += b" " * (117 - len(header)) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in good():
            archive.writestr(f"{name}.npy", member)
    with pytest.raises(InputError, match=r"damaged|array"):
        load_checkpoint(path)


def test_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in good():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                for _ in range(300):
                    member.write(bytes(2**20))
    assert path.stat().st_size < 2 * 2**20
    with pytest.raises(InputError, match="expected at most 1073741824 bytes of arrays"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "matryoshka"},
            "architecture: expected one of standard, jumprelu, topk, gated, got 'matryoshka'",
        ),
        ({"architecture": "gated"}, "b_gate: expected this array in SAELens'"),
        ({"activation_fn": "tanh"}, "cfg.json: activation_fn: expected 'relu', got 'tanh'"),
        ({"activation_fn": "topk"}, "cfg.json: k: expected a whole number from 1 to 4, got None"),
        (
            {"normalize_activations": "layer_norm"},
            "cfg.json: normalize_activations: expected 'none', got 'layer_norm'",
        ),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor: expected False"),
        ({"apply_b_dec_to_input": None}, "apply_b_dec_to_input: expected true or false, got None"),
        ({"d_in": 3}, "cfg.json: d_in: expected 2, as in the encoder's weights, got 3"),
        ({"d_sae": 5}, "cfg.json: d_sae: expected 4, as in the encoder's weights, got 5"),
    ],
)
def test_saelens_settings_that_make_another_function(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)


def test_saelens_before_version_6(tmp_path: Path) -> None:
    """Fields of a pre-6 cfg.json, with the weights of a current one."""
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    old = {
        "architecture": "standard",
        "d_in": 2,
        "d_sae": 4,
        "activation_fn_str": "relu",
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "normalize_activations": "none",
        "dtype": "torch.float32",
        "model_name": "toy",
        "hook_name": "blocks.0",
        "context_size": 128,
        "prepend_bos": True,
    }
    (folder / "cfg.json").write_text(json.dumps(old))
    np.testing.assert_array_equal(load_checkpoint(folder).b_enc, load_checkpoint(ONE).b_enc)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cfg.json: expected JSON"),
        ("[]", "cfg.json: expected a SAELens configuration"),
        ('{"trainer": "StandardTrainer"}', "cfg.json: expected a SAELens configuration"),
    ],
)
def test_a_configuration_of_something_else(tmp_path: Path, content: str, message: str) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    (folder / "cfg.json").write_text(content)
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)


@pytest.mark.parametrize("keep", [0, 6, 100, -4])
def test_truncated_safetensors(tmp_path: Path, keep: int) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    weights = folder / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"sae_weights.safetensors: expected safetensors"):
        load_checkpoint(folder)


def test_safetensors_with_other_arrays(tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    arrays = {"W_enc": np.ones((2, 4)), "W_dec": np.ones((4, 2)), "b_dec": np.zeros(2)}
    save_file(arrays, folder / "sae_weights.safetensors")
    with pytest.raises(InputError, match="b_enc: expected this array in SAELens'"):
        load_checkpoint(folder)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; expected a checkpoint"):
        load_checkpoint(tmp_path / "nothing.npz")
    with pytest.raises(InputError, match=r"cfg.json: no such file; expected this file of a SAE"):
        load_checkpoint(tmp_path)
    (tmp_path / "text.npz").write_text("W_enc")
    with pytest.raises(InputError, match="this is neither, or it is truncated"):
        load_checkpoint(tmp_path / "text.npz")


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError, match=r"pip install safetensors"):
        load_checkpoint(ONE)


POST = weights_of(next(entry for entry in RELU if "instance" in entry))
DICTIONARY_LEARNING = TRAINED / "dictionary_learning/dictlearn_standard_D2_d4_l10.1_s0/trainer_0"


def test_dictionary_learning_is_the_function_its_library_defines() -> None:
    """AutoEncoder: f = ReLU(E (x - bias) + e), x̂ = D f + bias, by torch itself."""
    state = torch.load(DICTIONARY_LEARNING / "ae.pt", weights_only=True)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    f = torch.relu((x - state["bias"]) @ state["encoder.weight"].T + state["encoder.bias"])
    x_hat = f @ state["decoder.weight"].T + state["bias"]
    for path in (DICTIONARY_LEARNING, *DICTIONARY_LEARNING.iterdir()):
        sae = load_checkpoint(path)
        np.testing.assert_allclose(sae.reconstruction(x.numpy()), x_hat.numpy(), atol=1e-6)


def test_a_file_of_several_saes_wants_to_know_which() -> None:
    assert len(load_checkpoints(POST)) == 5
    with pytest.raises(InputError, match="instance: expected one of 0 to 4; it holds 5"):
        load_checkpoint(POST)
    for number in (5, -1):
        with pytest.raises(InputError, match=f"whole number from 0 to 4, got {number}"):
            load_checkpoint(POST, number)


def test_a_state_dict_without_an_instance_axis_holds_one(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    arrays = {name: torch.tensor(array, dtype=torch.bfloat16) for name, array in good().items()}
    torch.save(arrays, path)
    np.testing.assert_array_equal(load_checkpoint(path).W_dec, good()["W_dec"])


def test_the_old_format_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    tensors = {name: torch.tensor(array) for name, array in good().items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(load_checkpoint(path).W_enc, good()["W_enc"])


@pytest.mark.parametrize("old", [True, False])
def test_a_pickle_in_a_pt_file_is_not_run(tmp_path: Path, old: bool) -> None:
    trace, path = tmp_path / "executed", tmp_path / "weights.pt"
    torch.save({"W_enc": Hostile(trace)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(InputError, match="other objects, which are never unpickled"):
        load_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"W_enc": torch.ones(2, 3)}, "b_enc: expected this array in a .pt file; it holds W_enc"),
        ([torch.ones(2)], "expected a dict of tensors, got list"),
        ({"W_enc": 3}, "W_enc: expected a tensor, got int"),
        (
            {name: torch.tensor(array[None]) for name, array in good().items()}
            | {"b_dec": torch.zeros(3, 2)},
            r"W_enc: expected shape \(instances, d_in, d_sae\), and .*b_dec \(3, 2\)",
        ),
        (
            {name: torch.tensor(array) for name, array in good().items()}
            | {"b_dec": torch.tensor([0.0, np.nan])},
            "b_dec: expected finite numbers, got nan",
        ),
        (
            {name: torch.tensor(array) for name, array in good().items()}
            | {"b_dec": torch.tensor([0j, 1j])},
            "b_dec: expected an array of real numbers, got complex64",
        ),
    ],
)
def test_pt_files_with_other_contents(tmp_path: Path, state: object, message: str) -> None:
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("keep", [20, 500, -30])
def test_truncated_pt(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(POST.read_bytes()[:keep])
    with pytest.raises(InputError, match="truncated"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"trainer": {"dict_class": "CrossCoder"}}', "dict_class: expected one of AutoEncoder"),
        ('{"trainer": {"dict_class": "GatedAutoEncoder"}}', "decoder_bias: expected this array"),
        ('{"architecture": "standard"}', "config.json: trainer: expected a dictionary_learning"),
        (
            '{"trainer": {"dict_class": "AutoEncoder", "dict_size": 5}}',
            "config.json: dict_size: expected 4, as in the encoder's weights, got 5",
        ),
        ("{", "config.json: expected JSON"),
    ],
)
def test_dictionary_learning_with_another_configuration(
    tmp_path: Path, config: str, message: str
) -> None:
    folder = tmp_path / "trainer_0"
    shutil.copytree(DICTIONARY_LEARNING, folder)
    (folder / "config.json").write_text(config)
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json: no such file; expected this file of"):
        load_checkpoint(folder)


def test_pt_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install torch"):
        load_checkpoint(POST)
