"""End a run that does not stop by itself."""

from __future__ import annotations

from napari_bgremove.engine.run_folder import RunFolder

__all__ = ["end_run"]


def end_run(folder: RunFolder, *, process: int | None = None) -> None:
    """Kill the process of a run, whoever started it, and write down that somebody did.

    Returns at once. Its files are written in one step each, so that the
    newest checkpoint stays loadable and the run can be resumed.

    Parameters
    ----------
    folder : RunFolder
    process : int, optional
        Number of the process just started for it, which has not got as far as
        the folder yet.
    """
    import psutil

    number = folder.owner() or process
    if number is None:
        return
    try:
        psutil.Process(number).kill()
    except psutil.NoSuchProcess:
        return  # its own word counts
    kept = "its newest checkpoint is kept, Resume goes on from it" if folder.model.exists() else "nothing was kept yet"
    folder.emit("stopped", killed=True, message=f"The training was ended at once; {kept}.")
