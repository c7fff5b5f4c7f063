"""A network trained anew for every fold of a calibration, so that it has never seen the standard left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_bgremove.engine.spectra_separation import SpectraMethod
from napari_bgremove.recipes.spectroscopy_net import SpectroscopyNetRecipe
from napari_bgremove.spectra.spectra_set import SpectraSet

__all__ = ["refit_network"]

Clean = Callable[[SpectraSet], SpectraSet]


def refit_network(
    how: SpectraMethod, *, report: Callable[[int], None] = lambda fold: None
) -> Callable[[SpectraSet], Clean]:
    """Return what trains the network of a model file again, by its own recipe, on the spectra it is given.

    Nothing of the file's weights is used. The whole recipe is repeated, so
    that a calibration of n standards takes n trainings.

    Parameters
    ----------
    how : SpectraMethod
        With a model.
    report : callable
        Told the number of each fold before its training, from 0.

    Returns
    -------
    callable
        For `measure_calibration(refit_cleaner_per_fold=...)`.

    Raises
    ------
    ValueError
        When no model is named.
    ModelFileError
        When it cannot be used.
    """
    from napari_bgremove.learning.devices import limited_threads, pick_device
    from napari_bgremove.learning.model_file import LoadedSpectraModel, read_spectra_model
    from napari_bgremove.learning.spectrum_inference import SpectraOptions, separate_spectra
    from napari_bgremove.learning.training import Training

    if how.model is None:
        msg = "'how' must name a model to be trained again; found a classical method. Leave 'refit' out."
        raise ValueError(msg)
    recipe = recipe_of(read_spectra_model(how.model).description.recipe)
    device = pick_device(how.device)
    options = SpectraOptions(output=how.output, device=device, precision=how.precision, threads=how.threads)
    folds = iter(range(10**9))

    def fit(spectra: SpectraSet) -> Clean:
        report(next(folds))
        training, held = recipe.build_datasets(spectra)
        network = recipe.build_network(spectra)
        train_options = recipe.build_train_options(precision=how.precision)
        with limited_threads(how.threads):
            for _ in Training(network, recipe.build_objective(), training, held, train_options, device).run():
                pass
        model = LoadedSpectraModel(network.eval(), recipe.build_description(network, training), "", Path(), 0.0)

        def clean(whole: SpectraSet) -> SpectraSet:
            parts = separate_spectra(model, np.asarray(whole.spectra), axis=whole.axis, options=options)
            return whole.with_spectra(np.asarray(parts.signal))

        return clean

    return fit


def recipe_of(stored: dict[str, object]) -> SpectroscopyNetRecipe:
    """Return the recipe a model file tells of."""
    fields = {name: value for name, value in stored.items() if name != "name"}
    bands = fields.pop("signal_bands", ())
    pairs = tuple((float(low), float(high)) for low, high in bands)  # type: ignore[attr-defined]
    return replace(SpectroscopyNetRecipe(**fields), signal_bands=pairs)  # type: ignore[arg-type]
