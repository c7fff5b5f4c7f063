"""The numbers and formulas of Starke & Smid (2023), doi:10.14278/rodare.2586, one test each.

"Software: removal of bremsstrahlung background from SAXS signals with deep
neural networks". Quotations are from its description. Counts the text does not
give (coefficients per pair of fields, the two readings of the topology, the
coverage of the grids) were derived and measured apart; the tests say so.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_bgremove.images.normalization import measure_percentile_range, undo_normalization
from napari_bgremove.images.tiles import GRID_OFFSETS, make_grids, merge_predictions, merge_weights
from napari_bgremove.learning.datasets import SyntheticSums
from napari_bgremove.learning.inference import ApplyOptions
from napari_bgremove.learning.networks import PRESETS, NetworkSpec, build_network, count_parameters
from napari_bgremove.learning.networks.p4 import P4Conv
from napari_bgremove.learning.training import Training, TrainOptions
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

MODULE = (512, 1024)  # "a resolution of 1024 x 512 pixels"


def test_patches_are_128_by_128() -> None:
    assert SaxsUnetRecipe().patch == ApplyOptions().tile == 128


def test_there_are_1754_signal_and_4711_noise_patches() -> None:
    recipe = SaxsUnetRecipe()
    assert (recipe.signal_patches, recipe.background_patches) == (1754, 4711)


def test_bounds_are_the_1_and_99_95_percentiles() -> None:
    """ "computed as the 1 and 99.95 percentiles of the noisy patch" """
    assert SaxsUnetRecipe().percentiles == ApplyOptions().percentiles == (1.0, 99.95)
    patch = np.arange(128 * 128, dtype=np.float32).reshape(128, 128)
    bounds = measure_percentile_range(patch)
    assert_allclose([bounds.low, bounds.high], [0.01 * 16383, 0.9995 * 16383], rtol=1e-6)


def test_normalisation_subtracts_the_lower_bound_divides_by_the_range_and_clips() -> None:
    patch = np.random.default_rng(0).exponential(size=(128, 128)).astype(np.float32)
    bounds = measure_percentile_range(patch)
    low, high = np.percentile(patch, (1, 99.95))
    assert_allclose(bounds.apply(patch), np.clip((patch - low) / (high - low), 0, 1), atol=1e-6)
    assert (bounds.apply(patch) == 1).sum() == 9  # 0.05 % of 16384 pixels are at or above the bound


def test_undoing_multiplies_by_the_range_and_adds_the_lower_bound_to_both_parts() -> None:
    """ "multiplying the output with the difference between upper and lower bound followed by an addition of the lower
    bound": so s + n = x + lower bound inside the range."""
    measured = (50 + 10 * np.random.default_rng(1).random((128, 128))).astype(np.float32)
    bounds = measure_percentile_range(measured)
    inside = bounds.apply(measured)
    signal, background = undo_normalization(inside * 0.75, inside * 0.25, measured, bounds, variant="literal")
    assert_allclose(background, inside * 0.25 * bounds.scale + bounds.low, rtol=1e-6)
    unclipped = (inside > 0) & (inside < 1)
    assert unclipped.mean() > 0.98
    assert_allclose((signal + background)[unclipped], measured[unclipped] + bounds.low, rtol=1e-6)


def test_the_four_grids_start_at_the_published_offsets() -> None:
    """ "with the following initial pixel offsets: [0,0], [96,32], [32,96], [64,64]" """
    published = ((0, 0), (96, 32), (32, 96), (64, 64))
    assert SaxsUnetRecipe().offsets == ApplyOptions().offsets == GRID_OFFSETS == published


def test_literal_grids_cover_half_of_a_module_four_times() -> None:
    """50.8 % four times and 19.1 % once were counted apart (reference/saxs-unet.md 0.7); padded, all of it."""
    blank = np.zeros(MODULE, np.float32)
    counts = sum(np.isfinite(g.join(g.split(blank))).astype(int) for g in make_grids(MODULE, padded=False))
    assert (counts == 4).mean() == pytest.approx(0.508, abs=5e-4)
    assert (counts == 1).mean() == pytest.approx(0.191, abs=5e-4)
    assert counts.min() == 1
    padded = sum(np.isfinite(g.join(g.split(blank))).astype(int) for g in make_grids(MODULE))
    assert (padded == 4).all()


def test_predictions_are_weighted_by_the_published_formula() -> None:
    """ "wi = 1 / ((|pi - m|/2) + 2) where ... m is the mean of all predictions for a given pixel" """
    p = np.random.default_rng(2).normal(0, 30, (4, 5, 6)).astype(np.float32)
    m = p.astype(float).mean(axis=0)
    weights = 1 / (np.abs(p - m) / 2 + 2)
    assert_allclose(merge_weights(p), weights, rtol=1e-5)
    assert_allclose(merge_predictions(p)[0], (weights * p).sum(0) / weights.sum(0), rtol=1e-4, atol=1e-5)
    assert SaxsUnetRecipe().merge == ApplyOptions().merge == "weighted"


@pytest.mark.parametrize(("merge", "expected"), [("weighted", 10.9), ("mean", 25.0), ("median", 0.0)])
def test_one_outlier_of_four_is_weakened_and_not_eliminated(merge: str, expected: float) -> None:
    """Closed form: three predictions of 0 and one of 100 give (100/39.5) / (3/14.5 + 1/39.5) = 10.9."""
    predictions = np.array([0, 0, 0, 100], np.float32).reshape(4, 1, 1)
    assert merge_predictions(predictions, merge=merge)[0][0, 0] == pytest.approx(expected, abs=0.005)


