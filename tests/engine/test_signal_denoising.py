"""One way to denoise: filter and network obey the same laws, and say what they found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_bgremove.engine.signal_denoising import (
    DenoisingMethod,
    NothingToDenoiseError,
    SignalDenoiser,
    denoise,
    denoise_set,
)
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.spectra.spectra_set import Block, make_spectra_set
from napari_bgremove.synthetic.signals import make_spectra

SIGNAL, MEASURED = make_spectra(0, 6)
KINDS = [*METHODS, "network", "network by signal"]


@pytest.fixture(params=KINDS)
def how(request: pytest.FixtureRequest, denoiser_file: Path) -> DenoisingMethod:
    """Every filter, and a network by both statistics."""
    if request.param in METHODS:
        return DenoisingMethod(method=request.param)
    norm = "signal" if "by" in request.param else "fixed"
    return DenoisingMethod(model=str(denoiser_file), norm=norm, device="cpu", threads=1)


def test_the_parts_add_up_and_the_input_stays(how: DenoisingMethod) -> None:
    before = MEASURED.copy()
    parts = denoise(MEASURED, how)
    assert_array_equal(MEASURED, before)
    assert_allclose(parts.signal + parts.background, MEASURED, atol=1e-12)
    assert_array_equal(denoise(MEASURED, how).signal, parts.signal)
    assert_array_equal(parts.provenance["found"]["sigma"], estimate_sigma(MEASURED))


def test_a_signal_alone_is_the_same_as_among_others_and_in_any_shape(how: DenoisingMethod) -> None:
    whole = denoise(MEASURED, how).signal
    # Single precision: convolutions of a batch add up in another order.
    assert_allclose(denoise(MEASURED[2], how).signal, whole[2], atol=1e-4)
    assert_allclose(denoise(MEASURED.reshape(2, 3, -1), how).signal, whole.reshape(2, 3, -1), atol=1e-4)


def test_unusable_samples_are_nan_and_a_signal_without_any_is_counted(how: DenoisingMethod) -> None:
    usable = np.ones(MEASURED.shape, bool)
    usable[0, 40:50], usable[3] = False, False
    parts = denoise(MEASURED, how, valid_mask=usable)
    assert_array_equal(np.isfinite(parts.signal), usable)
    assert_array_equal(np.isfinite(parts.background), usable)
    lost = parts.provenance["without_result"]
    assert lost["count"] == 1
    assert "usable samples" in lost["reason"]
    assert_array_equal(denoise(np.where(usable, MEASURED, np.nan), how).signal, parts.signal)
    shared = np.arange(MEASURED.shape[1]) > 4
    assert_array_equal(np.isfinite(denoise(MEASURED, how, valid_mask=shared).signal), np.broadcast_to(shared, (6, 128)))


def test_where_no_signal_is_usable_the_error_says_so(how: DenoisingMethod) -> None:
    with pytest.raises(NothingToDenoiseError, match="'measured' must have"):
        denoise(np.full((2, 128), np.nan), how)


def test_a_filter_is_the_filter_and_its_numbers_are_told() -> None:
    expected = denoise_signals(MEASURED, method="gmc", domain="direct")
    parts = denoise(MEASURED, DenoisingMethod(method="gmc", parameters={"domain": "direct"}))
    assert_array_equal(parts.signal, expected.signal)
    assert parts.provenance["found"]["weight"] == expected.provenance["found"]["weight"]
    assert parts.provenance["parameters"] == {"domain": "direct", "ends": "joined", "weight": None, "gamma": 0.8}
    assert parts.provenance["seconds"] >= 0


def test_a_network_takes_the_statistics_that_suit_its_training(denoiser_file: Path) -> None:
    """It was trained with batches of 16: the running ones."""
    denoiser = SignalDenoiser(DenoisingMethod(model=str(denoiser_file), device="cpu"))
    assert (denoiser.record["norm"], denoiser.record["batch_size"]) == ("fixed", 16)
    assert "'denoiser.safetensors', trained with batches of 16, fixed statistics" in denoiser.label
    by_signal = denoise(MEASURED, DenoisingMethod(model=str(denoiser_file), norm="signal", device="cpu"))
    assert not np.allclose(denoiser.denoise(MEASURED).signal, by_signal.signal)


def test_a_method_goes_through_a_letter() -> None:
    how = DenoisingMethod(method="wiener", parameters={"window": 7}, threads=2)
    assert DenoisingMethod.model_validate(how.model_dump(mode="json")) == how


def test_spectrometers_do_not_know_each_other() -> None:
    spectra = make_spectra_set(
        np.arange(128.0), MEASURED, targets="a", blocks=(Block("UV", 0, 48), Block("VIS", 48, 128))
    )
    parts = denoise_set(spectra, SignalDenoiser(DenoisingMethod(method="tv")))
    for block in spectra.blocks:
        alone = denoise_signals(MEASURED[:, block.start : block.stop], method="tv")
        assert_array_equal(parts.signal[:, block.start : block.stop], alone.signal)
        assert parts.provenance["found"][f"weight {block.name}"] == alone.provenance["found"]["weight"]
    whole = make_spectra_set(np.arange(128.0), MEASURED, targets="a")
    one = denoise_set(whole, SignalDenoiser(DenoisingMethod(method="tv")))
    assert_array_equal(one.signal, denoise_signals(MEASURED, method="tv").signal)
    assert list(one.provenance["found"]) == ["sigma", "weight"]


def test_what_cannot_be_used_is_refused(tmp_path: Path, spectra_model: Path) -> None:
    with pytest.raises(ValueError, match="'method' must be one of"):
        SignalDenoiser(DenoisingMethod(method="magic"))
    with pytest.raises(ValueError, match="parameter of tv"):
        denoise(MEASURED, DenoisingMethod(method="tv", parameters={"window": 3}))
    with pytest.raises(ValueError, match="'valid_mask' must have the shape of 'measured'"):
        denoise(MEASURED, DenoisingMethod(), valid_mask=np.ones((5, 128), bool))
    with pytest.raises(ValueError, match=r"'cleaner\.safetensors'"):
        SignalDenoiser(DenoisingMethod(model=str(spectra_model)))
