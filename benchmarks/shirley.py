"""How long Shirley backgrounds take, directly and by the ways in use today, side by side in one run.

    python benchmarks/shirley.py [--rows 4000] [--samples 500] [--repeats 3] [--json FILE]

One spectrum of 601 samples, then two seeded maps of doublets, on steps as small
as those of most core levels and on larger ones. Their first and last samples
are means over many, as anchor windows would give. Solved directly (with and
without standard errors), by a plain vectorised iteration that sweeps the whole
map until the slowest spectrum has settled to 1e-12 of its step, by one that
drops the spectra that have settled, and, where it is installed, by lmfitxps,
called once per spectrum. The ways take turns in every repeat; the medians are
printed, of wall and of processor time (the one to compare on a busy machine),
how many times longer each takes than the direct solution without and with
standard errors, how far it is from that solution, and how many spectra end
elsewhere: on a background with a negative net area, or on none. Small steps
are where iterating does best; there the direct solution is compared with a
single sweep of the plain iteration as well, which nothing that needs two can
beat.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from napari_bgremove._files import atomic_write
from napari_bgremove.spectra.ends import Endpoint
from napari_bgremove.spectra.shirley import separate_shirley

Way = Callable[[np.ndarray, np.ndarray], np.ndarray]
NOISE, AVERAGED, TOLERANCE, MOST_SWEEPS = 0.5, 60, 1e-12, 1000
# Not the same background any more: sweeps can settle on one with a negative net area, or on none.
ELSEWHERE = 1e-6
# Real core levels leave 0.05 to 0.35 of the error per sweep; in a map the slowest spectrum decides.
MILD, STEEP = 0.35, 0.7


def make_map(rows: int, samples: int, slowest: float) -> tuple[np.ndarray, np.ndarray]:
    """Doublets of many heights, widths and distances on a falling step, with noise but at both ends.

    The step decides how fast sweeps converge: the share of the error that
    each leaves is kappa D / sqrt(pi^2 + ln^2(a / b)), drawn up to `slowest`.
    """
    rng = np.random.default_rng(20)
    axis = np.linspace(0, 34, samples)
    centre, distance, width = (rng.uniform(a, b, (rows, 1)) for a, b in ((9, 11), (6, 12), (0.8, 1.5)))
    other = rng.uniform(0.5, 0.9, (rows, 1))
    peaks = 100 * np.exp(-0.5 * ((axis - centre) / width) ** 2)
    peaks += 100 * other * np.exp(-0.5 * ((axis - centre - distance) / width) ** 2)
    rest = np.cumsum(peaks, axis=1)
    area = rest[:, -1:] * (axis[1] - axis[0])
    step = rng.uniform(0.1, slowest, (rows, 1)) * area / distance * np.hypot(np.pi, np.log(other))
    noise = rng.normal(0, NOISE, (rows, samples))
    noise[:, [0, -1]] /= np.sqrt(AVERAGED)
    return axis, 500 + peaks + step * (1 - rest / rest[:, -1:]) + noise


def solve(axis: np.ndarray, measured: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """Our direct solution."""
    return separate_shirley(axis, measured, ends=(Endpoint(axis[0]), Endpoint(axis[-1])), sigma=sigma).background


def solve_with_errors(axis: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """With the standard errors of kappa, net area and background."""
    return solve(axis, measured, sigma=NOISE)


def sweep_all(axis: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Sweep every spectrum until the slowest has settled."""
    background = np.repeat(measured[:, -1:], len(axis), axis=1)
    for _ in range(MOST_SWEEPS):
        new = _sweep(axis, measured, background)
        moving = _has_moved(new, background).any()
        background = new
        if not moving:
            break
    return background


