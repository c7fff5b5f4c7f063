"""Laws of the application: any image, nothing invented, the books balanced."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import Tensor, nn

from napari_bgremove.errors import ComputeError
from napari_bgremove.images.normalization import measure_percentile_range
from napari_bgremove.images.tiles import GRID_OFFSETS
from napari_bgremove.learning.inference import ApplyOptions, options_of, predict_tiles, separate_image
from napari_bgremove.learning.model_file import ModelDescription, read_model, write_model
from napari_bgremove.learning.networks import AdditiveNetwork, NetworkSpec, build_network

EPS = float(np.finfo(np.float32).eps)
TILE = 16
OFFSETS = tuple((down // 8, right // 8) for down, right in GRID_OFFSETS)
SHAPES = [(1, 1), (1, 9), (9, 1), (7, 5), (15, 17), (16, 16), (33, 40), (48, 64)]


class Share(nn.Module):
    """A stub that gives a fixed share of every pixel to the background."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(share))
        self.batches: list[int] = []

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(x))
        return x - self.share * x, self.share * x


class Bright(nn.Module):
    """A stub that calls everything above a tenth of the range background; reads the pixels, unlike `Share`."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        background = (x - 0.1).clamp_min(0) * (0.5 + 0.5 * x.mean((1, 2, 3), keepdim=True))
        return x - background, background


def _options(**changes: Any) -> ApplyOptions:
    return ApplyOptions(**({"tile": TILE, "offsets": OFFSETS} | changes))


def _image(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    return (20 + 5 * rng.random(shape) + np.where(rng.random(shape) < 0.1, 300 * rng.random(shape), 0)).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def live() -> AdditiveNetwork:
    """A small untrained network whose background is neither 0 nor everywhere."""
    network = build_network(NetworkSpec(fields=(2, 2, 2, 2), latents=4), seed=0).eval()
    x = torch.from_numpy(_image((4 * TILE, TILE))).view(4, 1, TILE, TILE)
    x = measure_percentile_range(x.numpy()[:, 0]).apply(x.numpy()[:, 0])[:, None]
    head = network.head.conv
    head.bias.data.zero_()
    with torch.inference_mode():
        raw = head(network.latents(torch.from_numpy(x)))
    head.coefficients.data *= 0.3 / float(raw.std())
    head.bias.data -= 0.3 * float(raw.median() / raw.std())
    return network


def _separate(network: Any, image: Any, **changes: Any) -> Any:
    keys = ("valid_mask", "gap_values", "saturation", "on_tiles")
    gate = {key: changes.pop(key) for key in keys if key in changes}
    return separate_image(network, image, options=_options(**changes), **gate)


@pytest.mark.parametrize("normalization", ["conserving", "literal"])
def test_one_tile_equals_the_steps_done_by_hand(live: AdditiveNetwork, normalization: str) -> None:
    image = _image((TILE, TILE))
    result = _separate(live, image, offsets=((0, 0),), normalization=normalization)
    low, high = np.percentile(image, (1.0, 99.95))
    inside = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    with torch.inference_mode():
        s, n = (part.numpy()[0, 0].astype(float) for part in live(torch.from_numpy(inside)[None, None]))
    if normalization == "literal":
        signal, background = s * (high - low) + low, n * (high - low) + low
    else:
        beyond = image - low - inside * (high - low)
        share = np.divide(n, s + n, out=np.zeros_like(n), where=beyond > 0)
        signal, background = s * (high - low) + low + (1 - share) * beyond, n * (high - low) + share * beyond
    assert 0 < (n > 0).mean() < 1
    assert_allclose(result.signal, signal, rtol=1e-4, atol=1e-3)
    assert_allclose(result.background, background, rtol=1e-4, atol=1e-3)
    assert_allclose(result.uncertainty, 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("merge", ["weighted", "median", "mean"])
def test_the_parts_of_any_image_add_up_to_it_when_those_of_the_network_do(shape: tuple[int, int], merge: str) -> None:
    image = _image(shape)
    result = _separate(Bright(), image, merge=merge)
    for part in (result.signal, result.background, result.uncertainty, result.measured):
        assert part.shape == shape
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
    assert_array_equal(result.measured, image)
    assert_allclose(result.signal + result.background, image, rtol=8 * EPS)
    assert result.background.min() >= 0
    assert (result.background > 0).any() == (image.size > 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_measured_is_signal_plus_background_plus_residual(live: AdditiveNetwork, shape: tuple[int, int]) -> None:
    result = _separate(live, _image(shape))
    total = result.signal + result.background + result.residual
    assert_allclose(total, result.measured, rtol=1e-5, atol=1e-3)
    ledger = result.ledger()
    assert ledger["measured"] == pytest.approx(ledger["signal"] + ledger["background"] + ledger["residual"], rel=1e-9)
    assert result.background.min() >= 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("merge", ["weighted", "median", "mean"])
def test_a_network_that_finds_nothing_does_no_harm(shape: tuple[int, int], merge: str) -> None:
    image = _image(shape) - 30
    result = _separate(Share(0.0), image, merge=merge)
    assert_allclose(result.signal, image, rtol=0, atol=4 * EPS * np.abs(image).max())
    assert_array_equal(result.background, 0)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_a_constant_image_is_all_signal(live: AdditiveNetwork, value: float) -> None:
    """Its range has no width, so the network sees zeros; what it answers to them is at most of size one."""
    image = np.full((20, 30), value, np.float32)
    assert_allclose(_separate(Share(0.7), image).signal, value, rtol=2 * EPS)
    assert np.isfinite(_separate(live, image).signal).all()


@pytest.mark.parametrize("normalization", ["conserving", "literal"])
@pytest.mark.parametrize("merge", ["weighted", "median"])
def test_the_result_does_not_depend_on_the_batch(live: AdditiveNetwork, normalization: str, merge: str) -> None:
    image = _image((50, 45))
    one, many = (_separate(live, image, batch_size=n, normalization=normalization, merge=merge) for n in (1, 100))
    assert_allclose(one.signal, many.signal, rtol=1e-5, atol=1e-4)
    assert_allclose(one.background, many.background, rtol=1e-5, atol=1e-4)


def test_the_result_is_repeatable_and_the_image_unchanged(live: AdditiveNetwork) -> None:
    image = _image((40, 33))
    before = image.copy()
    image.flags.writeable = False
    one, two = _separate(live, image), _separate(live, image)
    assert_array_equal(one.signal, two.signal)
    assert_array_equal(image, before)
    assert not np.shares_memory(one.measured, image)


@pytest.mark.parametrize("layout", ["F", "reversed", ">f4", "f8", "masked"])
def test_layout_and_byte_order_do_not_matter(live: AdditiveNetwork, layout: str) -> None:
    image = _image((20, 27))
    other = {
        "F": np.asfortranarray(image), "reversed": np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1],
        "masked": np.ma.MaskedArray(image),
    }.get(layout)  # fmt: skip
    other = image.astype(layout) if other is None else other
    assert_array_equal(_separate(live, other).signal, _separate(live, image).signal)


def _gaps(shape: tuple[int, int]) -> np.ndarray:
    valid = np.ones(shape, bool)
    valid[:, 10:14] = valid[3, 5] = valid[30:, 30:] = False
    return valid


def test_unusable_pixels_are_missing_in_every_part_and_no_other_pixel_is(live: AdditiveNetwork) -> None:
    valid = _gaps((48, 50))
    image = np.where(valid, _image(valid.shape), np.nan)
    result = _separate(live, image)
    for part in (result.signal, result.background, result.uncertainty, result.measured):
        assert_array_equal(np.isfinite(part), valid)


def test_what_stands_in_an_unusable_pixel_does_not_reach_the_result(live: AdditiveNetwork) -> None:
    valid = _gaps((48, 50))
    image = _image(valid.shape)
    results = [
        _separate(live, np.where(valid, image, np.nan)),
        _separate(live, np.where(valid, image, 1e9), valid_mask=valid),
        _separate(live, np.where(valid, image, -7777), gap_values=(-7777,)),
        _separate(live, np.where(valid, image, 1e6), saturation=1e5),
    ]
    for other in results[1:]:
        assert_array_equal(other.signal, results[0].signal)
        assert_array_equal(other.background, results[0].background)


def test_a_tile_without_any_usable_pixel_spoils_nothing() -> None:
    image = _image((48, 64))
    image[:40, :40] = np.nan
    result = _separate(Bright(), image)
    seen = np.isfinite(image)
    assert_allclose((result.signal + result.background)[seen], image[seen], rtol=8 * EPS)


def test_an_image_without_usable_pixels_is_refused() -> None:
    with pytest.raises(ComputeError, match="'image' must have usable pixels"):
        _separate(Share(0.0), np.full((20, 20), np.nan))


def test_a_colour_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'image' must be a 2-D image.*Choose one channel"):
        _separate(Share(0.0), np.zeros((20, 20, 3)))


def test_literal_parts_add_up_to_the_image_plus_the_lower_bound() -> None:
    """reference/saxs-unet.md 0.7: each part gets the lower bound back, so it counts twice, and the top is cut off."""
    image = _image((TILE, TILE))
    result = _separate(Share(0.4), image, offsets=((0, 0),), normalization="literal")
    low, high = np.percentile(image, (1.0, 99.95))
    assert_allclose(result.signal + result.background, np.clip(image, low, high) + low, rtol=1e-5)


def test_literal_grids_leave_pixels_without_prediction_missing_and_out_of_the_ledger() -> None:
    image = _image((70, 75))
    result = _separate(Share(0.5), image, padded=False)
    seen = np.isfinite(result.signal)
    assert 0.5 < seen.mean() < 1
    assert_array_equal(np.isfinite(result.background), seen)
    assert result.ledger()["usable_pixels"] == seen.sum()
    assert result.ledger()["measured"] == pytest.approx(float(image[seen].sum(dtype=float)), rel=1e-6)


def test_the_uncertainty_is_the_spread_of_the_grids() -> None:
    """Independent implementation: four separations with one grid each, and numpy's standard deviation."""
    image = _image((40, 50))
    alone = [_separate(Bright(), image, offsets=(offset,)).signal for offset in OFFSETS]
    result = _separate(Bright(), image, merge="median")
    assert_allclose(result.uncertainty, np.std(alone, axis=0), rtol=1e-3, atol=1e-4)
    assert_allclose(result.signal, np.median(alone, axis=0), rtol=1e-5)
    assert result.uncertainty.max() > 0


