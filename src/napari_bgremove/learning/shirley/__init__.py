"""Shirley's background of tensors, with its exact gradient: for objectives, and for maps on a GPU.

The twin of `spectra.shirley`: the same equation, the same root, the same ends
and statuses.
"""

from napari_bgremove.learning.shirley.background import ShirleyTensors, shirley_background

__all__ = ["ShirleyTensors", "shirley_background"]