def sweep_once(axis: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """A single sweep, and the check whether it has settled: what each of the many costs."""
    background = np.repeat(measured[:, -1:], len(axis), axis=1)
    new = _sweep(axis, measured, background)
    _has_moved(new, background)
    return new


def sweep_unsettled(axis: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Sweep only the spectra that have not settled."""
    background = np.repeat(measured[:, -1:], len(axis), axis=1)
    active = np.arange(len(measured))
    for _ in range(MOST_SWEEPS):
        new = _sweep(axis, measured[active], background[active])
        moving = _has_moved(new, background[active])
        background[active] = new
        active = active[moving]
        if not active.size:
            break
    return background


def _sweep(axis: np.ndarray, measured: np.ndarray, background: np.ndarray) -> np.ndarray:
    net = measured - background
    rest = np.zeros_like(net)
    rest[:, :-1] = np.cumsum(((net[:, 1:] + net[:, :-1]) / 2 * np.diff(axis))[:, ::-1], axis=1)[:, ::-1]
    return measured[:, -1:] + (measured[:, :1] - measured[:, -1:]) * rest / rest[:, :1]


def _has_moved(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    return np.abs(new - old).max(1) > TOLERANCE * np.abs(new[:, 0] - new[:, -1])


def call_lmfitxps(axis: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """One by one; it stops at a mean square change in counts, here as small as is of use."""
    from lmfitxps.backgrounds import shirley_calculate

    with contextlib.redirect_stdout(io.StringIO()):  # it prints where it has not converged
        return np.stack([shirley_calculate(axis, row, tol=1e-18, maxit=500) for row in measured])


def list_ways() -> dict[str, Way]:
    """Everything that can be timed here."""
    ways: dict[str, Way] = {
        "direct": solve,
        "direct, with errors": solve_with_errors,
        "iteration, settled dropped": sweep_unsettled,
        "iteration, plain": sweep_all,
        "iteration, one sweep": sweep_once,
    }
    return ways | ({"lmfitxps, one by one": call_lmfitxps} if find_spec("lmfitxps") else {})


def compare(axis: np.ndarray, measured: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Median times of each way, and its largest difference from the first as a share of the step."""
    wall: dict[str, list[float]] = {name: [] for name in list_ways()}
    processor: dict[str, list[float]] = {name: [] for name in wall}
    backgrounds: dict[str, np.ndarray] = {}
    turns = list(list_ways().items())
    for turn in range(repeats):
        first = turn % len(turns)  # what runs after another finds the caches full of that
        for name, way in turns[first:] + turns[:first]:
            starts = time.perf_counter(), time.process_time()
            backgrounds[name] = way(axis, measured)
            wall[name].append(time.perf_counter() - starts[0])
            processor[name].append(time.process_time() - starts[1])
    step = np.abs(measured[:, 0] - measured[:, -1])
    away = {n: np.abs(background - backgrounds["direct"]).max(axis=1) / step for n, background in backgrounds.items()}
    median = {name: statistics.median(times) for name, times in processor.items()}
    return {
        name: {
            "seconds": statistics.median(wall[name]),
            "processor_seconds": median[name],
            "times_direct": median[name] / median["direct"],
            "times_direct_with_errors": median[name] / median["direct, with errors"],
            "difference": float(away[name].max(where=away[name] < ELSEWHERE, initial=0)),
            "elsewhere": int(np.count_nonzero(~(away[name] < ELSEWHERE))),
        }
        for name in wall
    }


def report(title: str, axis: np.ndarray, measured: np.ndarray, repeats: int) -> dict[str, dict[str, float]]:
    """Compare the ways on one map; print and return the figures."""
    figures = compare(axis, measured, repeats)
    print(f"{title}: wall, processor, times direct without and with errors, difference / step, spectra elsewhere")
    for name, f in figures.items():
        print(
            f"  {name:<28}{1000 * f['seconds']:11.2f} ms {1000 * f['processor_seconds']:11.2f} ms "
            f"{f['times_direct']:8.1f} x {f['times_direct_with_errors']:7.1f} x {f['difference']:10.1e} "
            f"{f['elsewhere']:6d}"
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3, help="of the maps; the single spectrum is repeated 30 x more")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    size = f"{a.rows} x {a.samples} samples"
    figures: dict[str, Any] = {
        "spectrum": report("1 x 601 samples", *make_map(1, 601, MILD), 30 * a.repeats),
        "mild map": report(f"{size}, small steps", *make_map(a.rows, a.samples, MILD), a.repeats),
        "steep map": report(f"{size}, large steps", *make_map(a.rows, a.samples, STEEP), a.repeats),
    }
    if find_spec("lmfitxps") is None:
        print("lmfitxps is not installed and left out. To compare with it: pip install lmfitxps")
    if a.json:
        atomic_write(a.json, json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
