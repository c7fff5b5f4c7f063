"""Figures of layer spectra: what is drawn is what the spectra hold, and what does not exist is told."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_bgremove.evaluation.layer_figures import draw_layer_spectra
from napari_bgremove.spectra.layer_spectrum import make_layer_spectrum

SPECTRUM = make_layer_spectrum(np.r_[np.full(6, 0.05), 1.0, 1.1, 1.3])
OTHER = make_layer_spectrum(np.linspace(0.5, 1.5, 9))
FALLING = make_layer_spectrum(np.linspace(1, 0.02, 20_000) ** -0.5)  # of density e^-3: nothing stands out


def test_a_layer_of_one_model_is_drawn_whole() -> None:
    plot, _, gate, *_ = draw_layer_spectra({"a": {"inc, into": SPECTRUM}}).axes
    assert plot.get_title() == "inc, into"
    curve, rug, residual, *_ = plot.lines
    assert_array_equal(curve.get_ydata(), SPECTRUM.spectrum)
    assert_array_equal(rug.get_xdata(), SPECTRUM.x)
    assert_array_equal(residual.get_ydata(), SPECTRUM.residual)
    assert_array_equal(gate.lines[0].get_ydata(), SPECTRUM.gate)
    assert plot.texts[0].get_text() == f"SNR {SPECTRUM.snr:.3g}"
    (shaded,) = plot.collections
    low = SPECTRUM.window[0]
    top = max(y for x, y in shaded.get_paths()[0].vertices if x < low)
    assert top == pytest.approx(SPECTRUM.spectrum[SPECTRUM.axis < low].max())  # below the window all is background


def test_two_models_lie_one_over_the_other_without_residual_and_gate() -> None:
    figure = draw_layer_spectra({"naive": {"inc": OTHER, "up1": OTHER}, "regularised": {"inc": SPECTRUM}})
    first, second = figure.axes
    curves = [line for line in first.lines if len(line.get_xdata()) > 9]
    for line, spectrum in zip(curves, (OTHER, SPECTRUM), strict=True):
        assert_array_equal(line.get_ydata(), spectrum.spectrum)
    assert len({line.get_color() for line in curves}) == 2
    assert first.get_xlim()[1] == max(OTHER.axis[-1], SPECTRUM.axis[-1])
    assert len(second.texts) == 1  # a layer that only one of them has
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["naive: J", "naive: background", "regularised: J", "regularised: background"]


def test_where_no_background_exists_it_is_told_and_not_drawn() -> None:
    figure = draw_layer_spectra({"a": {"inc": FALLING, "down1": make_layer_spectrum(np.zeros(4))}})
    first, second = figure.axes
    assert (first.texts[0].get_text(), second.texts[0].get_text()) == ("no Shirley background exists", "no energy")
    assert not first.collections
    figure.savefig(io.BytesIO(), format="png")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="'models' must have a layer to draw; found none"):
        draw_layer_spectra({"a": {}})
