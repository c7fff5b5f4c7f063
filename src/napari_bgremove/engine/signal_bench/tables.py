"""The tables of the experiments, each made of networks that are there and of signals drawn for it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_bgremove.engine.signal_bench.trainings import Trained
from napari_bgremove.evaluation.filter_tuning import AS_PUBLISHED, FAMILIES, tune_filter
from napari_bgremove.evaluation.signal_metrics import measure_rmse
from napari_bgremove.evaluation.signal_tables import HEADS, ComparedTable, Line, compare_pairwise, score_runs
from napari_bgremove.filters.sparse_denoising import make_fourier_frame, solve_sparse
from napari_bgremove.numpy_network.spec import NormMode
from napari_bgremove.recipes.denoiser import GENERATORS
from napari_bgremove.synthetic.signals import SignalPairs, estimate_spikes, make_two_sinusoids

__all__ = ["SIGMAS", "Runs", "denoise", "draw_runs", "list_tables", "sweep_two_sinusoids"]

Array = NDArray[np.float64]
Networks = Mapping[str, list[Trained]]

#: Noise of the generators.
SIGMAS: Mapping[str, float] = {"spikes": 3.0, "spectra": 1.0}
#: What the slides print, averaged over their three experiments.
PRINTED: Mapping[str, tuple[float, float]] = {
    "network, fixed": (1.84, 9.59),
    "network, unfixed": (1.81, 9.86),
    "Wiener": (2.40, 4.85),
    "FFT-L1": (2.44, 4.54),
    "FFT-GMC": (2.89, 1.66),
}
# Seeds of the signals: those of tables and of tuning are of no training, whose seeds are small.
_RUN_SEED, _TUNING_SEED = 10_000, 20_000
# Coefficients of the frame in Selesnick's problem.
_FREQUENCIES = 256


@dataclass(frozen=True)
class Runs:
    """What tables are made of: three runs of each generator, others to tune filters on, and two sinusoids."""

    runs: Mapping[str, list[SignalPairs]]
    tuning: Mapping[str, SignalPairs]
    sinusoids: SignalPairs


def draw_runs(count: int = 1000, *, tuning: int = 100, sinusoids: int = 200) -> Runs:
    """Draw so many signals of each kind, the same ones every time."""
    return Runs(
        {name: [make(_RUN_SEED + run, count) for run in range(3)] for name, make in GENERATORS.items()},
        {name: make(_TUNING_SEED, tuning) for name, make in GENERATORS.items()},
        make_two_sinusoids(_RUN_SEED, sinusoids),
    )


def list_tables(networks: Networks, runs: Runs) -> Iterator[ComparedTable]:
    """Make every table, one after the other.

    Parameters
    ----------
    networks : mapping of str to list of Trained
        All of `EXPERIMENTS`.
    runs : Runs
    """
    yield _compare_with_print(networks, runs)
    for signals in GENERATORS:
        yield _compare_all(networks, runs, signals)
    yield _compare_norms(networks, runs)
    yield _compare_priors(networks, runs)
    yield _compare_activations(networks, runs)
    yield _compare_two_sinusoids(runs.sinusoids)


def denoise(trained: Trained, norm: NormMode, measured: Array, *, scale: float | None = 1.0) -> Array:
    """Denoise signals that have the noise of the training, as they are; None brings others to it."""
    from napari_bgremove.learning.signal_inference import denoise_signals

    return np.asarray(denoise_signals(trained.model, measured, norm=norm, scale=scale).signal, np.float64)


def _score(
    trained: list[Trained], norm: NormMode, runs: list[SignalPairs], *, scale: float | None = 1.0
) -> dict[str, Any]:
    """Score the networks of several seeds on all runs, or a single one run by run."""
    networks = [partial(denoise, one, norm, scale=scale) for one in trained]
    return score_runs(networks[0] if len(networks) == 1 else networks, runs)


def _compare_with_print(networks: Networks, runs: Runs) -> ComparedTable:
    published: dict[str, Callable[[Array], Array]] = {
        "network, fixed": partial(denoise, networks["as-published"][0], "fixed"),
        "network, unfixed": partial(denoise, networks["as-published"][0], "signal"),
        **{one.label: one for one in AS_PUBLISHED},
    }
    lines = [
        Line("as published", name, {**score_runs(denoise, runs.runs["spikes"]), **_printed(name)})
        for name, denoise in published.items()
    ]
    text = (
        f"Three runs of {len(runs.runs['spikes'][0].signal)} spikes. The network is ours, trained by the recipe of the "
        "slides; the filters run as they were run there: L1 and GMC in the Fourier domain, on signals that are sparse "
        "in the direct one."
    )
    return ComparedTable("published", "The published table", text, tuple(lines), heads={**HEADS, **_HEADS})


def _printed(name: str) -> dict[str, float]:
    rmse, psnr = PRINTED[name]
    return {"printed_rmse": rmse, "printed_psnr": psnr}


_HEADS = {
    "printed_rmse": "RMSE in the slides",
    "printed_psnr": "PSNR in the slides",
    "settings": "numbers",
    "spread": "least and largest RMSE",
    "zeros": "share of zeros (%)",
    "standard_error": "standard error",
    "ratio": "difference / standard error",
}


def _compare_all(networks: Networks, runs: Runs, signals: str) -> ComparedTable:
    pairs, sigma, tuning = runs.runs[signals], SIGMAS[signals], runs.tuning[signals]
    lines = []
    if signals == "spikes":
        lines += [
            Line("as published", one.label, {**score_runs(one, pairs), "settings": one.settings})
            for one in AS_PUBLISHED
        ]
    tuned = [tune_filter(family, tuning.measured, tuning.signal, sigma=sigma) for family in FAMILIES]
    lines += [Line("tuned fairly", one.label, {**score_runs(one, pairs), "settings": one.settings}) for one in tuned]
    lines.append(Line("tuned fairly", "network", _score(networks[signals], "fixed", pairs)))
    if signals == "spectra":
        # As for a user: what it was trained on has a noise of 1, and every signal is brought to that.
        label_free = _score(networks["spectra-label-free"], "fixed", pairs, scale=None)
        lines.append(Line("label-free", "network, Noise2Self", label_free))
    lines.append(Line("reference", "measured", score_runs(lambda measured: measured, pairs)))
    if signals == "spikes":
        lines.append(Line("reference", "zeros", score_runs(np.zeros_like, pairs)))
        lines.append(Line("bound", "Bayes, sample by sample", score_runs(estimate_spikes, pairs)))
    text = (
        f"Three runs of {len(pairs[0].signal)}; numbers of filters tuned on {len(tuning.signal)} others. The network: "
        f"five seeds, trained on this generator, {_longest(networks[signals]):.0f} s of one thread at most."
    )
    return ComparedTable(signals, f"{signals.capitalize()}", text, tuple(lines), heads={**HEADS, **_HEADS})


def _longest(trained: list[Trained]) -> float:
    return max(one.seconds for one in trained)


def _compare_norms(networks: Networks, runs: Runs) -> ComparedTable:
    lines = []
    for signals in GENERATORS:
        pairs = runs.runs[signals]
        for size, name in ((1, f"{signals}-batch-1"), (16, f"{signals}-prior-off")):
            group = f"{signals}, trained with batches of {size}"
            lines.append(Line(group, "fixed", _score(networks[name], "fixed", pairs)))
            lines.append(Line(group, "unfixed, one signal at a time", _score(networks[name], "signal", pairs)))
        group = f"{signals}, trained without normalization"
        lines.append(Line(group, "-", _score(networks[f"{signals}-no-norm"], "fixed", pairs)))
    text = (
        "Five seeds each, without a prior. Unfixed is what a network is trained with whose batches are of one, fixed "
        "what it comes close to with larger ones. Batches of one: a tenth of the learning rate, and fewer signals in "
        "all, in more steps."
    )
    return ComparedTable("norms", "Batch normalization, fixed and unfixed", text, tuple(lines), {**HEADS, **_HEADS})


def _seed_errors(trained: list[Trained], runs: list[SignalPairs]) -> list[float]:
    return [
        float(np.mean([measure_rmse(denoise(one, "fixed", run.measured), run.signal).mean() for run in runs]))
        for one in trained
    ]


def _compare_priors(networks: Networks, runs: Runs) -> ComparedTable:
    lines = []
    for signals in GENERATORS:
        without = _seed_errors(networks[f"{signals}-prior-off"], runs.runs[signals])
        lines.append(Line(signals, "off", {"rmse": float(np.mean(without))}))
        for label, name in (("per sample", signals), ("mean over the batch", f"{signals}-prior-batch-mean")):
            errors = _seed_errors(networks[name], runs.runs[signals])
            lines.append(Line(signals, label, {"rmse": float(np.mean(errors)), **compare_pairwise(errors, without)}))
    text = (
        "Five seeds each, paired with the network of the same seed without a prior. A difference of less than two "
        "standard errors is none."
    )
    return ComparedTable("priors", "The prior, on and off", text, tuple(lines), heads={**HEADS, **_HEADS})


# The derivative of a hard threshold by its place is zero wherever there is one: it stays where it started.
_THRESHOLDS = {
    (penalty, threshold): "constant" if (penalty, threshold) == ("hard", "learnt") else threshold
    for penalty, threshold in product(("soft", "half", "hard", "firm"), ("learnt", "adaptive"))
}


def _compare_activations(networks: Networks, runs: Runs) -> ComparedTable:
    pairs = runs.runs["spectra"]
    names = {"BN + ReLU": "spectra-prior-off"} | {
        f"BN + {penalty} shrinkage, {_THRESHOLDS[penalty, threshold]} threshold": f"spectra-{penalty}-{threshold}"
        for penalty, threshold in _THRESHOLDS
    }
    lines = [
        Line("spectra", label, {**_score(networks[name], "fixed", pairs), "zeros": _zeros(networks[name], pairs[0])})
        for label, name in names.items()
    ]
    text = (
        "Five seeds each, without a prior. The shrinkage takes the place of the ReLU; a soft threshold before a ReLU "
        "would be ReLU(z - Lambda), no new function. Thresholds are one per channel, the same for every signal, or "
        "adaptive: from the local variance. Zeros among all features of the U-Net."
    )
    return ComparedTable("activations", "Sparse batch normalization", text, tuple(lines), heads={**HEADS, **_HEADS})


def _zeros(trained: list[Trained], pairs: SignalPairs) -> float:
    from napari_bgremove.learning.feature_sparsity import measure_zero_share

    return 100 * float(np.mean([measure_zero_share(one.model.network, pairs.measured[:200]) for one in trained]))


def sweep_two_sinusoids(pairs: SignalPairs) -> tuple[list[float], dict[str, list[float]]]:
    """Return weights, and the mean RMSE of L1 and GMC at each, on the problem GMC was published with."""
    frame = make_fourier_frame(pairs.signal.shape[1], _FREQUENCIES)
    weights = [float(weight) for weight in np.arange(0.5, 3.51, 0.25)]
    errors = {
        name: [
            float(
                measure_rmse(
                    solve_sparse(pairs.measured, frame=frame, weight=weight, gamma=gamma).signal, pairs.signal
                ).mean()
            )
            for weight in weights
        ]
        for name, gamma in (("L1", 0.0), ("GMC", 0.8))
    }
    return weights, errors


def _compare_two_sinusoids(pairs: SignalPairs) -> ComparedTable:
    weights, errors = sweep_two_sinusoids(pairs)
    lines = [
        Line("least over the weight", name, {"rmse": min(line), "weight": weights[int(np.argmin(line))]})
        for name, line in errors.items()
    ]
    text = (
        f"Two sinusoids of 100 samples, {_FREQUENCIES} frequencies, {len(pairs.signal)} draws of the noise (Selesnick "
        "2017): sparse in the Fourier domain, where GMC keeps what L1 makes smaller. The published table is no verdict "
        "on GMC."
    )
    return ComparedTable("two-sinusoids", "Where GMC wins", text, tuple(lines), heads={**HEADS, **_HEADS})
