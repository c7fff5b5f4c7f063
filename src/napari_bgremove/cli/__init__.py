"""`bgremove`: the headless twin of every panel.

One module per command, imported when the command is called, so that
`bgremove --help` never waits for torch.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata

import click

from napari_bgremove.cli.lazy_group import LazyGroup
from napari_bgremove.errors import EXPECTED

__all__ = ["main"]

_DEBUG = "BGREMOVE_DEBUG"

COMMANDS = {
    "mask": "Mark the signal regions of x-ray-only images.",
    "patches": "Cut training patches from x-ray-only and full shots.",
    "train": "Train a network on patches, or resume a run.",
    "separate": "Take images apart into signal and background.",
    "profile": "Read an image along a line, as a spectrum.",
    "shirley": "Take the background of spectra away, and measure the net area.",
    "spectra": "Train and judge a cleaner of spectra, and take sets of spectra apart.",
    "signals": "Take noise from 1-D signals, by filters or a network.",
    "layers": "Look into the hidden layers of a model, and take out what is background.",
    "report": "Judge a model on real data beside tuned classical filters.",
    "demo": "Run the whole job once on generated shots.",
}


@click.group(
    cls=LazyGroup,
    modules="napari_bgremove.cli.{}_command",
    summaries=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(metadata.version("napari-bgremove"), prog_name="bgremove")
@click.pass_context
def group(context: click.Context) -> None:
    """Take detector images apart into signal and background.

    `bgremove separate IMAGE --out FOLDER` uses the bundled model and needs
    nothing else. To train your own: mask, patches, train.

    A failure is one line; with the environment variable BGREMOVE_DEBUG=1 it
    also shows where in the program it happened.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(2)


def main() -> None:
    """Run the command line; every failure is one line and a non-zero exit code."""
    try:
        code = group.main(prog_name="bgremove", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _fail("Stopped.", 130)
    except click.ClickException as error:
        code = _fail(_describe_usage(error), error.exit_code)
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        code = _fail(f"bgremove: {_describe(error)}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _describe_usage(error: click.ClickException) -> str:
    """Return the error and where to read on; click itself would print the usage as well."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" Try '{context.command_path} --help'." if context is not None else ""
    sentence = error.format_message()
    return f"Error: {sentence}{'' if sentence.endswith(('.', '?')) else '.'}{hint}"


def _describe(error: Exception) -> str:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        from napari_bgremove.engine.jobs import describe_invalid

        return describe_invalid(error)
    if isinstance(error, OSError):
        name = f"'{error.filename}': " if error.filename else ""
        return f"{name}{error.strerror or error}."
    if isinstance(error, EXPECTED):
        return str(error)
    return (
        f"an unexpected {type(error).__name__} ended the command: {str(error) or 'no details'}. Set {_DEBUG}=1 and "
        "repeat it to see where."
    )


def _fail(sentence: str, code: int) -> int:
    click.echo(" ".join(sentence.split()), err=True)
    return code
