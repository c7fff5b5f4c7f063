"""Find again the factors and windows that the filters of 1-D signals take by themselves.

    python benchmarks/tune_signal_filters.py [--count 150] [--json FILE]

For each filter every candidate is tried on generated spikes (noise 3) and
spectra (noise 0.3, 1 and 2), and its RMSE divided by the least that any
candidate reaches there. The candidate with the least mean of these four ratios
is printed beside the one in use, with what the one in use costs. Half a minute.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.evaluation.signal_metrics import measure_rmse
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.filters.signal_noise import estimate_sigma
from napari_bgremove.synthetic.signals import SignalPairs, make_spectra, make_spikes

Denoise = Callable[[np.ndarray, float], np.ndarray]
FACTORS = (0.25, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0)
WINDOWS = (3, 5, 7, 9, 11, 13)
SPARSE = [(domain, gamma) for domain in ("direct", "fourier") for gamma in (0.0, 0.3, 0.5, 0.8)]


def list_sets(count: int) -> list[SignalPairs]:
    """The signals that decide; other seeds than those of any test or table."""
    return [make_spikes(100, count), *(make_spectra(101, count, sigma=sigma) for sigma in (0.3, 1.0, 2.0))]


def by_factor(method: str, **parameters: object) -> Denoise:
    """A filter with its automatic number set to a factor times the estimated noise."""
    chosen = METHODS[method]

    def denoise(measured: np.ndarray, factor: float) -> np.ndarray:
        number = {chosen.automatic: factor * estimate_sigma(measured)[:, None]}
        return chosen.estimate(measured, **{**chosen.parameters, **parameters, **number})

    return denoise


def by_window(method: str) -> Denoise:
    return lambda measured, window: denoise_signals(measured, method=method, window=window).signal


def list_choices() -> dict[str, tuple[Denoise, tuple[float, ...], float]]:
    """What is chosen: how to denoise with a candidate, the candidates, and the one in use."""
    choices = {
        f"gmc {domain} gamma={gamma}": (
            by_factor("gmc", domain=domain, gamma=gamma),
            FACTORS,
            METHODS["gmc"].factor({"gamma": gamma}),
        )
        for domain, gamma in SPARSE
    }
    for method in ("soft_positive", "tv", "wavelet"):
        choices[method] = (by_factor(method), FACTORS, METHODS[method].factor({}))
    for method in ("wiener", "savitzky_golay", "median"):
        choices[method] = (by_window(method), WINDOWS, METHODS[method].parameters["window"])
    return choices


def find_ratios(denoise: Denoise, candidates: tuple[float, ...], sets: list[SignalPairs]) -> np.ndarray:
    """RMSE over the least of any candidate, shape (candidates, sets)."""
    errors = np.array([[measure_rmse(denoise(m, c), s).mean() for s, m in sets] for c in candidates])
    return errors / errors.min(axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=150, help="signals of each kind")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    sets, figures = list_sets(a.count), {}
    print(f"{'filter':<26}{'best':>6}{'mean ratio':>12}{'in use':>8}{'mean ratio':>12}   ratios of the one in use")
    for name, (denoise, candidates, used) in list_choices().items():
        tried = tuple(sorted({*candidates, used}))
        ratios = find_ratios(denoise, tried, sets)
        best, now = int(ratios.mean(axis=1).argmin()), tried.index(used)
        figures[name] = {"candidates": tried, "ratios": ratios.tolist(), "best": tried[best], "in use": used}
        print(
            f"{name:<26}{tried[best]:6.2f}{ratios[best].mean():12.3f}{used:8.2f}{ratios[now].mean():12.3f}   "
            + " ".join(f"{ratio:.3f}" for ratio in ratios[now])
        )
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
