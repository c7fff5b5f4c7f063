"""A look into models, and a removal of units, as text: the command or the Python lines that do it without a window."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from napari_bgremove.engine.spectra_source import SpectraSource

__all__ = ["inspection_as_command", "inspection_as_python", "removal_as_command", "removal_as_python"]


def inspection_as_command(models: Sequence[str]) -> str:
    """Return the command that shows the hidden layers of a model, or of two beside each other."""
    return shlex.join(["bgremove", "layers", "inspect", *models])


def inspection_as_python(models: Sequence[str]) -> str:
    """Return a script that prints the hidden layers of models, and keeps their spectra."""
    return "\n".join([
        "from pathlib import Path",
        "",
        "from napari_bgremove.engine.layer_report import inspect_layers",
        "",
        f"for model in {list(models)!r}:",
        "    print(model)",
        "    for layer in inspect_layers(Path(model)):",
        "        into, out = layer.into.spectrum, layer.out.spectrum",
        "        print(layer.name, layer.shape, layer.snr, layer.participation_ratio, layer.alive.sum())",
        "",
    ])  # fmt: skip


def removal_as_command(*, model: str, share: float, rule: str, judge: Mapping[str, Any], out: str) -> str:
    """Return the command that writes a model without its weakest units.

    Parameters
    ----------
    model : str
        File.
    share : float
        Of all hidden units that stay.
    rule : str
        How they are ranked.
    judge : mapping
        What the error is measured on: keywords of `removal_job.job_of`.
    out : str
        New file.
    """
    words = ["bgremove", "layers", "prune", model, "--keep", f"{share:g}", "--rule", rule, "--out", out]
    return shlex.join([*words, *_judge_words(judge)])


def removal_as_python(*, model: str, share: float, rule: str, judge: Mapping[str, Any], out: str) -> str:
    """Return a script that does it; the parameters are those of `removal_as_command`."""
    by = ", ".join(f"{name}={value!r}" for name, value in judge.items())
    return "\n".join([
        "from pathlib import Path",
        "",
        "from napari_bgremove.engine.layer_models import read_any_model",
        "from napari_bgremove.engine.layer_removal import predict_removal, remove_units_of",
        "from napari_bgremove.engine.removal_job import job_of",
        "from napari_bgremove.engine.removal_judge import RemovalJudge",
        "",
        f"model = read_any_model(Path({model!r}))",
        f"judge = RemovalJudge(job_of(model, {by}), model)",
        f"predicted = predict_removal(model, share={share:g}, rule={rule!r}, judge=judge)",
        "print(predicted.as_record())",
        f"print(remove_units_of(model, predicted, Path({out!r}), judge=judge))",
        "",
    ])  # fmt: skip


def _judge_words(judge: Mapping[str, Any]) -> list[str]:
    if "source" in judge:
        return list(SpectraSource.model_validate(judge["source"]).paths)
    options = {"generator": "--on"}
    return [
        word
        for name, value in judge.items()
        if value is not None
        for word in (options.get(name, f"--{name}"), str(value))
    ]
