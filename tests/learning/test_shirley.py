"""Shirley's background of tensors: the laws of the equation, the numpy solver as witness, and the exact gradient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import minimize_scalar
from torch import Tensor

from napari_bgremove.learning.shirley import ShirleyTensors, direct, shirley_background
from napari_bgremove.learning.shirley.one_pole import climb, measure_end, run_back, run_one_pole
from napari_bgremove.spectra.ends import Anchor, End, Endpoint, Window
from napari_bgremove.spectra.one_pole import end_weights, make_grid
from napari_bgremove.spectra.shirley import STATUSES, separate_shirley

POINTS = 8  # of each anchor window
# Largest difference to the numpy solver, as a share of the step.
CLOSE = {torch.float64: 1e-10, torch.float32: 1e-4}
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def make_axis(kind: str, n: int = 160) -> np.ndarray:
    uneven = 500 + np.cumsum(np.random.default_rng(1).uniform(0.05, 0.4, n))
    axis = uneven if "uneven" in kind else np.linspace(500, 530, n)
    return axis[::-1].copy() if "descending" in kind else axis


def make_rows(axis: np.ndarray, rows: int = 200, seed: int = 0) -> np.ndarray:
    """Two peaks on a step each, falling or rising, with noise; every tenth has no background or a flat one."""
    rng = np.random.default_rng(seed)
    u = (axis - axis.min()) / np.ptp(axis)
    centres, width = rng.uniform(0.3, 0.7, (rows, 2, 1)), rng.uniform(0.02, 0.06, (rows, 1, 1))
    peaks = (rng.uniform(50, 200, (rows, 2, 1)) * np.exp(-((u - centres) ** 2) / (2 * width**2))).sum(1)
    share = cumulative_trapezoid(peaks, axis, initial=0)
    share /= share[:, -1:]
    share[::2] = 1 - share[::2]
    measured = 300 + peaks + rng.uniform(10, 30, (rows, 1)) * share + rng.normal(0, 0.2, (rows, len(axis)))
    measured[0::30] = 400 - 90 * u  # no peak
    measured[10::30] = 300 + 10 * u - peaks[10::30]  # peaks upside down
    measured[20::30] = 300 + peaks[20::30] * (abs(u - 0.5) < 0.3)  # no step
    return measured


def anchors(axis: np.ndarray) -> tuple[End, End]:
    s = np.sort(axis)
    return Anchor(Window(s[0], s[POINTS - 1])), Anchor(Window(s[-POINTS], s[-1]), offset=0.5)


def inner_anchors(axis: np.ndarray) -> tuple[End, End]:
    s = np.sort(axis)
    return Anchor(Window(s[4], s[14])), Endpoint(s[-6])


def assert_like_numpy(axis: np.ndarray, measured: Tensor, ends: tuple[End, End] | None) -> ShirleyTensors:
    """Equal statuses, places without a value, curves and numbers."""
    ours = shirley_background(axis, measured, ends=ends)
    theirs = separate_shirley(axis, measured.numpy(), ends=ends or (Endpoint(axis[0]), Endpoint(axis[-1])))
    close = CLOSE[measured.dtype]
    assert ours.background.dtype == ours.kappa.dtype == ours.net_area.dtype == measured.dtype
    assert_array_equal(np.array(STATUSES)[ours.status.numpy()], theirs.status)
    step = np.abs(np.diff(theirs.end_levels))
    assert_array_equal(ours.background.isnan(), np.isnan(theirs.background))
    off = np.abs(ours.background.numpy() - theirs.background) / np.where(step > 0, step, 300)
    assert np.nan_to_num(off).max() < close
    assert_allclose(ours.end_levels, theirs.end_levels, rtol=close / 100)
    assert_allclose(ours.kappa, theirs.kappa, rtol=close)
    assert_allclose(ours.net_area, theirs.net_area, rtol=close)
    return ours


@DTYPES
@pytest.mark.parametrize("ends", [lambda axis: None, anchors, inner_anchors])
@pytest.mark.parametrize("kind", ["even", "even descending", "uneven", "uneven descending"])
def test_it_equals_the_numpy_solver(kind: str, ends: Callable[[np.ndarray], Any], dtype: torch.dtype) -> None:
    axis = make_axis(kind)
    result = assert_like_numpy(axis, torch.as_tensor(make_rows(axis), dtype=dtype), ends(axis))
    assert {"ok", "no_solution", "negative_area"} <= {STATUSES[code] for code in result.status}


@DTYPES
def test_a_long_spectrum_equals_the_numpy_solver(dtype: torch.dtype) -> None:
    """20,000 samples: what rounding does to one of them must not add up."""
    axis = make_axis("even", 20_000)
    rows = np.delete(make_rows(axis, 12), [0, 10], axis=0)
    assert_like_numpy(axis, torch.as_tensor(rows, dtype=dtype), anchors(axis))


@DTYPES
@pytest.mark.parametrize("window", [(-19.5, -14.5), (-36.0, -27.0)])
def test_every_line_of_a_real_detector_image_is_solved(
    shared_data: Path, window: tuple[float, float], dtype: torch.dtype
) -> None:
    with h5py.File(shared_data / "xps" / "arpescape_011_XPS_sAl_350.h5") as file:
        image = file["Matrix"][()].reshape(391, 721)
    axis = -43 + 0.05 * np.arange(721)
    inside = (axis > window[0] - 1e-6) & (axis < window[1] + 1e-6)
    ends = tuple(Anchor(Window.between(axis[inside][i], axis[inside][j])) for i, j in ((0, 4), (-5, -1)))
    result = assert_like_numpy(axis, torch.as_tensor(image, dtype=dtype), ends)
    assert result.solved.all()


@DTYPES
@pytest.mark.parametrize("name", ["Au4f_KE_lg4xv2", "C1s_lg4x", "Fe2p_FeO", "Ni2p_NiO", "O1s_lg4x"])
def test_real_core_levels_equal_lmfitxps(shared_data: Path, name: str, dtype: torch.dtype) -> None:
    """A column computed by lmfitxps 4.2.0 to its tolerance; single precision adds that of the counts."""
    table = np.genfromtxt(shared_data / "xps" / "peer_shirley" / f"{name}.csv", delimiter=",", skip_header=1)
    axis, measured = table[:, 0], torch.as_tensor(table[:, 1], dtype=dtype)
    result = assert_like_numpy(axis, measured, None)
    step = float(result.end_levels.diff().abs())
    assert_allclose(result.background, table[:, 2], rtol=0, atol=max(1e-6, CLOSE[dtype]) * step)


def test_it_is_what_the_formula_of_the_paper_gives_back() -> None:
    """B(E) = I2 + (I1 - I2) A2(E) / A with A2 the net area above E: the definition, by scipy's trapezoid rule."""
    axis = make_axis("uneven")
    measured = make_rows(axis)
    result = shirley_background(axis, torch.as_tensor(measured))
    ok = (result.status == STATUSES.index("ok")).numpy()
    net = (measured - result.background.numpy())[ok]
    rest = cumulative_trapezoid(net[:, ::-1], -axis[::-1], initial=0)[:, ::-1]
    first, last = result.end_levels[ok].numpy().T[..., None]
    expected = last + (first - last) * rest / rest[:, :1]
    assert ok.sum() > 150
    assert (np.abs(result.background[ok].numpy() - expected) / np.abs(first - last)).max() < 1e-11
    assert_allclose(result.net_area[ok], rest[:, 0], rtol=1e-11)
    assert_allclose(result.kappa[ok] * result.net_area[ok], (first - last)[:, 0], rtol=1e-9)


@pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4), (1.0, -1e4)])
def test_a_scaled_and_lifted_spectrum_has_a_scaled_and_lifted_background(factor: float, offset: float) -> None:
    axis = make_axis("even")
    measured = torch.as_tensor(make_rows(axis))
    ends = inner_anchors(axis)
    plain, other = (shirley_background(axis, m, ends=ends) for m in (measured, factor * measured + offset))
    assert torch.equal(other.solved, plain.solved)
    ok = plain.solved & (plain.status != STATUSES.index("flat"))
    assert int(ok.sum()) > 150
    off = other.background - (factor * plain.background + offset)
    assert float((off[ok] / (factor * plain.end_levels[ok].diff())).abs().nan_to_num().max()) < 1e-7
    assert_allclose(other.kappa[ok], plain.kappa[ok], rtol=1e-7)


@DTYPES
@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e30])
def test_the_unit_of_the_axis_does_not_matter(factor: float, dtype: torch.dtype) -> None:
    axis = make_axis("uneven")
    measured = torch.as_tensor(make_rows(axis, 20), dtype=dtype)
    plain, stretched = shirley_background(axis, measured), shirley_background(factor * axis, measured)
    assert torch.equal(stretched.status, plain.status)
    assert_allclose(stretched.background, plain.background, rtol=CLOSE[dtype] / 10)
    assert_allclose(stretched.kappa * factor, plain.kappa, rtol=CLOSE[dtype])


