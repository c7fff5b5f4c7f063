"""What targets are made of: the reference values a calibration is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_bgremove._validation import describe_shape

__all__ = ["Composition"]


@dataclass(frozen=True, eq=False)
class Composition:
    """Reference values of some targets.

    Attributes
    ----------
    targets : tuple of str
        Each target once.
    names : tuple of str
        What is known of them: 'SiO2', 'TiO2', 'iodine value' ...
    values : ndarray, shape (targets, names), float64
        NaN where a value is not known.
    unit : str
        Of the values.

    Raises
    ------
    ValueError
        When a target or a name occurs twice, or the values have another shape.
    """

    targets: tuple[str, ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    unit: str = "wt%"

    def __post_init__(self) -> None:
        for what, labels in (("targets", self.targets), ("names", self.names)):
            twice = next((label for place, label in enumerate(labels) if label in labels[:place]), None)
            if twice is not None:
                msg = f"'{what}' of a composition must each occur once; found '{twice}' twice. Remove one."
                raise ValueError(msg)
        expected = (len(self.targets), len(self.names))
        if self.values.shape != expected or self.values.dtype.kind != "f":
            msg = (
                f"'values' of a composition must be real numbers, targets x names ({describe_shape(expected)}); found "
                f"{describe_shape(self.values.shape)} {self.values.dtype}."
            )
            raise ValueError(msg)

    def of_targets(self, targets: ArrayLike) -> NDArray[np.float64]:
        """Return the values of each target, shape (n, names); NaN for a target without any."""
        rows = {target: row for row, target in enumerate(self.targets)}
        known = np.vstack([self.values, np.full((1, len(self.names)), np.nan)])
        places = [rows.get(str(target), -1) for target in np.asarray(targets)]
        return np.asarray(known[np.asarray(places, int)], float)
