"""A job as text: the command, or the Python lines, that do it again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from napari_bgremove.engine.jobs import SeparateJob, TrainJob
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

__all__ = ["as_command", "as_python", "as_python_for_image"]

# What `bgremove train` finds in the patch files, and a job does not say.
_FROM_PATCHES = (
    "patch", "signal_patches", "background_patches", "min_intensity", "mask_threshold", "mask_grow", "offsets",
)  # fmt: skip
# Options of `bgremove separate` that take no value: when true, when false.
_FLAGS = {"residual": ("--residual", ""), "padded": ("--padded", "--literal-grids")}


def as_command(job: SeparateJob | TrainJob, *, out: str = "") -> str:
    """Return the command line of a job.

    Parameters
    ----------
    job : SeparateJob or TrainJob
    out : str
        Run folder of a training.
    """
    if isinstance(job, SeparateJob):
        given = _given(job.model_dump(), _defaults(SeparateJob), leave_out=("kind", "inputs", "out"))
        words = ["bgremove", "separate", *job.inputs, "--out", job.out, *_options(given, _FLAGS)]
    else:
        own = _given(
            job.model_dump(), _defaults(TrainJob),
            leave_out=("kind", "recipe", "signal", "background", "validation_samples", "keep_every"),
        )  # fmt: skip
        numbers = _given(job.recipe.to_dict(), SaxsUnetRecipe().to_dict(), leave_out=_FROM_PATCHES)
        files = ["--signal", job.signal, "--background", job.background, "--out", out]
        words = ["bgremove", "train", *files, *_options({**own, **numbers})]
    return shlex.join(words)


def as_python(job: SeparateJob | TrainJob, *, out: str = "") -> str:
    """Return a script that does a job; the parameters are those of `as_command`."""
    if isinstance(job, SeparateJob):
        given = _given(job.model_dump(), _defaults(SeparateJob), leave_out=("kind", "inputs", "out"))
        arguments = [f"inputs={job.inputs!r}", f"out={job.out!r}", *(f"{n}={v!r}" for n, v in given.items())]
        return (
            "from napari_bgremove.engine.jobs import SeparateJob\n"
            "from napari_bgremove.engine.separate_run import run_separation\n\n"
            f"job = SeparateJob({_lines(arguments)})\n"
            "written = run_separation(job, emit=lambda event, **values: None)\n"
            "print(written)\n"
        )
    recipe = _given(job.recipe.to_dict(), SaxsUnetRecipe().to_dict(), leave_out=())
    own = _given(job.model_dump(), _defaults(TrainJob), leave_out=("kind", "recipe", "signal", "background"))
    arguments = [f"signal={job.signal!r}", f"background={job.background!r}", *(f"{n}={v!r}" for n, v in own.items())]
    return (
        "from pathlib import Path\n\n"
        "from napari_bgremove import SaxsUnetRecipe\n"
        "from napari_bgremove.engine.jobs import TrainJob\n"
        "from napari_bgremove.engine.run_folder import RunFolder\n"
        "from napari_bgremove.engine.train_run import create_run, run_training\n\n"
        f"recipe = SaxsUnetRecipe({_lines([f'{n}={v!r}' for n, v in recipe.items()])})\n"
        f"job = TrainJob({_lines(['recipe=recipe', *arguments])})\n"
        f"folder = RunFolder(Path({out!r}))\n"
        "create_run(folder, job)\n"
        "print(run_training(folder, job))\n"
    )


def as_python_for_image(load: str, job: SeparateJob) -> str:
    """Return a script that separates one image in memory.

    Parameters
    ----------
    load : str
        Lines that make `image`.
    job : SeparateJob
        Its options; inputs and output folder are not used.
    """
    changes = {name: getattr(job, name) for name in ("normalization", "merge", "padded", "precision", "batch_size")}
    given = _given(changes, _defaults(SeparateJob), leave_out=())
    device = [] if job.device == "auto" else [f"device=pick_device({job.device!r})"]
    options = ", ".join(["model", *(f"{n}={v!r}" for n, v in given.items()), *device])
    imports = "from napari_bgremove.learning.devices import pick_device\n" if device else ""
    gate = _given({"gap_values": job.gap_values, "saturation": job.saturation}, _defaults(SeparateJob), leave_out=())
    gated = "".join(f", {name}={value!r}" for name, value in gate.items())
    model = "BUNDLED_MODEL" if job.model is None else repr(job.model)
    return (
        "from napari_bgremove import BUNDLED_MODEL, read_model, separate_image\n"
        f"{imports}"
        "from napari_bgremove.learning.inference import options_of\n\n"
        f"{load}\n"
        f"model = read_model({model})\n"
        f"separation = separate_image(model.network, image, options=options_of({options}){gated})\n"
        "signal, background = separation.signal, separation.background\n"
        "print(separation.ledger())\n"
    )


def _defaults(model: type[SeparateJob] | type[TrainJob]) -> dict[str, Any]:
    return {name: field.default for name, field in model.model_fields.items()}


def _given(values: Mapping[str, Any], defaults: Mapping[str, Any], *, leave_out: tuple[str, ...]) -> dict[str, Any]:
    """Return what differs from the defaults."""
    return {n: v for n, v in values.items() if n not in leave_out and v != defaults.get(n)}


def _options(given: Mapping[str, Any], flags: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> Iterator[str]:
    for name, value in given.items():
        if isinstance(value, bool) and name in flags:
            yield flags[name][0 if value else 1]
        elif name == "gap_values":
            for gap in value:
                yield from ("--gap", f"{gap:g}")
        elif isinstance(value, tuple | list):
            yield from (f"--{name.replace('_', '-')}", *_tuple_words(name, value))
        else:
            yield from (f"--{name.replace('_', '-')}", str(value))


def _tuple_words(name: str, values: tuple[Any, ...] | list[Any]) -> list[str]:
    # Of any length, so one word with commas; a pair of numbers is two words.
    return [",".join(str(v) for v in values)] if name == "guides" else [str(v) for v in values]


def _lines(arguments: list[str]) -> str:
    return "\n" + "".join(f"    {argument},\n" for argument in arguments)
