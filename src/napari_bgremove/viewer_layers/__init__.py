"""The only code that reads or writes napari layers.

Every function takes the viewer or a layer and arrays; none knows of a widget.
"""
