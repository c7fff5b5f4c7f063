"""`bgremove`: the headless twin of every panel.

One module per command, imported when the command is called, so that
`bgremove --help` never waits for torch.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata

import click

from napari_bgremove.errors import ComputeError, ModelFileError, ReadError

__all__ = ["main"]

COMMANDS = {
    "mask": "Mark the signal regions of x-ray-only images.",
    "patches": "Cut training patches from x-ray-only and full shots.",
    "train": "Train a network on patches, or resume a run.",
    "separate": "Take images apart into signal and background.",
    "report": "Judge a model on real data beside tuned classical filters.",
    "demo": "Run the whole job once on generated shots.",
}


class _Commands(click.Group):
    """Lists the commands without importing them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"napari_bgremove.cli.{name}_command").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands, in the order of the work"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(metadata.version("napari-bgremove"), prog_name="bgremove")
def group() -> None:
    """Take detector images apart into signal and background.

    `bgremove separate IMAGE --out FOLDER` uses the bundled model and needs
    nothing else. To train your own: mask, patches, train.
    """


def main() -> None:
    """Run the command line; every expected failure is one line and a non-zero exit code."""
    try:
        code = group.main(prog_name="bgremove", standalone_mode=False)
    except (ReadError, ModelFileError, ComputeError, ValueError) as error:
        sys.exit(_fail(_sentence(error)))
    except OSError as error:
        name = f"'{error.filename}': " if error.filename else ""
        sys.exit(_fail(f"{name}{error.strerror or error}."))
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: Exception) -> str:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    from napari_bgremove.engine.jobs import describe_invalid

    return describe_invalid(error)


def _fail(sentence: str) -> int:
    click.echo(f"bgremove: {' '.join(sentence.split())}", err=True)
    return 1
