"""What the numbers of a recipe must keep, said in one sentence each."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from napari_bgremove._validation import check_choice, check_positive, check_range

if TYPE_CHECKING:
    from napari_bgremove.recipes.saxs_unet import SaxsUnetRecipe

__all__ = ["check_hidden", "check_kinds", "check_number", "check_numbers", "check_saxs_unet", "check_whole", "refuse"]

# Whole numbers and their range. A side is limited as in a model file, a seed as in numpy and torch.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "patch": (8, 4096),
    "signal_patches": (1, 10**9),
    "background_patches": (1, 10**9),
    "mask_grow": (-4096, 4096),
    "latents": (1, 256),
    "epochs": (1, 10**9),
    "batch_size": (1, 10**6),
    "warmup_steps": (0, 10**9),
    "seed": (0, 2**32 - 1),
}
_POSITIVE = ("mask_threshold", "learning_rate")
_NOT_NEGATIVE = ("weight_decay", "rmse_weight", "flux_weight")
# Beyond, a float32 image overflows when it is scaled.
_MOST_DECADES = 12


def check_saxs_unet(recipe: SaxsUnetRecipe) -> None:
    """Raise ValueError, in one sentence, unless every number keeps its rule."""
    check_kinds(recipe)
    check_hidden(recipe.hidden)
    check_numbers(
        recipe, whole=_WHOLE, positive=_POSITIVE, not_negative=_NOT_NEGATIVE,
        others=("min_intensity", "hit_free_share", "validation_share"),
        optional=("min_intensity", "mask_threshold", "mask_grow"),
    )  # fmt: skip
    if recipe.patch % 8:
        refuse("patch", "be a multiple of 8 pixels", recipe.patch)
    check_range("hit_free_share", recipe.hit_free_share, 0, 1)
    if not 0 < recipe.validation_share < 1:
        refuse("validation_share", "lie between 0 and 1, both excluded", recipe.validation_share)
    _check_pairs(recipe)


def check_hidden(hidden: tuple[int, ...]) -> None:
    """Raise ValueError unless these are numbers of hidden units; whether of this network, its description decides."""
    if not all(isinstance(units, Integral) and units >= 1 for units in hidden):
        refuse("hidden", "be whole numbers from 1 on, one for each hidden layer, or none", hidden)


def check_kinds(recipe: Any) -> None:
    """Raise ValueError unless every field of few choices holds one of them, and every switch is one."""
    for name, hint in get_type_hints(type(recipe)).items():
        if get_origin(hint) is Literal:
            check_choice(name, getattr(recipe, name), get_args(hint))
        elif hint is bool and not isinstance(getattr(recipe, name), bool):
            refuse(name, "be true or false", getattr(recipe, name))


def check_numbers(
    recipe: Any,
    *,
    whole: Mapping[str, tuple[int, int]],
    positive: Collection[str] = (),
    not_negative: Collection[str] = (),
    others: Collection[str] = (),
    optional: Collection[str] = (),
) -> None:
    """Raise ValueError unless these fields of a recipe are numbers of their kind.

    Parameters
    ----------
    whole : mapping of str to (low, high)
        Whole numbers and their range, ends included.
    positive, not_negative : collection of str
    others : collection of str
        Finite numbers.
    optional : collection of str
        Which of all these may be None.
    """
    absent = {name for name in optional if getattr(recipe, name) is None}
    for name in sorted(whole.keys() - absent):
        check_whole(name, getattr(recipe, name), *whole[name])
    for name in sorted({*positive, *not_negative, *others} - absent):
        check_number(name, getattr(recipe, name))
    for name in sorted(set(positive) - absent):
        check_positive(name, getattr(recipe, name))
    for name in not_negative:
        if name not in absent and getattr(recipe, name) < 0:
            refuse(name, "not be negative", getattr(recipe, name))


def _check_pairs(recipe: SaxsUnetRecipe) -> None:
    for name in ("amplitude_decades", "percentiles"):
        if len(getattr(recipe, name)) != 2:
            refuse(name, "be two numbers", getattr(recipe, name))
        for value in getattr(recipe, name):
            check_number(name, value)
    for value in recipe.amplitude_decades:
        check_range("amplitude_decades", value, -_MOST_DECADES, _MOST_DECADES)
    if recipe.amplitude_decades[0] > recipe.amplitude_decades[1]:
        refuse("amplitude_decades", "be the lower and then the upper end", recipe.amplitude_decades)
    if not 0 <= recipe.percentiles[0] < recipe.percentiles[1] <= 100:
        refuse("percentiles", "rise, between 0 and 100", recipe.percentiles)
    if len(recipe.guides) > 8 or not all(
        isinstance(size, Integral) and size in range(3, 34, 2) for size in recipe.guides
    ):
        refuse("guides", "be at most 8 odd sizes between 3 and 33 pixels", recipe.guides)
    whole = all(isinstance(n, Integral) and n >= 0 for pair in recipe.offsets for n in pair)
    if not recipe.offsets or {len(pair) for pair in recipe.offsets} != {2} or not whole:
        refuse("offsets", "be pairs of rows and columns, whole and not negative", recipe.offsets)


def refuse(name: str, rule: str, found: Any) -> NoReturn:
    """Say which rule a field breaks, and what was found."""
    text = " ".join(str(value) for value in found) if isinstance(found, tuple) else str(found)
    msg = f"'{name}' must {rule}; found {text or 'none'}."
    raise ValueError(msg)


def check_number(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number."""
    if not isinstance(value, Real) or not math.isfinite(value):
        refuse(name, "be a finite number", value)


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless `value` is a whole number in this range."""
    if not isinstance(value, Integral):
        refuse(name, "be a whole number", value)
    check_range(name, int(value), low, high)