@DTYPES
def test_the_direction_of_the_arrays_does_not_matter(dtype: torch.dtype) -> None:
    axis = make_axis("uneven")
    measured = torch.as_tensor(make_rows(axis), dtype=dtype)
    forth = shirley_background(axis, measured, ends=inner_anchors(axis))
    back = shirley_background(axis[::-1], measured.flip(-1), ends=inner_anchors(axis))
    assert_array_equal(back.background.flip(-1), forth.background)
    for name in ("kappa", "net_area", "end_levels", "status"):
        assert_array_equal(getattr(back, name), getattr(forth, name), err_msg=name)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": torch.clone,
    "transposed": lambda x: x.T.contiguous().T,
    "strided": lambda x: x.repeat_interleave(3, dim=-1)[..., ::3],
}


@DTYPES
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_bits_and_is_not_modified(layout: str, dtype: torch.dtype) -> None:
    axis = make_axis("even")
    native = torch.as_tensor(make_rows(axis, 30), dtype=dtype)
    given = LAYOUTS[layout](native)
    before = given.clone()
    result, again = (shirley_background(torch.as_tensor(axis), x) for x in (given, native))
    assert_array_equal(result.background, again.background)
    assert torch.equal(given, before)


@DTYPES
def test_many_at_once_are_each_on_its_own(dtype: torch.dtype) -> None:
    axis = make_axis("uneven")
    measured = torch.as_tensor(make_rows(axis, 60).reshape(3, 20, -1), dtype=dtype)
    together = shirley_background(axis, measured)
    assert together.end_levels.shape == (3, 20, 2)
    for place in np.ndindex(3, 20):
        alone = shirley_background(axis, measured[place])
        assert together.status[place] == alone.status
        for name in ("background", "kappa", "net_area"):
            close = 1e-9 if dtype == torch.float64 else 1e-4
            assert_allclose(getattr(together, name)[place], getattr(alone, name), rtol=close, err_msg=name)


