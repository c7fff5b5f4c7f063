"""bgremove signals bench: the experiments of the paper on denoising, as tables and figures."""

from __future__ import annotations

from pathlib import Path

import click

from napari_bgremove.cli.options import OUT


@click.command("bench")
@OUT
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Trainings at a time, each of one thread."
)
@click.option(
    "--signals",
    "count",
    type=click.IntRange(2),
    default=1000,
    show_default=True,
    help="Signals of a run; there are three runs.",
)
@click.option("--quick", is_flag=True, help="Train for one short epoch only: shows that everything runs, not how well.")
def command(out: Path, workers: int, count: int, quick: bool) -> int:
    """Train what the tables need, and write them: report.md, tables.json and figures.

    Networks that are in OUT/models are used as they are, so an interrupted
    bench goes on where it was. All of it takes some two hours of one processor.
    """
    from napari_bgremove.cli.figure_files import write_figures
    from napari_bgremove.engine.signal_bench.report import draw_figures, write_report
    from napari_bgremove.engine.signal_bench.tables import draw_runs, list_tables
    from napari_bgremove.engine.signal_bench.trainings import EXPERIMENTS, read_trained, train_all

    models = out / "models"
    for name, seed, seconds in train_all(models, EXPERIMENTS, workers=workers, quick=quick):
        click.echo(f"{name}, seed {seed}: trained in {seconds:.0f} s")
    networks = {name: read_trained(models, name) for name in EXPERIMENTS}
    runs, tables = draw_runs(count), []
    for table in list_tables(networks, runs):
        click.echo(table.as_markdown())
        tables.append(table)
    figures = draw_figures(networks, runs)
    write_figures(out, figures)
    click.echo(f"Written to {write_report(out, tables, figures, networks, quick=quick)}")
    return 0
