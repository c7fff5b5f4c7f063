"""Calibrations of several representations as a table: columns for a spreadsheet, Markdown for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_bgremove._validation import check_choice, label_with_unit
from napari_bgremove.evaluation.calibration_result import Calibration, compare_rmse
from napari_bgremove.evaluation.card_writers import table_as_markdown

__all__ = ["calibrations_as_markdown", "tabulate_calibrations"]

_HEAD = ("output", "representation", "standards", "RMSE nested", "best of grid", "best setting", "usual nested setting")


def tabulate_calibrations(
    calibrations: Mapping[str, Calibration], *, reference: str, draws: int = 10_000
) -> dict[str, list[Any]]:
    """Return one line per output and representation, as columns (`io.columns.write_columns` takes them as they are).

    Parameters
    ----------
    calibrations : mapping of str to Calibration
        By the name of the representation; all of the same rows.
    reference : str
        The one that ratios are taken to, such as "raw".
    draws : int
        Of the paired bootstrap behind the intervals.

    Returns
    -------
    dict of str to list
        output, representation, unit, standards, rmse_nested, rmse_best,
        best_setting, usual_setting (the most frequent of the nested choices),
        and ratio, ratio_low, ratio_high: nested RMSE over that of the
        reference with its 95 % interval.

    Raises
    ------
    ValueError
        When the reference is none of them, or they are not of the same rows.
    """
    check_choice("reference", reference, tuple(calibrations))
    ratios = {
        name: compare_rmse(calibration, calibrations[reference], draws=draws)
        for name, calibration in calibrations.items()
    }
    columns: dict[str, list[Any]] = {}
    for output, label in enumerate(calibrations[reference].names):
        for name, calibration in calibrations.items():
            ratio = ratios[name]
            record = {
                "output": label,
                "representation": name,
                **_describe(calibration, output),
                "ratio": float(ratio.ratio[output]),
                "ratio_low": float(ratio.low[output]),
                "ratio_high": float(ratio.high[output]),
            }
            for column, value in record.items():
                columns.setdefault(column, []).append(value)
    return columns


def calibrations_as_markdown(calibrations: Mapping[str, Calibration], *, reference: str, draws: int = 10_000) -> str:
    """Return the same as a Markdown table; the lowest nested RMSE of each output is bold."""
    columns = tabulate_calibrations(calibrations, reference=reference, draws=draws)
    lowest: dict[str, float] = {}
    for output, rmse in zip(columns["output"], columns["rmse_nested"], strict=True):
        lowest[output] = min(rmse, lowest.get(output, np.inf))
    cells = []
    for values in zip(*columns.values(), strict=True):
        line = dict(zip(columns, values, strict=True))
        nested = f"{line['rmse_nested']:#.3g}"
        cells.append(
            [
                label_with_unit(line["output"], line["unit"]),
                line["representation"],
                str(line["standards"]),
                f"**{nested}**" if line["rmse_nested"] == lowest[line["output"]] else nested,
                f"{line['rmse_best']:#.3g}",
                line["best_setting"],
                line["usual_setting"],
                f"{line['ratio']:.3f} ({line['ratio_low']:.3f} to {line['ratio_high']:.3f})",
            ]
        )
    return table_as_markdown([*_HEAD, f"nested, times {reference} (95 %)"], cells)


def _describe(calibration: Calibration, output: int) -> dict[str, Any]:
    chosen = calibration.chosen[:, output]
    usual = int(np.bincount(chosen[chosen >= 0]).argmax())
    return {
        "unit": calibration.unit,
        "standards": int(np.count_nonzero(chosen >= 0)),
        "rmse_nested": float(calibration.rmse[output]),
        "rmse_best": float(calibration.best_rmse[output]),
        "best_setting": str(calibration.settings[calibration.best[output]]),
        "usual_setting": str(calibration.settings[usual]),
    }
