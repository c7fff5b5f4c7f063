"""Sparse denoising: closed forms against the iteration, optimality, and Selesnick's own problem."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.filters.sparse_denoising import (
    DOMAINS,
    Frame,
    estimate_sparse,
    make_fourier_frame,
    solve_sparse,
)

every_domain = pytest.mark.parametrize("domain", DOMAINS)
every_gamma = pytest.mark.parametrize("gamma", [0.0, 0.3, 0.8])


@pytest.fixture
def measured() -> np.ndarray:
    rng = np.random.default_rng(6)
    spikes = np.where(rng.random((6, 101)) < 0.2, rng.integers(2, 11, (6, 101)), 0)
    return spikes + 3 * rng.standard_normal(spikes.shape)


def sinusoids(draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Selesnick's problem, written out here once more: the generator is judged elsewhere."""
    m = np.arange(100)
    signal = 2 * np.cos(2 * np.pi * 0.1 * m) + np.sin(2 * np.pi * 0.22 * m)
    return signal, signal + np.random.default_rng(1).standard_normal((draws, 100))


@every_domain
@every_gamma
def test_the_input_is_kept_and_signals_are_denoised_one_by_one(domain: str, gamma: float, measured: np.ndarray) -> None:
    before = measured.copy()
    together = estimate_sparse(measured.reshape(2, 3, -1), weight=2.0, gamma=gamma, domain=domain)
    alone = [estimate_sparse(row, weight=2.0, gamma=gamma, domain=domain) for row in measured]
    np.testing.assert_allclose(together.reshape(6, -1), alone, atol=1e-13)
    np.testing.assert_array_equal(measured, before)


@every_domain
@every_gamma
def test_the_unit_does_not_matter_and_no_weight_changes_nothing(
    domain: str, gamma: float, measured: np.ndarray
) -> None:
    scaled = estimate_sparse(1e3 * measured, weight=2e3, gamma=gamma, domain=domain)
    np.testing.assert_allclose(scaled, 1e3 * estimate_sparse(measured, weight=2.0, gamma=gamma, domain=domain))
    np.testing.assert_allclose(estimate_sparse(measured, weight=0.0, gamma=gamma, domain=domain), measured, atol=1e-13)
    assert not estimate_sparse(measured, weight=1e9, gamma=gamma, domain=domain).any()


@every_gamma
@pytest.mark.parametrize("length", [100, 101])
def test_the_iteration_ends_at_the_closed_form(gamma: float, length: int, measured: np.ndarray) -> None:
    """For the unitary DFT, with odd lengths too: half the frequencies and all of them say the same."""
    rows = measured[:, :length]
    found = solve_sparse(rows, frame=make_fourier_frame(length, length), weight=3.0, gamma=gamma)
    assert found.converged.all()
    closed = estimate_sparse(rows, weight=3.0, gamma=gamma, domain="fourier")
    assert float(np.abs(found.signal - closed).max()) < 1e-3
    assert float(np.abs(found.coefficients - np.fft.fft(closed, norm="ortho")).max()) < 1e-3


@every_gamma
def test_the_iteration_in_the_direct_domain_ends_at_the_closed_form(gamma: float, measured: np.ndarray) -> None:
    """For a frame that a person brings: a scaled identity, whose norm is not 1."""
    frame = Frame(lambda c: 2 * c, lambda y: 2 * y, norm=4.0)
    found = solve_sparse(measured, frame=frame, weight=6.0, gamma=gamma, tolerance=1e-8)
    closed = estimate_sparse(measured, weight=3.0, gamma=gamma)
    np.testing.assert_allclose(found.signal, closed, atol=1e-5)


def test_an_overcomplete_solution_by_l1_is_optimal() -> None:
    """Karush-Kuhn-Tucker: the gradient is weight times the phase where c is not zero, and smaller where it is."""
    _, measured = sinusoids(3)
    frame = make_fourier_frame(100, 256)
    found = solve_sparse(measured, frame=frame, weight=1.0, tolerance=1e-9, max_iterations=20_000)
    assert found.converged.all()
    gradient = frame.analyze(measured - frame.synthesize(found.coefficients))
    used = found.coefficients != 0
    assert 0.01 < used.mean() < 0.5
    phase = found.coefficients[used] / np.abs(found.coefficients[used])
    np.testing.assert_allclose(gradient[used], phase, atol=1e-4)
    assert float(np.abs(gradient).max()) < 1 + 1e-4


