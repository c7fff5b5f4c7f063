"""Ends of a background: which samples they take, which levels they give, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bgremove.spectra.ends import Anchor, End, Endpoint, Window, measure_level, place_ends

AXIS = np.linspace(0, 10, 101)


def test_a_window_is_closed_and_its_inner_edge_faces_the_other_end() -> None:
    first, last = place_ends(AXIS, (Anchor(Window(1, 2)), Anchor(Window(8, 9))))
    assert (first.start, first.stop, first.inner) == (10, 21, 20)
    assert (last.start, last.stop, last.inner) == (80, 91, 80)
    assert first.count == last.count == 11


def test_the_order_of_the_ends_does_not_matter() -> None:
    ends: tuple[End, End] = (Anchor(Window(1, 2)), Endpoint(9))
    assert place_ends(AXIS, ends) == place_ends(AXIS, ends[::-1])


def test_the_order_of_the_two_positions_of_a_window_can_be_left_to_it() -> None:
    assert Window.between(538, 536) == Window(536, 538)
    assert str(Window.between(538, 536)) == "536 to 538"


@pytest.mark.parametrize(("position", "sample"), [(3.0, 30), (3.04, 30), (3.06, 31), (-0.04, 0), (10.04, 100)])
def test_an_endpoint_takes_the_nearest_sample(position: float, sample: int) -> None:
    other = Endpoint(7) if position < 7 else Endpoint(1)
    assert sample in {end.inner for end in place_ends(AXIS, (Endpoint(position), other))}


def test_the_level_of_an_anchor_is_the_mean_over_its_window_plus_the_offset() -> None:
    values = np.random.default_rng(1).normal(50, 5, (3, 101))
    first, last = place_ends(AXIS, (Anchor(Window(1, 2), offset=-4.0), Anchor(Window(8, 9))))
    np.testing.assert_allclose(measure_level(first, values), [row[10:21].sum() / 11 - 4 for row in values])
    np.testing.assert_allclose(measure_level(last, values), [row[80:91].sum() / 11 for row in values])


def test_the_level_of_an_endpoint_is_the_one_given_or_the_sample() -> None:
    values = np.random.default_rng(1).normal(50, 5, (3, 101))
    first, last = place_ends(AXIS, (Endpoint(1, level=7.5), Endpoint(9)))
    np.testing.assert_array_equal(measure_level(first, values), [7.5] * 3)
    np.testing.assert_array_equal(measure_level(last, values), values[:, 90])
    assert (first.is_measured, last.is_measured) == (False, True)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((Endpoint(1),), "'ends' must be two anchors or endpoints; found 1"),
        (
            (Anchor(Window(1, 3)), Anchor(Window(2, 9))),
            "'ends' must not overlap; found window 1 to 3 and window 2",
        ),
        ((Anchor(Window(1, 3)), Endpoint(2)), "'ends' must not overlap"),
        ((Endpoint(2), Endpoint(2)), "'ends' must not overlap; found endpoint 2 and endpoint 2. Move them apart"),
        ((Endpoint(2), Endpoint(2.1)), "'ends' must have a sample between them; found none between endpoint 2 and"),
        (
            (Endpoint(1), Anchor(Window(8, 8.3))),
            "'window' 8 to 8.3 must hold at least 5 usable samples; found 4",
        ),
        ((Endpoint(1), Anchor(Window(20, 30))), "'window' must lie on the axis, 0 to 10; found 20 to 30"),
        ((Endpoint(-1), Endpoint(5)), "'position' must lie on the axis, 0 to 10; found -1"),
    ],
)
def test_ends_that_cannot_be_placed_are_named(ends: tuple[End, End], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        place_ends(AXIS, ends)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window(2, 1), "'window' must be two finite positions, the lower one first; found 2 and 1"),
        (lambda: Window(np.nan, 1), "'window' must be two finite positions"),
        (lambda: Anchor(Window(1, 2), min_points=0), "'min_points' must be at least 1; found 0"),
        (lambda: Anchor(Window(1, 2), offset=np.inf), "'offset' must be a finite number; found inf"),
        (lambda: Endpoint(np.nan), "'position' must be a finite number; found nan"),
        (lambda: Endpoint(1, level=np.nan), "'level' must be a finite number; found nan"),
        (lambda: Endpoint(1, sigma=-1), "'sigma' must be zero or above; found -1"),
    ],
)
def test_ends_that_make_no_sense_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
