"""The page of a report card: what was measured, the tables, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_bgremove.evaluation.card_summary import HarmRow, LevelSummary, ReportCard
from napari_bgremove.evaluation.card_writers import as_markdown, harm_as_markdown, table_as_markdown

__all__ = ["HARM_BAR", "TITLES", "as_page"]

TITLES = {
    "sr90": "Real images, real Sr-90 hits",
    "weak": "Weak noise: doing nothing is the bar",
    "cosmic": "Real images, real cosmic-ray hits",
}
# What a method may take from an image without hits.
HARM_BAR = 0.01
# Two ways of applying a network that differ by less, in dB, are equally good.
TIE_DB = 0.1

_INTRODUCTION = """\
Made by `{command}` on {device}. Each test image is a real scattering image plus real high-energy hits recorded
elsewhere, summed; the 99th percentile of each 128 x 128 patch is scaled to the stated level. Every source but gimap is
a single image. PSNR is in the paper's normalisation (bounds from the noisy patch). The classical filters are tuned on
other hits with the source left out: *tuned* is the filter, family and parameters, that did best on the other sources;
*best in hindsight* is the tuned family that turns out best on the very source, which nobody could have chosen
beforehand. On cosmic rays the filters are those tuned on Sr-90: they meet them unprepared, as a model does. Flux bias
is the median over patches of abs(sum of the estimated signal / sum of the true signal - 1). The largest usable
scattering vector is given as a radius in pixels: up to it the mean of every ring is within 20 % of the truth; the files
have no common geometry that would turn it into a q. Ledger residual: what neither signal nor background holds, relative
to the sum measured.

No model was trained on any of these images or hits. The recipe of the bundled one was chosen among few by its figures
on the same images with the *other half* of the hits, so the images, though not the sums, had a say in it.
"""


def as_page(
    cards: Sequence[ReportCard],
    first: str,
    *,
    harm: Sequence[HarmRow] = (),
    varied: ReportCard | None = None,
    command: str,
    device: str,
) -> str:
    """Return the whole page as Markdown.

    Parameters
    ----------
    cards : sequence of ReportCard
        One per kind of hits.
    first : str
        The method that the figures show.
    harm : sequence of HarmRow
        What the methods take from images without hits.
    varied : ReportCard, optional
        `first` applied in other ways, one of them "literal".
    command, device : str
        What was typed, and what computed.
    """
    parts = ["# Report card\n", _INTRODUCTION.format(command=command, device=device)]
    parts += [f"## {TITLES[card.hits]}\n\n{as_markdown(card)}" for card in cards]
    if harm:
        parts.append(f"## Images without hits: do no harm\n\n{_harm_summary(harm)}\n{harm_as_markdown(harm)}")
    if varied is not None:
        card = next(card for card in cards if card.hits == varied.hits)
        parts.append(f"## The same network, applied in other ways\n\n{_variants(card, varied, first)}")
    parts.append("![Examples](report-card-examples.png)\n\n![Gains](report-card-gains.png)\n")
    return "\n".join(parts)


def _harm_summary(harm: Sequence[HarmRow]) -> str:
    """Return a line per method for the real and for the generated images."""
    cells = []
    for method in dict.fromkeys(row.method for row in harm):
        for kind, generated in (("real", False), ("generated", True)):
            rows = [row for row in harm if row.method == method and (row.source == "generated") is generated]
            if rows:
                worst = max(rows, key=lambda row: row.harm)
                above = sum(row.harm > HARM_BAR for row in rows)
                cells.append(
                    [
                        method,
                        kind,
                        f"{100 * float(np.median([row.harm for row in rows])):.2f} %",
                        f"{100 * worst.harm:.2f} % ({worst.file})",
                        f"{above} of {len(rows)}",
                    ]
                )
    head = ["method", "images", "median", "worst", f"above {HARM_BAR:.0%}"]
    return table_as_markdown(head, cells)


def _variants(card: ReportCard, varied: ReportCard, first: str) -> str:
    """Return the variants beside the default, and what they say of the normalisation."""
    levels = sorted({level.level_kev for level in varied.levels})
    found = {(level.method, level.level_kev): level for level in (*card.levels, *varied.levels)}
    names = [first, *dict.fromkeys(level.method for level in varied.levels)]
    head = ["applied", *(f"{what} {kev:g} keV" for kev in levels for what in ("PSNR (dB)", "abs flux bias"))]
    cells = [
        [f"**{name}** (default)" if name == first else name]
        + [text for kev in levels for text in _level_cells(found[name, kev])]
        for name in names
    ]
    return f"{table_as_markdown(head, cells)}\n{_normalization_verdict(found, levels, first)}"


def _level_cells(level: LevelSummary) -> tuple[str, str]:
    return f"{level.psnr_db:.2f}", f"{100 * level.flux_bias:.1f} %"


def _normalization_verdict(found: Mapping[tuple[str, float], LevelSummary], levels: Sequence[float], first: str) -> str:
    gains = [found[first, kev].psnr_db - found["literal", kev].psnr_db for kev in levels]
    texts = ", ".join(f"{gain:+.2f} dB at {kev:g} keV" for gain, kev in zip(gains, levels, strict=True))
    if max(map(abs, gains)) <= TIE_DB:
        verdict = "In PSNR that is a tie, so the energy decides, for *conserving*:"
    else:
        verdict = f"In PSNR that speaks for *{'conserving' if sum(gains) > 0 else 'literal'}*. Of the energy:"
    return (
        f"Conserving against literal normalisation, the same weights: {texts}. {verdict} literal clips what exceeds "
        "the 99.95th percentile of a patch and adds the lower bound to both parts, so that its parts do not add up to "
        "the measured image.\n"
    )
