"""Background removal of layers (Qajar) beside what else makes a network small: one grid of strengths, one rule.

    python benchmarks/layer_background.py OUT [--tasks digits spectra] [--seeds 0 1 2 3 4] [--workers 1] [--quick]
                                          [--json FILE]

*digits*: the 8 x 8 digits of scikit-learn (pip install scikit-learn), 60 % to learn from, of which each
seed holds out another fifth for validation, 40 % for the test; three residual blocks of 128 hidden
neurons, AdamW at 2e-3 falling as a cosine, 60 epochs, batches of 64.
*spectra*: noisy generated spectra of 128 samples, fresh ones in every step; a convolutional denoiser of
three residual blocks 16 -> 48 -> 16, AdamW at 5e-3 falling as a cosine, 1000 steps of 32.

Every method adds strength x ramp x penalty to the loss, on the same hidden layers: nothing, squares (l2),
absolute values (l1), norms of units (group-lasso), norms over x + 0.1 (reweighted-lasso), and the three
gated ones of the product. Strength and ranking of units are chosen on validation data by the rule in
layer_bench/curves.py; the test data are looked at for the strengths so chosen, once.

Every training is kept in OUT, and an interrupted command goes on where it was: page, figures and numbers
come when all are there. Seconds are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="OUT", type=Path, help="of trainings, page and figures")
    parser.add_argument("--tasks", nargs="*", default=["digits", "spectra"], choices=("digits", "spectra"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each; 0: this one")
    parser.add_argument("--quick", action="store_true", help="one epoch at one strength, which shows that it runs")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    a = parser.parse_args()

    from layer_bench.bench import report_task

    from napari_bgremove._files import atomic_write

    reports = [report_task(a.folder, task, a.seeds, workers=a.workers, quick=a.quick) for task in a.tasks]
    warning = "**A quick run: no network is trained. These are no results.**\n\n" if a.quick else ""
    page = atomic_write(a.folder / "report.md", warning + "\n".join(one.as_markdown() for one in reports))
    if a.json:
        document = {one.task.name: one.as_document() for one in reports}
        atomic_write(a.json, json.dumps(document, indent=1) + "\n")
    print(page.read_text())


if __name__ == "__main__":
    main()
