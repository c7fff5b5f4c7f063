"""Laws of applying a denoiser: one signal at a time, in the unit and with the noise of whoever measured it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bgremove.errors import ComputeError
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.learning import signal_inference
from napari_bgremove.learning.model_description import SignalModelDescription
from napari_bgremove.learning.model_file import LoadedSignalModel
from napari_bgremove.learning.networks import PriorGuidedSpec, build_network
from napari_bgremove.learning.signal_inference import denoise_signals
from napari_bgremove.learning.signal_scaling import (
    measure_level,
    measure_noise,
    measure_scaling,
    measure_sigma,
    standardize_rows,
)

SPEC = PriorGuidedSpec(width=3)


def _model(spec: PriorGuidedSpec = SPEC, **changes: Any) -> LoadedSignalModel:
    network = build_network(spec, seed=1)
    for _ in range(20):
        network(3 * torch.randn(8, 100, generator=torch.Generator().manual_seed(1)))
    values: dict[str, Any] = {
        "network": spec, "batch_size": 8, "source": "spikes", "length": 100, "noise": 3.0, "loss": "mse"
    }  # fmt: skip
    return LoadedSignalModel(
        network.eval(), SignalModelDescription(**{**values, **changes}), "sha", Path("m.safetensors"), 0.0
    )


# The signals below have no level of their own: their median is near 0.
MODEL, CENTRED, LEVEL = _model(), _model(centred=True), _model(level=4.0)


def _signals(n: int = 5, samples: int = 100, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 20 * np.exp(-((np.arange(samples) - samples / 3) ** 2) / 50) + rng.normal(0, 2, (n, samples))


def test_a_signal_with_the_noise_of_training_goes_through_as_it_is() -> None:
    signals = _signals()
    signals *= 3 / estimate_sigma(signals)[:, None]
    signals += 4 - np.median(signals, axis=1, keepdims=True)
    with torch.inference_mode():
        expected = LEVEL.network(torch.from_numpy(signals).float()).numpy()
    found = denoise_signals(LEVEL, signals)
    np.testing.assert_allclose(found.signal, expected, atol=1e-5)
    np.testing.assert_allclose(found.signal, denoise_signals(LEVEL, signals, scale=1).signal, atol=1e-5)
    assert found.provenance == {"method": "prior_guided", "model": "sha", "norm": "fixed", "scale": None}


@settings(max_examples=25, deadline=None)
@given(unit=st.floats(1e-9, 1e9))
def test_the_unit_of_a_signal_does_not_matter(unit: float) -> None:
    signals = _signals(2)
    expected = denoise_signals(MODEL, signals).signal
    np.testing.assert_allclose(denoise_signals(MODEL, unit * signals).signal / unit, expected, atol=1e-4)


@pytest.mark.parametrize("model", [MODEL, CENTRED, LEVEL], ids=["plain", "centred", "level"])
@settings(max_examples=25, deadline=None)
@given(unit=st.floats(0.01, 100), level=st.floats(-500, 500))
def test_nor_does_its_level(model: LoadedSignalModel, unit: float, level: float) -> None:
    signals = _signals(2)
    expected = denoise_signals(model, signals).signal
    found = denoise_signals(model, unit * signals + level).signal
    np.testing.assert_allclose((found - level) / unit, expected, atol=1e-3)


@pytest.mark.parametrize("norm", ["fixed", "signal"])
@pytest.mark.parametrize("pedestal", [-20.0, 5.0, 1e5])
def test_a_pedestal_stays_what_it_is(norm: Any, pedestal: float) -> None:
    signals = _signals()
    expected = denoise_signals(LEVEL, signals, norm=norm)
    found = denoise_signals(LEVEL, signals + pedestal, norm=norm)
    np.testing.assert_allclose(found.signal - pedestal, expected.signal, atol=1e-4)
    np.testing.assert_allclose(found.background, expected.background, atol=1e-4)


def test_with_a_scale_a_signal_stays_at_its_level_unless_the_training_rows_were_centred() -> None:
    signals = _signals()
    plain, centred = (denoise_signals(model, signals, scale=1).signal for model in (MODEL, CENTRED))
    assert not np.allclose(denoise_signals(MODEL, signals + 50, scale=1).signal - 50, plain, atol=0.1)
    np.testing.assert_allclose(denoise_signals(CENTRED, signals + 50, scale=1).signal - 50, centred, atol=1e-4)


def test_a_given_scale_is_the_factor() -> None:
    signals = _signals()
    with torch.inference_mode():
        expected = MODEL.network(torch.from_numpy(0.5 * signals).float()).numpy() / 0.5
    np.testing.assert_allclose(denoise_signals(MODEL, signals, scale=0.5).signal, expected, atol=1e-5)


def test_the_parts_add_up_and_the_input_is_left_alone() -> None:
    signals = _signals()
    before = signals.copy()
    first, second = denoise_signals(MODEL, signals), denoise_signals(MODEL, signals)
    np.testing.assert_array_equal(signals, before)
    np.testing.assert_array_equal(first.signal, second.signal)
    np.testing.assert_allclose(first.signal + first.background, signals, rtol=1e-12)
    assert first.signal.dtype == np.float64


@pytest.mark.parametrize("norm", ["fixed", "signal"])
def test_a_signal_gives_the_same_alone_among_others_and_in_any_block(
    norm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = _signals(6).reshape(2, 3, 100)
    whole = denoise_signals(MODEL, signals, norm=norm).signal
    assert whole.shape == (2, 3, 100)
    alone = np.stack([denoise_signals(MODEL, one, norm=norm).signal for one in signals.reshape(-1, 100)])
    np.testing.assert_allclose(whole.reshape(-1, 100), alone, atol=1e-4)
    monkeypatch.setattr(signal_inference, "_SAMPLES_AT_ONCE", 250)
    np.testing.assert_allclose(denoise_signals(MODEL, signals, norm=norm).signal, whole, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "norm"), [(MODEL, "batch"), (_model(PriorGuidedSpec(width=3, prior="batch-mean")), "fixed")]
)
def test_where_signals_share_something_they_are_never_cut_into_blocks(
    model: LoadedSignalModel, norm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = _signals(6)
    whole = denoise_signals(model, signals, norm=norm).signal
    monkeypatch.setattr(signal_inference, "_SAMPLES_AT_ONCE", 250)
    np.testing.assert_array_equal(denoise_signals(model, signals, norm=norm).signal, whole)


@pytest.mark.parametrize(("batch_size", "fitting"), [(1, "signal"), (2, "fixed"), (16, "fixed")])
def test_the_statistics_are_those_of_the_training_unless_asked_for(batch_size: int, fitting: Any) -> None:
    model, signals = _model(batch_size=batch_size), _signals()
    found = denoise_signals(model, signals)
    assert found.provenance["norm"] == model.description.fitting_norm == fitting
    np.testing.assert_array_equal(found.signal, denoise_signals(model, signals, norm=fitting).signal)
    other: Any = {"signal": "fixed", "fixed": "signal"}[fitting]
    assert not np.allclose(found.signal, denoise_signals(model, signals, norm=other).signal)


@pytest.mark.parametrize("samples", [16, 37, 1000])
def test_any_length_is_taken(samples: int) -> None:
    assert np.isfinite(denoise_signals(MODEL, _signals(2, samples), norm="fixed").signal).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint16, ">f8"])
def test_dtypes_and_layouts_do_not_matter(dtype: Any) -> None:
    signals = np.round(10 * _signals()) + 500
    expected = denoise_signals(MODEL, signals).signal
    given_ = np.asfortranarray(signals.astype(dtype))
    np.testing.assert_allclose(denoise_signals(MODEL, given_).signal, expected, rtol=1e-4)
    np.testing.assert_allclose(denoise_signals(MODEL, given_[::-1]).signal[::-1], expected, rtol=1e-4)


def test_unusable_samples_are_bridged_and_stay_unusable() -> None:
    signals = _signals()
    holes = signals.copy()
    holes[1, 40:43], holes[3, 0], holes[4, 99] = np.nan, np.inf, -np.inf
    filled = signals.copy()
    filled[1, 40:43] = np.interp([40, 41, 42], [39, 43], signals[1, [39, 43]])
    filled[3, 0], filled[4, 99] = signals[3, 1], signals[4, 98]
    sigma = estimate_sigma(np.where(np.isfinite(holes), holes, np.nan))
    found = denoise_signals(MODEL, holes)
    np.testing.assert_array_equal(np.isnan(found.signal), ~np.isfinite(holes))
    np.testing.assert_array_equal(np.isnan(found.measured), ~np.isfinite(holes))
    for row in range(5):
        usable = np.isfinite(holes[row])
        level = np.median(holes[row, usable])
        expected = denoise_signals(MODEL, filled[row] - level, scale=3 / sigma[row]).signal + level
        np.testing.assert_allclose(found.signal[row, usable], expected[usable], atol=1e-4)
    masked = np.ma.masked_array(signals, ~np.isfinite(holes))
    np.testing.assert_array_equal(denoise_signals(MODEL, masked).signal, found.signal)


@pytest.mark.parametrize(
    "flat", [np.full(100, 7.0), np.zeros(100), np.arange(100) * 0.1], ids=["level", "zero", "line"]
)
def test_a_signal_without_noise_comes_back_as_it_is(flat: np.ndarray) -> None:
    signals = np.stack([flat, _signals(1)[0]])
    found = denoise_signals(MODEL, signals).signal
    np.testing.assert_array_equal(found[0], flat)
    np.testing.assert_allclose(found[1], denoise_signals(MODEL, signals[1]).signal, atol=1e-4)
    np.testing.assert_array_equal(denoise_signals(MODEL, flat).signal, flat)


def test_a_signal_nothing_is_known_of_is_nan_and_alone_an_error() -> None:
    signals = _signals(3)
    signals[0] = np.nan
    signals[1, 1::2] = np.nan
    found = denoise_signals(MODEL, signals).signal
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [True, True, False])
    for lost in signals[:2]:
        with pytest.raises(ComputeError, match=r"'measured' must have three usable samples side by side .* found none"):
            denoise_signals(MODEL, lost)
    assert np.isfinite(denoise_signals(MODEL, signals[1], scale=1).signal[::2]).all()


@pytest.mark.parametrize(
    ("values", "options", "sentence"),
    [
        (np.zeros((2, 15)), {}, "'measured' must hold real signals of 16 samples or more .*; found 2 x 15 of float64"),
        (np.zeros((0, 30)), {}, "'measured' must hold .* found 0 x 30"),
        (3.0, {}, "'measured' must hold .* found a single number"),
        (np.zeros((2, 30), complex), {}, "'measured' must hold real .* of complex128"),
        (np.zeros(30), {"norm": "unfixed"}, "'norm' must be one of fixed, batch, signal; found 'unfixed'"),
        (np.zeros(30), {"scale": 0.0}, "'scale' must be above zero; found 0"),
        (np.zeros(30), {"scale": np.nan}, "'scale' must be above zero; found nan"),
    ],
)
def test_what_cannot_be_denoised_is_refused(values: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        denoise_signals(MODEL, values, **options)


def test_out_of_memory_takes_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, signals, sizes = _model(), _signals(9), []
    expected, plain = denoise_signals(model, signals).signal, model.network.forward

    def limited(x: torch.Tensor, norm: Any = None) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(x, norm)

    monkeypatch.setattr(model.network, "forward", limited)
    np.testing.assert_allclose(denoise_signals(model, signals).signal, expected, atol=1e-4)
    assert sizes[-1] == 1
    with pytest.raises(ComputeError, match="Out of memory; close what else uses the device"):
        denoise_signals(model, signals, norm="batch")


def test_scaling_comes_undone() -> None:
    signals = _signals() + 40
    scaling = measure_scaling(signals, noise=3.0, level=-2.0)
    scaled = scaling.apply(signals)
    np.testing.assert_allclose(estimate_sigma(scaled), 3, rtol=1e-12)
    np.testing.assert_allclose(np.median(scaled, axis=1), -2, rtol=1e-12)
    np.testing.assert_allclose(scaling.undo(scaled), signals, rtol=1e-12)
    assert measure_noise(scaled) == pytest.approx(3)
    assert measure_level(scaled) == pytest.approx(-2)


def test_what_has_no_measurable_noise_is_what_cannot_be_scaled() -> None:
    """A straight line interpolated in single precision has only its rounding."""
    signals = _signals(4).astype(np.float32)
    signals[1] = np.interp(np.arange(100), [0, 99], [900.1, 1300.7])
    signals[2], signals[3, 1::2] = 7, np.nan
    assert estimate_sigma(signals)[1] > 0
    sigma = measure_sigma(signals)
    np.testing.assert_array_equal(sigma > 0, [True, False, False, False])
    assert np.isnan(sigma[3])
    standardize_rows(signals[:1])
    for row in (1, 2, 3):
        with pytest.raises(ComputeError, match="'rows' must have noise, in three usable samples side by side; row 0"):
            standardize_rows(signals[row])