def test_the_blocks_a_cpu_works_in_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = make_axis("uneven")
    found = []
    for block in (10**9, 3 * len(axis), 1):
        monkeypatch.setattr(direct, "_BLOCK", block)
        measured = torch.as_tensor(make_rows(axis, 40)).requires_grad_()
        result = shirley_background(axis, measured, ends=inner_anchors(axis))
        (result.net_area[result.solved] * torch.arange(int(result.solved.sum()))).sum().backward()
        found.append((result.background.detach(), result.status, measured.grad))
    for other in found[1:]:
        for part, whole in zip(other, found[0], strict=True):
            assert_allclose(part, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("leading", [(), (1,), (0,), (2, 0)])
def test_numbers_have_the_leading_shape_even_if_it_is_empty(leading: tuple[int, ...]) -> None:
    axis = make_axis("even")
    measured = torch.as_tensor(make_rows(axis, 2)[1]).expand(*leading, -1).clone().requires_grad_()
    result = shirley_background(axis, measured)
    assert result.background.shape == measured.shape
    assert result.kappa.shape == result.net_area.shape == result.status.shape == leading
    assert result.end_levels.shape == (*leading, 2)
    result.background.sum().backward()
    assert measured.grad is not None


@pytest.mark.parametrize("shift", [1.0, 0.98, 0.96, 0.94, 0.92])
def test_a_first_root_hidden_between_two_nodes_is_found(shift: float) -> None:
    """Close to where two roots merge and vanish, the height passes the step within a narrow range of kappa only.

    The row with the smallest step says where the nodes lie.
    """
    axis = np.linspace(0, 30, 301)
    net = 75 * np.exp(-((axis - 8) ** 2) / 0.98) + 100 * np.exp(-((axis - 22) ** 2) / 0.98)
    rest = cumulative_trapezoid(net, axis, initial=0)
    measured = net + 500 + 120 * (1 - rest / rest[-1])
    middles = (measured[1:] + measured[:-1])[::-1] / 2 - 500

    def height(kappa: float) -> float:
        return float(end_weights(make_grid(axis), np.array([kappa]))[0][0] @ middles)

    top = minimize_scalar(lambda kappa: -height(kappa), bounds=(0.05, 0.9), options={"xatol": 1e-9})
    below = 10.0 ** -np.arange(1, 9)
    steps = -top.fun * np.concatenate([[0.5 * shift], 1 - below, 1 + below])
    levels = torch.as_tensor(np.stack([500 + steps, np.full(17, 500.0)], axis=1))
    result = shirley_background(axis, torch.as_tensor(measured).expand(17, -1), end_levels=levels)
    assert result.solved.tolist() == [True] * 9 + [False] * 8
    assert_allclose([height(float(kappa)) for kappa in result.kappa[:9]], steps[:9], rtol=1e-12)
    assert (result.kappa[:9] < top.x).all()  # the first of the two


@DTYPES
def test_a_step_that_reaches_its_level_by_rounding_alone_has_no_background(dtype: torch.dtype) -> None:
    axis = np.linspace(0, 10, 201)
    falling = np.where(axis < 4, 150.0, 50.0)
    result = assert_like_numpy(axis, torch.as_tensor(np.stack([falling, 200 - falling]), dtype=dtype), None)
    assert (result.status == STATUSES.index("no_solution")).all()


# Gradients


def small_spectra() -> tuple[np.ndarray, Tensor]:
    axis = make_axis("uneven", 24)
    return axis, torch.as_tensor(make_rows(axis, 5, seed=4)[1:5]) / 100


@pytest.mark.parametrize("kind", ["even", "uneven descending"])
@pytest.mark.parametrize("window", [1, 4])
def test_the_gradient_for_the_data_is_that_of_central_differences(kind: str, window: int) -> None:
    axis = make_axis(kind, 24)
    measured = torch.as_tensor(make_rows(axis, 5, seed=4)[1:5]) / 100
    s = np.sort(axis)
    ends = tuple(Anchor(Window(s[a], s[b]), min_points=1) for a, b in ((0, window - 1), (-window, -1)))
    rising = shirley_background(axis, measured, ends=ends)
    assert rising.solved.all()
    assert 0 < int((rising.kappa > 0).sum()) < 4  # both directions
    assert torch.autograd.gradcheck(
        lambda m: shirley_background(axis, m, ends=ends)[:3], measured.requires_grad_(), rtol=1e-5, atol=1e-7
    )


def test_the_gradient_for_the_levels_is_that_of_central_differences() -> None:
    axis, measured = small_spectra()
    levels = shirley_background(axis, measured).end_levels
    assert torch.autograd.gradcheck(
        lambda m, e: shirley_background(axis, m, end_levels=e)[:3],
        (measured.requires_grad_(), levels.detach().requires_grad_()),
        rtol=1e-5,
        atol=1e-7,
    )


def test_at_equal_levels_the_gradient_is_that_of_a_vanishing_step() -> None:
    axis, measured = small_spectra()
    levels = torch.full((4, 2), 2.9, dtype=torch.float64)
    result = shirley_background(axis, measured, end_levels=levels)
    assert (result.status == STATUSES.index("flat")).all()
    assert (result.kappa == 0).all()
    assert (result.background == 2.9).all()
    assert torch.autograd.gradcheck(
        lambda m, e: shirley_background(axis, m, end_levels=e)[:3],
        (measured.requires_grad_(), levels.requires_grad_()),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_flat_line_with_nothing_above_it_follows_its_level_alone() -> None:
    """There is no net area for a step to grow on, so kappa does not move; nothing is divided by zero."""
    axis = make_axis("even", 24)
    measured = torch.full((24,), 5.0, dtype=torch.float64, requires_grad=True)
    levels = torch.tensor([5.0, 5.0], dtype=torch.float64, requires_grad=True)
    result = shirley_background(axis, measured, end_levels=levels)
    (result.background.sum() + result.kappa).backward()
    assert levels.grad is not None
    assert measured.grad is not None
    assert float(levels.grad.sum()) == 24
    assert (measured.grad == 0).all()


def test_the_gradient_is_the_one_by_which_numpy_propagates_standard_errors() -> None:
    """sigma_area squared is the sum of (d area / d sample x sigma) squared, windows included; so for a background."""
    axis = make_axis("uneven")
    rows = make_rows(axis, 2)[1]
    sigma = np.random.default_rng(2).uniform(0.1, 1, len(axis))
    theirs = separate_shirley(axis, rows, ends=anchors(axis), sigma=sigma)
    measured = torch.as_tensor(rows).requires_grad_()
    ours = shirley_background(axis, measured, ends=anchors(axis))
    for value, expected in (
        (ours.net_area, theirs.sigma_area),
        (ours.kappa, theirs.sigma_kappa),
        (ours.background[70], theirs.sigma_background[70]),
    ):
        (slope,) = torch.autograd.grad(value, measured, retain_graph=True)
        assert float((slope * torch.as_tensor(sigma)).norm()) == pytest.approx(float(expected), rel=1e-9)


def test_in_single_precision_the_gradient_is_that_of_double() -> None:
    axis = make_axis("even")
    rows = np.delete(make_rows(axis), slice(0, None, 10), axis=0)
    slopes = []
    for dtype in (torch.float32, torch.float64):
        measured = torch.as_tensor(rows, dtype=torch.float32).to(dtype).requires_grad_()
        shirley_background(axis, measured, ends=anchors(axis)).net_area.sum().backward()
        assert measured.grad is not None
        slopes.append(measured.grad.double())
    assert float((slopes[0] - slopes[1]).abs().amax(1).div(slopes[1].abs().amax(1)).max()) < 1e-3


def test_a_spectrum_without_a_background_contributes_no_gradient_whatever_comes_in() -> None:
    axis = make_axis("even")
    rows = make_rows(axis, 31)
    rows[5, 40] = np.nan
    rows[6, 0] = np.inf
    measured = torch.as_tensor(rows).requires_grad_()
    result = shirley_background(axis, measured, ends=anchors(axis))
    missing = ~result.solved
    assert {STATUSES[code] for code in result.status[missing]} == {"no_solution", "negative_area", "no_data"}
    assert result.background[missing].isnan().all()
    assert result.net_area[missing].isnan().all()
    (result.background.square().sum() + result.net_area.sum() * result.kappa.sum()).backward()  # NaN comes in
    assert measured.grad is not None
    assert (measured.grad[missing] == 0).all()


def test_a_loss_over_the_solved_spectra_poisons_no_batch() -> None:
    axis = make_axis("even")
    measured = torch.as_tensor(make_rows(axis, 31)).requires_grad_()
    result = shirley_background(axis, measured, ends=anchors(axis))
    solved = result.solved
    assert 0 < int(solved.sum()) < 31
    (measured - result.background)[solved].square().sum().backward()
    assert measured.grad is not None
    assert measured.grad.isfinite().all()
    assert (measured.grad[~solved] == 0).all()
    assert (measured.grad[solved] != 0).any(1).all()


def test_only_what_asks_for_a_gradient_gets_one() -> None:
    axis, measured = small_spectra()
    assert not shirley_background(axis, measured).background.requires_grad
    levels = shirley_background(axis, measured).end_levels.requires_grad_()
    result = shirley_background(axis, measured, end_levels=levels)
    assert result.background.requires_grad
    assert not result.status.requires_grad
    result.kappa.sum().backward()
    assert levels.grad is not None
    assert measured.grad is None


# Use in training


def test_gradient_descent_takes_the_background_out_of_a_row_of_weights() -> None:
    """The spectrum of a layer is where the power of its weights lies; descent lowers the share below Shirley's line."""
    energy = torch.linspace(0, 4, 161, dtype=torch.float64)
    weights = torch.randn(2, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights[:, :8] = weights[:, :8] / 8 + 2.5  # a peak
    weights.requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=0.02)
    losses = []
    for _ in range(12):
        size = weights.abs()
        spectrum = (size.square()[..., None] * torch.exp(-(((energy - size[..., None]) / 0.2) ** 2))).sum(1)
        result = shirley_background(energy, spectrum, end_levels=spectrum[:, [8, -1]])
        assert result.solved.all()
        loss = 1 - (result.net_area / torch.trapezoid(spectrum, energy)).mean()
        optimizer.zero_grad()
        loss.backward()
        assert weights.grad is not None
        assert weights.grad.isfinite().all()
        optimizer.step()
        losses.append(loss.item())
    assert np.all(np.diff(losses) < 0)
    assert losses[-1] < 0.8 * losses[0]


def test_mixed_precision_around_it_changes_nothing() -> None:
    axis = make_axis("even")
    measured = torch.as_tensor(make_rows(axis, 30), dtype=torch.float32)
    plain = shirley_background(axis, measured)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = shirley_background(axis, measured)
    assert_array_equal(mixed.background, plain.background)


def test_everything_is_made_on_the_device_of_the_data() -> None:
    """A tensor made on the default device, which here holds no values, could not be computed with."""
    axis = make_axis("even")
    measured = torch.as_tensor(make_rows(axis, 30)).requires_grad_()
    plain = shirley_background(axis, measured, ends=anchors(axis))
    with torch.device("meta"):
        result = shirley_background(axis, measured, ends=anchors(axis))
        result.net_area[result.solved].sum().backward()
    assert_array_equal(result.background.detach(), plain.background.detach())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@DTYPES
def test_a_gpu_gives_the_same(dtype: torch.dtype) -> None:
    axis = make_axis("uneven")
    measured = torch.as_tensor(make_rows(axis), dtype=dtype)
    here, there = shirley_background(axis, measured), shirley_background(axis, measured.cuda())
    assert there.background.device.type == "cuda"
    assert torch.equal(there.status.cpu(), here.status)
    assert_allclose(there.background.cpu(), here.background, rtol=CLOSE[dtype] / 10)


# The recursion


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 33, 100])
def test_the_rounds_of_joints_are_the_plain_recursion(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    loss = torch.rand(count, 5, dtype=torch.float64, generator=generator)
    loss[:, 0], loss[:, 1] = 1e-9, 1 - 1e-9
    inputs = torch.randn(count, 5, dtype=torch.float64, generator=generator)
    expected, value = [], torch.zeros(5, dtype=torch.float64)
    for lost, given in zip(loss, inputs, strict=True):
        value = (1 - lost) * value + given
        expected.append(value)
    assert_allclose(run_one_pole(loss, inputs), torch.stack(expected), rtol=1e-12, atol=1e-13)
    other = torch.randn(count, 5, dtype=torch.float64, generator=generator)
    there, back = (other * run_one_pole(loss, inputs)).sum(0), (run_back(loss, other) * inputs).sum(0)
    assert_allclose(there, back, rtol=1e-11)


def test_the_last_value_grows_with_kappa_as_its_differences_say() -> None:
    axis, measured = small_spectra()
    widths = torch.as_tensor(np.diff(axis))
    middles = (measured[:, :-1] + measured[:, 1:]).T / 2
    kappa = torch.tensor([0.01, 0.1, 0.5, 3.0], dtype=torch.float64)
    height, growth = measure_end(widths, middles, kappa)
    up, down = (measure_end(widths, middles, kappa * (1 + sign * 1e-6))[0] for sign in (1, -1))
    assert_allclose(growth, (up - down) / (2e-6 * kappa), rtol=1e-6)
    assert_array_equal(climb(widths, middles, kappa).curve[-1], height)


# What is refused


@pytest.mark.parametrize(
    ("measured", "keywords", "message"),
    [
        (np.zeros(160), {}, r"'measured' must be a tensor of float32 or float64; found ndarray"),
        (torch.zeros(160, dtype=torch.bfloat16), {}, r"found torch.bfloat16. Convert it with .float\(\)"),
        (torch.zeros(160, dtype=torch.int32), {}, "must be a tensor of float32 or float64; found torch.int32"),
        (torch.zeros(160, 3), {}, r"'measured' must end in the 160 samples of 'axis'; found 160 x 3"),
        (torch.zeros(()), {}, "must end in the 160 samples of 'axis'; found a single number"),
        (torch.zeros(4, 160), {"end_levels": [1.0, 2.0, 3.0]}, r"two numbers for each spectrum, 4 x 2; found 3\."),
        (torch.zeros(160), {"ends": (Endpoint(500), Endpoint(600))}, "'position' must lie on the axis"),
    ],
)
def test_what_cannot_be_used_is_refused(measured: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shirley_background(make_axis("even"), measured, **keywords)


def test_an_axis_that_goes_back_is_refused() -> None:
    axis = torch.tensor([0.0, 2.0, 1.0])
    with pytest.raises(ValueError, match="'axis' must go strictly up or strictly down"):
        shirley_background(axis, torch.zeros(3))