def test_an_outlier_keeps_a_quarter_when_small_and_a_tenth_when_large() -> None:
    """The weight depends on the unit (reference/saxs-unet.md 0.7 d): A/4 for small A, A/10 for large A."""
    for size, share in ((1e-4, 4), (1e7, 10)):
        merged = merge_predictions(np.array([0, 0, 0, size], np.float32).reshape(4, 1, 1))[0][0, 0]
        assert size / merged == pytest.approx(share, rel=1e-3)


def test_the_encoder_has_32_64_128_256_fields_and_16_latents() -> None:
    recipe = SaxsUnetRecipe()
    assert PRESETS[recipe.preset] == (32, 64, 128, 256)
    assert recipe.latents == 16
    assert recipe.equivariant


@pytest.mark.parametrize(("topology", "count"), [("D", 5_706_577), ("A", 5_878_833)])
def test_the_two_readings_of_the_topology_have_their_parameters(topology: str, count: int) -> None:
    """ "It consisted of 5.88 million trainable parameters": A has as many, D is the plainest reading; which one was
    used is not confirmed. Both counts were taken from the same networks built with escnn."""
    with torch.device("meta"):
        network = build_network(NetworkSpec(topology=topology))
    assert count_parameters(network) == count
    assert topology == "D" or round(count / 1e6, 2) == 5.88


def test_a_pair_of_fields_has_24_coefficients_and_lifting_and_projecting_6() -> None:
    """Counted in escnn 1.0.11 for C4, 3x3."""
    assert P4Conv(2, 3).coefficients.numel() == 24 * 6
    assert P4Conv(2, 3, in_kind="trivial").coefficients.numel() == 6 * 6
    assert P4Conv(2, 3, out_kind="trivial").coefficients.numel() == 6 * 6


def test_the_head_has_33_coefficients() -> None:
    """16 latents to one channel, 3x3 and C4-symmetric: 2 for each pair and a bias; an ordinary one would have 145."""
    assert count_parameters(build_network(NetworkSpec(fields=(1, 1, 1, 1))).head) == 33
    plain = build_network(NetworkSpec(family="plain_unet", fields=(1, 1, 1, 1)))
    assert count_parameters(plain.head) == 16 * 9 + 1


def test_there_is_no_batch_normalisation() -> None:
    """ "No batch normalization was employed": a sample does not depend on its neighbours, and nothing is remembered."""
    network = build_network(NetworkSpec(fields=(2, 2, 2, 2)), seed=0)
    assert not [m for m in network.modules() if "Norm" in type(m).__name__]
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(network(x)[1][1:2], network(x[1:2])[1], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_n_is_relu_and_s_is_relu_of_x_minus_n(seed: int) -> None:
    """ "n = ReLU(conv(l)), s = ReLU(xin - n)": n >= 0, s >= 0, whatever the weights."""
    network = build_network(NetworkSpec(fields=(2, 2, 2, 2)), seed=seed)
    for parameter in network.parameters():
        parameter.data.normal_(generator=torch.Generator().manual_seed(seed)).mul_(0.2)
    x = torch.rand(2, 1, 32, 16, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        signal, background = network(x)
    assert background.min() >= 0
    assert signal.min() >= 0
    assert torch.equal(signal, torch.relu(x - background))


def test_training_is_adamw_at_1e_4_without_decay_in_batches_of_16_for_400_epochs() -> None:
    """ "trained for 400 epochs with a batch size of 16 ... using the AdamW optimizer with a learning rate of 10^-4 and
    no weight decay" """
    recipe = SaxsUnetRecipe()
    for options in (recipe.build_train_options(), TrainOptions()):
        assert (options.epochs, options.batch_size, options.learning_rate, options.weight_decay) == (400, 16, 1e-4, 0.0)
        assert options.schedule == "constant"
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1)))
    training = Training(network, recipe.build_objective(), _NoData(), options=recipe.build_train_options())
    assert type(training.optimizer) is torch.optim.AdamW
    assert training.optimizer.defaults["weight_decay"] == 0
    assert training.optimizer.defaults["lr"] == 1e-4


def test_the_loss_is_the_mean_absolute_error_of_both_components_added() -> None:
    """ "the mean absolute error loss was applied. Both loss components were added to obtain the loss function" """
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1)), seed=0)
    batch = {name: torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("msb")}
    named = {"measured": batch["m"], "signal": batch["s"], "background": batch["b"], "valid": torch.ones(2, 1, 16, 16)}
    with torch.inference_mode():
        loss = SaxsUnetRecipe().build_objective()(network, named)["loss"]
        signal, background = network(batch["m"])
        expected = torch.nn.L1Loss()(signal, batch["s"]) + torch.nn.L1Loss()(background, batch["b"])
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_an_epoch_shows_every_signal_patch_once_with_a_fresh_noise_patch() -> None:
    """The length is the number of signal patches; freshness is a law of tests/learning/test_datasets.py."""
    from napari_bgremove.images.patch_set import PatchSet

    def patches(role: str, n: int) -> PatchSet:
        return PatchSet(np.ones((n, 8, 8), np.float32), role, np.zeros((n, 2)), np.zeros(n), np.zeros(n, int), ("x",))

    assert len(SyntheticSums(patches("signal", 17), patches("background", 47))) == 17


class _NoData:
    def __len__(self) -> int:
        return 0

    def batch(self, epoch: int, indices: object) -> dict[str, np.ndarray]:
        raise NotImplementedError
