"""How long denoising 1-D signals takes, beside the plain library call that does the same work.

    python benchmarks/signals.py [--count 1000] [--length 128] [--repeats 7] [--part filters] [--json FILE]

*filters*: generated spectra, many at once, with numbers given, so that both
sides do the same; theirs as a person would write it, with a loop over signals
where the library takes one at a time. What is judged is the whole call of
`denoise_signals`, which also checks the samples, copies them, keeps what was
taken away and writes down how; the filter alone stands beside it.

*network*: the prior-guided denoiser in numpy, 64 signals at once in single
precision, beside the same weights in torch on one thread.

All sides take turns in every repeat, each as often in a row as fills a fair
time; the medians of processor time are printed with their ratio, the bound it
should keep, and how far the results are apart. One thread is the fair setting:
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from math import ceil
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
#: Signals that go through a network at once, and the networks: channels at full resolution, samples of a signal.
BATCH, NETWORKS = 64, ((2, 100), (2, 128), (8, 100), (8, 128))
#: A side is called as often as takes this long, or the clock and the cache of another program decide.
LEAST_SECONDS = 0.03


class Row(NamedTuple):
    """Ours and a peer that does the same work, how many times as long ours may take, and the core of ours alone."""

    name: str
    peer_name: str
    ours: Denoise
    peer: Denoise
    bound: float
    measured: np.ndarray
    core: Denoise | None = None


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


def list_filter_rows(count: int, length: int) -> list[Row]:
    """Every filter beside the function it stands on."""
    measured = make_spectra(0, count, length=length, sigma=SIGMA).measured
    tv = partial(denoise_tv_chambolle, weight=WEIGHT)
    wavelet = partial(denoise_wavelet, sigma=SIGMA, wavelet="db2", method="BayesShrink", mode="soft")
    pairs: list[tuple[str, dict[str, object], str, Denoise]] = [
        (
            "wiener",
            {"sigma": "local", "pad": "zero"},
            "scipy.signal.wiener, one by one",
            one_by_one(partial(signal.wiener, mysize=5)),
        ),
        ("l1", {"weight": WEIGHT, "ends": "open"}, "scipy.fft and pywt.threshold", soften_frequencies),
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
            partial(denoise_whole, method=method, **given),
            peer,
            1.1,
            measured,
            core=partial(METHODS[method].estimate, **{**METHODS[method].parameters, **given}),
        )
        for method, given, name, peer in pairs
    ]


def denoise_whole(measured: np.ndarray, **given: object) -> np.ndarray:
    return denoise_signals(measured, **given).signal


def list_network_rows(_count: int, _length: int) -> list[Row]:
    """The network in numpy beside the same in torch, whose import the filters need not wait for."""
    import torch

    from napari_bgremove.learning.networks import PriorGuidedNet
    from napari_bgremove.numpy_network.network import NumpyPriorGuidedNet
    from napari_bgremove.numpy_network.spec import PriorGuidedSpec
    from napari_bgremove.numpy_network.weights import make_weights

    torch.set_num_threads(1)

    def make_row(width: int, length: int) -> Row:
        spec = PriorGuidedSpec(width=width)
        weights = make_weights(spec, 0, dtype=np.float32)
        network = PriorGuidedNet(spec).eval()
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})

        @torch.inference_mode()
        def denoise_by_torch(measured: np.ndarray) -> np.ndarray:
            return network(torch.from_numpy(measured)).numpy()

        measured = make_spectra(0, BATCH, length=length, sigma=SIGMA).measured.astype(np.float32)
        ours = NumpyPriorGuidedNet(spec, weights).forward
        return Row(f"width {width}, {length}", "torch, one thread", ours, denoise_by_torch, 3, measured)

    return [make_row(*network) for network in NETWORKS]


#: What can be timed; each part lists its rows when it is asked for, so that one needs not what another does.
PARTS: dict[str, Callable[[int, int], list[Row]]] = {"filters": list_filter_rows, "network": list_network_rows}


def compare(row: Row, repeats: int) -> dict[str, Any]:
    """Median processor times of a call of all sides, taken in turns after one run that is not counted."""
    sides = {"ours": row.ours, "peer": row.peer} | ({"core": row.core} if row.core else {})
    results = {side: denoise(row.measured) for side, denoise in sides.items()}
    calls = {
        side: max(1, ceil(LEAST_SECONDS / time_calls(denoise, row.measured, 1))) for side, denoise in sides.items()
    }
    times: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(repeats):
        for side in list(sides)[:: 1 if turn % 2 else -1]:
            times[side].append(time_calls(sides[side], row.measured, calls[side]))
    median = {side: statistics.median(taken) for side, taken in times.items()}
    ratios = {f"{side}_ratio": median[side] / median["peer"] for side in sides if side != "peer"}
    apart = max(float(np.abs(result - results["peer"]).max()) for result in results.values())
    return {"peer": row.peer_name, "seconds": median, **ratios, "bound": row.bound, "apart": apart}


def time_calls(denoise: Denoise, measured: np.ndarray, calls: int) -> float:
    """Processor seconds of one call, of several in a row."""
    start = time.process_time()
    for _ in range(calls):
        denoise(measured)
    return (time.process_time() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="signals at once, through a filter")
    parser.add_argument("--length", type=int, default=128, help="samples of a signal, for a filter")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--part", choices=tuple(PARTS), help="only this one")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    figures: dict[str, dict[str, dict[str, Any]]] = {}
    for part in [a.part] if a.part else PARTS:
        print(f"{part}: ours, peer, ratio (bound), ratio of the filter alone, results apart")
        figures[part] = {}
        for row in PARTS[part](a.count, a.length):
            f = figures[part][row.name] = compare(row, a.repeats)
            core = f" {f['core_ratio']:6.2f}" if row.core else 7 * " "
            shape = " x ".join(str(n) for n in row.measured.shape)
            print(
                f"  {row.name:<16}{shape:<12}{1e3 * f['seconds']['ours']:9.2f} ms {1e3 * f['seconds']['peer']:9.2f} ms "
                f"{f['ours_ratio']:6.2f} ({row.bound:g}){core} {f['apart']:8.1e}   {row.peer_name}"
            )
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
