"""A job as text: the command, or the Python lines, that do it again without a window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from napari_bgremove.engine.jobs import SeparateJob, TrainJob
from napari_bgremove.io.bundled import name_bundled
from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe
from napari_bgremove.spectra.layer_background import LayerBackground

__all__ = [
    "as_command",
    "as_python",
    "as_python_for_image",
    "mask_as_command",
    "mask_as_python",
    "patches_as_command",
    "patches_as_python",
]

# What `bgremove train` finds in the patch files, and a job does not say.
_FROM_PATCHES = (
    "patch", "signal_patches", "background_patches", "min_intensity", "mask_threshold", "mask_grow", "offsets",
)  # fmt: skip
# Options that take no value: when true, when false.
_FLAGS = {"residual": ("--residual", ""), "padded": ("--padded", "--literal-grids")}
_IMPORT_LAYER_BACKGROUND = "from napari_bgremove.spectra.layer_background import LayerBackground\n"
_TURNS = {"any_angle": ("--any-angle", "--right-angles")}


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
        given |= {"model": name_bundled(job.model) or job.model} if job.model else {}
        words = ["bgremove", "separate", *job.inputs, "--out", job.out, *_options(given, _FLAGS)]
    else:
        own = _given(
            job.model_dump(), _defaults(TrainJob),
            leave_out=(
                "kind", "recipe", "signal", "background", "validation_samples", "keep_every", "layer_background",
            ),
        )  # fmt: skip
        numbers = _given(job.recipe.to_dict(), SaxsUnetRecipe().to_dict(), leave_out=(*_FROM_PATCHES, "hidden"))
        files = ["--signal", job.signal, "--background", job.background, "--out", out]
        words = ["bgremove", "train", *files, *_options({**own, **numbers, **_layer_numbers(job.layer_background)})]
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
    apart = ("kind", "recipe", "signal", "background", "layer_background")
    own = _given(job.model_dump(), _defaults(TrainJob), leave_out=apart)
    term = job.layer_background
    own |= {} if term is None else {"layer_background": term}
    arguments = [f"signal={job.signal!r}", f"background={job.background!r}", *(f"{n}={v!r}" for n, v in own.items())]
    return (
        "from pathlib import Path\n\n"
        "from napari_bgremove import SaxsUnetRecipe\n"
        "from napari_bgremove.engine.jobs import TrainJob\n"
        "from napari_bgremove.engine.run_folder import RunFolder\n"
        "from napari_bgremove.engine.train_plan import create_run\n"
        "from napari_bgremove.engine.train_run import run_training\n"
        f"{'' if term is None else _IMPORT_LAYER_BACKGROUND}\n"
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
    word = "bundled" if job.model is None else name_bundled(job.model)
    model = repr(job.model) if word is None else f"{word.upper()}_MODEL"
    names = ", ".join([*([] if word is None else [model]), "read_model", "separate_image"])
    return (
        f"from napari_bgremove import {names}\n"
        f"{imports}"
        "from napari_bgremove.learning.inference import options_of\n\n"
        f"{load}\n"
        f"model = read_model({model})\n"
        f"separation = separate_image(model.network, image, options=options_of({options}){gated})\n"
        "signal, background = separation.signal, separation.background\n"
        "print(separation.ledger())\n"
    )


def mask_as_command(file: str, numbers: Mapping[str, Any], *, leave_out_hot_pixels: bool) -> str:
    """Return the command that proposes a signal mask for an image file.

    Parameters
    ----------
    file : str
    numbers : mapping
        threshold, window, grow and minimum_size, as in `estimate_signal_mask`.
    leave_out_hot_pixels : bool
    """
    hot = ["--leave-out-hot-pixels"] if leave_out_hot_pixels else []
    return shlex.join(["bgremove", "mask", file, "--out", "masks", *_options(numbers), *hot])


def mask_as_python(load: str, numbers: Mapping[str, Any], *, leave_out_hot_pixels: bool, rules: Any = None) -> str:
    """Return a script that makes a signal mask.

    Parameters
    ----------
    load : str
        Lines that make `image`.
    numbers : mapping or empty
        As in `mask_as_command`; empty without a proposal.
    leave_out_hot_pixels : bool
    rules : MaskRules, optional
        Added to the proposal.
    """
    lines = ["from napari_bgremove.images.gate import gate_image"]
    lines += ["from napari_bgremove.images.mask_rules import MaskRules, find_hot_pixels"]
    lines += ["from napari_bgremove.images.masks import estimate_signal_mask", "", load]
    if numbers:
        valid = ", valid_mask=~find_hot_pixels(image)" if leave_out_hot_pixels else ""
        lines += [f"mask = estimate_signal_mask(gate_image(image{valid}).values, {_arguments(numbers)})"]
    if rules is not None:
        lines += [f"mask = {'mask | ' if numbers else ''}{rules!r}.find(image)"]
    return "\n".join([*lines, "print(mask.mean())", ""])


def patches_as_command(files: Mapping[str, Sequence[str]], numbers: Mapping[str, Any], *, mask: str | None) -> str:
    """Return the command that cuts patches from image files.

    Parameters
    ----------
    files : mapping
        "xray_only" and "full": image files.
    numbers : mapping
        patch, signal_patches, background_patches (both in all), min_intensity, any_angle, seed.
    mask : str or None
        Mask file for all full shots.
    """
    words = [word for kind, paths in files.items() for path in paths for word in (f"--{kind.replace('_', '-')}", path)]
    given = {name: value for name, value in numbers.items() if value is not None}
    masked = [] if mask is None else ["--mask", mask]
    return shlex.join(["bgremove", "patches", *words, *masked, "--out", "patches", *_options(given, _TURNS)])


def patches_as_python(
    loads: Mapping[str, Sequence[tuple[str, str]]], numbers: Mapping[str, Any], *, mask: str | None
) -> str:
    """Return a script that cuts patches.

    Parameters
    ----------
    loads : mapping
        "xray_only" and "full": (name, lines that make `image`) of each.
    numbers : mapping
        patch, signal_count, background_count (of each image), min_intensity, any_angle, seed.
    mask : str or None
        Mask file for all full shots.
    """
    lines = ["import numpy as np", "", "from napari_bgremove.images.gate import gate_image"]
    lines += ["from napari_bgremove.images.patch_set import join_patch_sets"]
    lines += ["from napari_bgremove.images.patches import extract_background_patches, extract_signal_patches"]
    lines += ["from napari_bgremove.io.masks import read_mask"]
    lines += ["from napari_bgremove.io.patch_sets import write_patch_set", "", "signal, background = [], []"]
    for number, (name, load) in enumerate(loads["xray_only"]):
        how = {"count": numbers["signal_count"], "seed": numbers["seed"] + number}
        how |= {key: numbers[key] for key in ("patch", "min_intensity", "any_angle")} | {"name": name}
        lines += [load, f"signal.append(extract_signal_patches(gate_image(image).values, {_arguments(how)}))"]
    for number, (name, load) in enumerate(loads["full"]):
        how = {"count": numbers["background_count"], "seed": numbers["seed"] + number, "patch": numbers["patch"]}
        where = "np.zeros(image.shape, bool)" if mask is None else f"read_mask({mask!r}, shape=image.shape)"
        lines += [load, f"signal_mask = {where}"]
        how |= {"name": name}
        cut = f"extract_background_patches(gate_image(image).values, signal_mask, {_arguments(how)})"
        lines += [f"background.append({cut})"]
    lines += ['write_patch_set("signal.npz", join_patch_sets(signal))']
    return "\n".join([*lines, 'write_patch_set("background.npz", join_patch_sets(background))', ""])


def _layer_numbers(term: LayerBackground | None) -> dict[str, Any]:
    """Return the options of the term: the strength as what switches it on, the others by the names they have."""
    if term is None:
        return {}
    others = _given(asdict(term), asdict(LayerBackground()), leave_out=("strength",))
    return {"layer_background": term.strength, **{f"layer_{name}": value for name, value in others.items()}}


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


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
