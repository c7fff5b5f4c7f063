"""Gates: the closed forms against those of the numerics, and the one of a layer's own spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_bgremove.learning.layer_gates import measure_gate
from napari_bgremove.learning.shirley import shirley_background
from napari_bgremove.spectra.layer_spectrum import find_half_fall, make_layer_spectrum
from napari_bgremove.spectra.line_shapes import Line
from napari_bgremove.spectra.steps import estimate_step

X = torch.linspace(0, 6, 601, dtype=torch.float64)
CLOSED = ["lorentzian", "gaussian"]
GATES = [*CLOSED, "shirley"]


def closed_form(gate: str, e0: float, gamma: float) -> np.ndarray:
    """The step below a line, from 1 to 0; a Gaussian's quartiles are 0.674490 standard deviations out."""
    half_width = gamma if gate == "lorentzian" else gamma / 0.6744897501960817 * np.sqrt(2 * np.log(2))
    line = Line(e0, half_width, 1.0 if gate == "lorentzian" else 0.0)
    return estimate_step(X.numpy(), line, positions=(0, 6), levels=(1, 0), window="infinite")


@pytest.mark.parametrize("gate", CLOSED)
@pytest.mark.parametrize(("e0", "gamma"), [(1.0, 0.3), (0.7, 0.1), (1.4, 0.6)])
def test_a_closed_gate_is_the_step_of_its_line(gate: str, e0: float, gamma: float) -> None:
    found = measure_gate(X, gate=gate, e0=e0, gamma=gamma)
    assert_allclose(found, closed_form(gate, e0, gamma), atol=1e-14)


@pytest.mark.parametrize("gate", CLOSED)
def test_a_closed_gate_has_its_quartiles_at_e0_and_gamma_around_it(gate: str) -> None:
    x = torch.tensor([0.7, 1.0, 1.3], dtype=torch.float64)
    assert measure_gate(x, gate=gate).tolist() == pytest.approx([0.75, 0.5, 0.25], abs=1e-14)


def test_e0_and_gamma_come_back_from_the_gate() -> None:
    axis = np.linspace(-49, 51, 20_001)
    gate = measure_gate(torch.from_numpy(axis), e0=1.0, gamma=0.5)
    assert find_half_fall(axis, gate.numpy()) == pytest.approx((1.0, 0.5), rel=0.02)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gate_is_a_share_without_gradient_of_the_shape_and_dtype_of_its_input(gate: str, dtype: torch.dtype) -> None:
    x = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    before = x.detach().clone()
    found = measure_gate(x, gate=gate)
    assert (found.shape, found.dtype) == (x.shape, dtype)
    assert not found.requires_grad
    assert ((found >= 0) & (found <= 1)).all()
    assert torch.equal(x.detach(), before)
    assert torch.equal(measure_gate(x, gate=gate), found)


@pytest.mark.parametrize("gate", CLOSED)
def test_a_closed_gate_falls_with_energy(gate: str) -> None:
    assert (measure_gate(X, gate=gate).diff() <= 0).all()


def spread(units: int) -> torch.Tensor:
    """Weak units around 1, and strong ones, in units of their root mean square."""
    rng = np.random.default_rng(units)
    energies = torch.from_numpy(np.r_[rng.normal(1, 0.2, units).clip(0.1), rng.uniform(1.5, 3, units // 2)])
    return energies / energies.square().mean().sqrt()


@pytest.mark.parametrize("units", [8, 40, 300])
def test_the_shirley_gate_is_that_of_the_layer_spectrum(units: int) -> None:
    x = spread(units)
    drawn = make_layer_spectrum(x.numpy())
    assert drawn.status == "ok"
    assert_allclose(measure_gate(x, gate="shirley"), drawn.measure_gate(drawn.x), rtol=1e-9)


@pytest.mark.parametrize("units", [8, 40, 300])
def test_the_shirley_gate_is_also_that_of_the_shirley_background_of_tensors(units: int) -> None:
    """Another implementation: background and spectrum are interpolated, not their ratio."""
    x = spread(units)
    drawn = make_layer_spectrum(x.numpy())
    inside = drawn.axis >= drawn.window[0]
    axis, spectrum = drawn.axis[inside], torch.from_numpy(drawn.spectrum[inside])
    background = shirley_background(axis, spectrum).background.numpy()
    ratio = np.interp(x, axis, background) / np.interp(x, axis, spectrum.numpy())
    expected = np.where(x < drawn.window[0], 1, np.clip(ratio, 0, 1))
    assert_allclose(measure_gate(x, gate="shirley"), expected, atol=5e-3)


def test_without_a_peak_everything_is_background() -> None:
    energies = torch.linspace(1, 0.02, 20_000, dtype=torch.float64) ** -0.5
    assert (measure_gate(energies / energies.square().mean().sqrt(), gate="shirley") == 1).all()
    assert (measure_gate(torch.zeros(9), gate="shirley") == 1).all()


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="'gate' must be one of lorentzian, gaussian, shirley; found 'voigt'"):
        measure_gate(X, gate="voigt")
