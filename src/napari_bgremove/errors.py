"""The three errors a caller can act on; every other exception is a bug of ours.

Each message is one sentence: the subject in quotes, the rule, the value found
with its shape or unit, and the remedy.
"""

__all__ = ["EXPECTED", "ComputeError", "ModelFileError", "NoUsablePixelsError", "ReadError"]


class ReadError(ValueError):
    """A file could not be read, or it does not hold what was asked for."""


class ModelFileError(ValueError):
    """A model file is damaged, foreign, or belongs to another architecture."""


class ComputeError(RuntimeError):
    """A computation cannot go on: no data left, a dead network, no memory."""


class NoUsablePixelsError(ComputeError):
    """An image without a single measurement; in a stack such a frame is skipped."""


# What a person can act on; everything else is a fault of ours.
EXPECTED = (ReadError, ModelFileError, ComputeError, ValueError, OSError)