def test_a_frame_is_tight_and_its_analysis_the_adjoint() -> None:
    rng = np.random.default_rng(2)
    frame = make_fourier_frame(37, 64)
    signal = rng.standard_normal((2, 37))
    coefficients = rng.standard_normal((2, 64)) + 1j * rng.standard_normal((2, 64))
    np.testing.assert_allclose(frame.synthesize(frame.analyze(signal)), signal, atol=1e-13)
    inner = np.vdot(frame.synthesize(coefficients), signal)
    assert inner == pytest.approx(np.vdot(coefficients, frame.analyze(signal)))


def test_many_signals_settle_as_each_of_them_does() -> None:
    _, measured = sinusoids(4)
    frame = make_fourier_frame(100, 256)
    together = solve_sparse(measured.reshape(2, 2, 100), frame=frame, weight=1.5, gamma=0.8)
    alone = [solve_sparse(row, frame=frame, weight=1.5, gamma=0.8) for row in measured]
    assert together.signal.shape == (2, 2, 100)
    assert together.coefficients.shape == (2, 2, 256)
    assert together.converged.shape == (2, 2)
    assert together.iterations == max(one.iterations for one in alone)
    np.testing.assert_allclose(together.signal.reshape(4, 100), [one.signal for one in alone], atol=1e-12)


def test_an_iteration_that_was_cut_short_says_so() -> None:
    _, measured = sinusoids(2)
    found = solve_sparse(measured, frame=make_fourier_frame(100, 256), weight=1.0, gamma=0.8, max_iterations=3)
    assert found.iterations == 3
    assert not found.converged.any()
    quiet = solve_sparse(0 * measured, frame=make_fourier_frame(100, 256), weight=1.0)
    assert quiet.converged.all()
    assert not quiet.signal.any()


@pytest.mark.parametrize(
    ("gamma", "weights", "published"), [(0.0, (0.75, 1.0, 1.25), 0.41), (0.8, (1.5, 1.75, 2.0), 0.27)]
)
def test_on_two_sinusoids_gmc_is_far_better_than_l1(gamma: float, weights: tuple[float, ...], published: float) -> None:
    """Selesnick (2017), 50 draws, 256 coefficients: the least RMSE over lambda is 0.41 for L1 and 0.27 for GMC."""
    signal, measured = sinusoids(50)
    frame = make_fourier_frame(100, 256)
    errors = []
    for weight in weights:
        found = solve_sparse(measured, frame=frame, weight=weight, gamma=gamma, tolerance=1e-4)
        assert found.converged.all()
        errors.append(float(np.sqrt(((found.signal - signal) ** 2).mean(axis=1)).mean()))
    assert min(errors) == pytest.approx(published, abs=0.02)
    assert min(errors) == errors[1]  # the grid holds the minimum


def test_a_signal_known_to_be_positive_is_kept_so(measured: np.ndarray) -> None:
    plain = estimate_sparse(measured, weight=2.5)
    np.testing.assert_array_equal(estimate_sparse(measured, weight=2.5, positive=True), np.where(plain > 0, plain, 0))


def test_wrong_arguments_are_named(measured: np.ndarray) -> None:
    frame = make_fourier_frame(101, 128)
    with pytest.raises(ValueError, match="'domain' must be one of direct, fourier; found 'wavelet'"):
        estimate_sparse(measured, weight=1.0, domain="wavelet")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'positive' must be False in the domain fourier"):
        estimate_sparse(measured, weight=1.0, domain="fourier", positive=True)
    with pytest.raises(ValueError, match="'coefficients' must be at least the 101 samples of a signal; found 100"):
        make_fourier_frame(101, 100)
    with pytest.raises(ValueError, match="'gamma' must lie between 0 and 1, 1 left out; found 1"):
        solve_sparse(measured, frame=frame, weight=1.0, gamma=1.0)
    with pytest.raises(ValueError, match="'threshold' must be zero or above; found -1"):
        solve_sparse(measured, frame=frame, weight=-1.0)
    with pytest.raises(ValueError, match="'tolerance' must be above zero; found 0"):
        solve_sparse(measured, frame=frame, weight=1.0, tolerance=0)
    with pytest.raises(ValueError, match="'max_iterations' must be above zero; found 0"):
        solve_sparse(measured, frame=frame, weight=1.0, max_iterations=0)
