"""Tune the classical filters of the report card again, each source left out in turn.

    python benchmarks/tune_baselines.py [--data FOLDER] [--json FILE] [--write]

A few minutes per level. Without --write the choice is compared with the
committed one and nothing is changed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from napari_bgremove.evaluation import baselines
from napari_bgremove.evaluation.baselines import read_tuning, tune_baselines, write_tuning
from napari_bgremove.evaluation.real_set import LEVELS_KEV, WEAK_LEVELS_KEV


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BGREMOVE_DATA", "../shared/data")))
    parser.add_argument("--json", type=Path, help="write the choice here")
    parser.add_argument("--write", action="store_true", help="replace the committed choice")
    a = parser.parse_args()
    tunings = {
        "sr90": tune_baselines(a.data, levels=LEVELS_KEV, hits="sr90"),
        "weak": tune_baselines(a.data, levels=WEAK_LEVELS_KEV, hits="weak", families=("raw",)),
    }
    for hits, tuning in tunings.items():
        committed = read_tuning(hits)
        for (level, source), choice in tuning.items():
            known = committed.get((level, source))
            label = choice.chosen.filter.label
            same = known is not None and known.chosen.filter == choice.chosen.filter
            verdict = "as committed" if same else "CHANGED"
            print(f"{hits:<6}{level:>6g} keV  {source:<10}{label:<36}{verdict}")
    committed_file = Path(baselines.__file__).parent / baselines.TUNING_FILE
    for target in filter(None, (a.json, committed_file if a.write else None)):
        write_tuning(target, tunings)


if __name__ == "__main__":
    main()
