"""How long denoising 1-D signals takes, beside the plain library call that does the same work.

    python benchmarks/signals.py [--count 1000] [--length 128] [--repeats 7] [--part filters] [--json FILE]

Generated spectra, many at once, with numbers given, so that both sides do the
same; theirs as a person would write it, with a loop over signals where the
library takes one at a time. Both take turns in every repeat; the medians of
processor time are printed with their ratio, the bound it should keep, and how
far the results are apart. Beside the filter itself the whole call is timed,
which checks the samples, copies them, keeps what was taken away and writes
down how: a few passes over the data, of the order of the fastest filters.
One thread is the fair setting: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pywt
from scipy import fft, ndimage, signal
from skimage.restoration import denoise_tv_chambolle, denoise_wavelet

from napari_bgremove._files import atomic_write
from napari_bgremove.filters.signal_filters import METHODS, denoise_signals
from napari_bgremove.synthetic.signals import make_spectra

Denoise = Callable[[np.ndarray], np.ndarray]
SIGMA, WEIGHT, GAMMA = 1.0, 1.5, 0.8


class Row(NamedTuple):
    """Ours and a peer that does the same work, how many times as long ours may take, and ours with all around it."""

    name: str
    peer_name: str
    ours: Denoise
    peer: Denoise
    bound: float
    whole: Denoise | None = None


def one_by_one(denoise: Denoise) -> Denoise:
    """A library call that takes one signal, for many."""
    return lambda measured: np.stack([denoise(row) for row in measured])


def soften_frequencies(measured: np.ndarray) -> np.ndarray:
    """L1 in the Fourier domain, as PyWavelets and scipy give it."""
    frequencies = pywt.threshold(fft.rfft(measured, norm="ortho"), WEIGHT, "soft")
    return fft.irfft(frequencies, measured.shape[-1], norm="ortho")


def firm_samples(measured: np.ndarray) -> np.ndarray:
    """GMC of samples; as one row, since pywt.threshold_firm (1.8) enlarges values where all large ones lie in row 0."""
    return pywt.threshold_firm(measured.ravel(), WEIGHT, WEIGHT / GAMMA).reshape(measured.shape)


def list_filter_rows() -> list[Row]:
    """Every filter beside the function it stands on."""
    tv = partial(denoise_tv_chambolle, weight=WEIGHT)
    wavelet = partial(denoise_wavelet, sigma=SIGMA, wavelet="db2", method="BayesShrink", mode="soft")
    pairs: list[tuple[str, dict[str, object], str, Denoise]] = [
        ("wiener", {"pad": "zero"}, "scipy.signal.wiener, one by one", one_by_one(partial(signal.wiener, mysize=5))),
        ("l1", {"weight": WEIGHT}, "scipy.fft and pywt.threshold", soften_frequencies),
        (
            "gmc",
            {"weight": WEIGHT, "domain": "direct", "gamma": GAMMA},
            "pywt.threshold_firm",
            firm_samples,
        ),
        (
            "soft_positive",
            {"weight": WEIGHT},
            "pywt.threshold and numpy.maximum",
            lambda m: np.maximum(pywt.threshold(m, WEIGHT, "soft"), 0),
        ),
        ("tv", {"weight": WEIGHT}, "skimage denoise_tv_chambolle, one by one", one_by_one(tv)),
        ("wavelet", {"sigma": SIGMA}, "skimage denoise_wavelet, one by one", one_by_one(wavelet)),
        (
            "savitzky_golay",
            {},
            "scipy.signal.savgol_filter",
            partial(signal.savgol_filter, window_length=7, polyorder=2),
        ),
        ("median", {}, "scipy.ndimage.median_filter", partial(ndimage.median_filter, size=(1, 3), mode="nearest")),
    ]

    return [
        Row(
            method,
            name,
            partial(METHODS[method].estimate, **{**METHODS[method].parameters, **given}),
            peer,
            1.1,
            whole=partial(denoise_whole, method=method, **given),
        )
        for method, given, name, peer in pairs
    ]


def denoise_whole(measured: np.ndarray, **given: object) -> np.ndarray:
    return denoise_signals(measured, **given).signal


#: What can be timed; each part lists its rows when it is asked for, so that one needs not what another does.
PARTS: dict[str, Callable[[], list[Row]]] = {"filters": list_filter_rows}


def compare(row: Row, measured: np.ndarray, repeats: int) -> dict[str, Any]:
    """Median processor times of all sides, taken in turns after one run that is not counted."""
    sides = {"ours": row.ours, "peer": row.peer} | ({"whole": row.whole} if row.whole else {})
    results = {side: denoise(measured) for side, denoise in sides.items()}
    times: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(repeats):
        for side in list(sides)[:: 1 if turn % 2 else -1]:
            start = time.process_time()
            sides[side](measured)
            times[side].append(time.process_time() - start)
    median = {side: statistics.median(taken) for side, taken in times.items()}
    ratios = {f"{side}_ratio": median[side] / median["peer"] for side in sides if side != "peer"}
    apart = max(float(np.abs(result - results["peer"]).max()) for result in results.values())
    return {"peer": row.peer_name, "seconds": median, **ratios, "bound": row.bound, "apart": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="signals at once")
    parser.add_argument("--length", type=int, default=128, help="samples of a signal")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--part", choices=tuple(PARTS), help="only this one")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    measured = make_spectra(0, a.count, length=a.length, sigma=SIGMA).measured
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for part in [a.part] if a.part else PARTS:
        print(f"{part}: {a.count} signals of {a.length} samples; ours, peer, ratio (bound), whole call, results apart")
        figures[part] = {}
        for row in PARTS[part]():
            f = figures[part][row.name] = compare(row, measured, a.repeats)
            whole = f" {f['whole_ratio']:6.2f}" if row.whole else 7 * " "
            print(
                f"  {row.name:<16}{1000 * f['seconds']['ours']:9.2f} ms {1000 * f['seconds']['peer']:9.2f} ms "
                f"{f['ours_ratio']:6.2f} ({row.bound:g}){whole} {f['apart']:8.1e}   {row.peer_name}"
            )
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
