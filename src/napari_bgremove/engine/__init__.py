"""Long work: a job description in, events out, everything in a run folder.

The same functions serve the command line, which runs them in its own process,
and the windows, which start `python -m napari_bgremove.engine RUN` detached
and read the run folder; so a run looks the same whoever started it.
"""
