"""Laws of the pair every method returns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_bgremove.separation import Separation


def _parts(shape: tuple[int, ...] = (4, 5), seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal, background = rng.random(shape), rng.random(shape)
    return signal, background, signal + background + 0.01 * rng.normal(size=shape)


@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4)])
def test_measured_is_signal_plus_background_plus_residual(shape: tuple[int, ...]) -> None:
    signal, background, measured = _parts(shape)
    separation = Separation(signal, background, measured)
    assert_allclose(separation.signal + separation.background + separation.residual, measured, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 8.05])
def test_the_ledger_balances_and_is_in_the_unit_of_the_scale(scale: float) -> None:
    signal, background, measured = _parts()
    ledger = Separation(signal, background, measured).ledger(scale=scale)
    assert ledger["signal"] == pytest.approx(scale * signal.sum())
    assert ledger["background"] == pytest.approx(scale * background.sum())
    assert ledger["measured"] == pytest.approx(ledger["signal"] + ledger["background"] + ledger["residual"])
    assert ledger["usable_pixels"] == 20


def test_the_ledger_adds_in_double_precision() -> None:
    """Closed form: 2^25 ones; a float32 sum would stop at 2^24."""
    ones = np.ones((2**13, 2**12), np.float32)
    assert Separation(ones, 0 * ones, ones).ledger()["measured"] == 2**25


@pytest.mark.parametrize("part", ["signal", "background", "measured"])
def test_a_pixel_missing_in_any_part_is_in_none_of_the_sums(part: str) -> None:
    parts = dict(zip(("signal", "background", "measured"), _parts(), strict=True))
    expected = {name: array[1:].sum() for name, array in parts.items()}
    parts[part][0] = np.nan
    ledger = Separation(**parts).ledger()
    assert {name: ledger[name] for name in expected} == pytest.approx(expected)
    assert ledger["usable_pixels"] == 15


@pytest.mark.parametrize("part", ["background", "measured", "uncertainty"])
def test_parts_of_different_shapes_are_no_separation(part: str) -> None:
    parts = dict.fromkeys(("signal", "background", "measured", "uncertainty"), np.zeros((3, 4)))
    with pytest.raises(ValueError, match=rf"'{part}' must have the shape of 'signal' \(3 x 4\); found 4 x 3"):
        Separation(**parts | {part: np.zeros((4, 3))})


def test_a_separation_is_frozen() -> None:
    separation = Separation(*_parts())
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        separation.signal = np.zeros(3)  # type: ignore[misc]