class Small(Bright):
    """A stub on a device whose memory holds two tiles."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[int] = []

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.tried.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(x)


def test_out_of_memory_halves_the_batch_says_so_and_gives_the_same_result(caplog: pytest.LogCaptureFixture) -> None:
    image = _image((33, 40))
    network = Small()
    with caplog.at_level(logging.WARNING):
        result = _separate(network, image, batch_size=9, offsets=((0, 0),))
    assert network.tried == [9, 4, 2, 2, 2, 2, 1]
    assert [r.getMessage() for r in caplog.records] == [
        "out of memory: going on with a batch of 4",
        "out of memory: going on with a batch of 2",
    ]
    assert_array_equal(result.signal, _separate(Bright(), image, offsets=((0, 0),)).signal)


def test_progress_counts_every_tile_of_every_grid_once() -> None:
    calls: list[tuple[int, int]] = []
    _separate(Share(0.1), _image((40, 50)), batch_size=3, on_tiles=lambda *call: calls.append(call))
    done, totals = zip(*calls, strict=True)
    assert list(done) == sorted(set(done))
    assert set(totals) == {done[-1]}


def test_tiles_are_predicted_in_order_whatever_the_batch() -> None:
    tiles = np.random.default_rng(0).random((7, TILE, TILE)).astype(np.float32)
    network = Share(0.25)
    signal, background = predict_tiles(network, tiles, options=_options(batch_size=3))  # type: ignore[arg-type]
    assert network.batches == [3, 3, 1]
    assert_allclose(background, tiles / 4, rtol=1e-6)
    assert_allclose(signal, tiles * 0.75, rtol=1e-6)


def test_the_network_is_left_without_gradients(live: AdditiveNetwork) -> None:
    _separate(live, _image((16, 16)))
    assert all(p.grad is None for p in live.parameters())


def test_bfloat16_stays_close_to_float32(live: AdditiveNetwork) -> None:
    image = _image((32, 32))
    exact, rough = (_separate(live, image, precision=p) for p in ("float32", "bfloat16"))
    scale = float(np.percentile(image, 99.95) - np.percentile(image, 1))
    assert 0 < np.abs(exact.background - rough.background).max() < 0.05 * scale


def test_a_model_brings_the_options_it_was_trained_with(tmp_path: Any) -> None:
    network = build_network(NetworkSpec(fields=(1, 1, 1, 1), latents=1), seed=0)
    description = ModelDescription(
        network=network.spec, normalization="literal", percentiles=(2, 98), tile=64, merge="median", padded=False
    )
    write_model(tmp_path / "m", network, description)
    options = options_of(read_model(tmp_path / "m"), batch_size=3, padded=None)  # None changes nothing
    expected = ApplyOptions(
        normalization="literal", percentiles=(2, 98), tile=64, merge="median", padded=False, batch_size=3
    )
    assert options == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"normalization": "zscore"}, "'normalization' must be one of conserving, literal; found 'zscore'"),
        ({"merge": "max"}, "'merge' must be one of weighted, median, mean; found 'max'"),
        ({"precision": "float16"}, "'precision' must be one of float32, bfloat16; found 'float16'"),
        ({"tile": 100}, "'tile' must be a multiple of 8 pixels; found 100."),
        ({"tile": 0}, "'tile' must be a multiple of 8 pixels; found 0."),
        ({"batch_size": 0}, "'batch_size' must be above zero; found 0"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ApplyOptions(**changes)
