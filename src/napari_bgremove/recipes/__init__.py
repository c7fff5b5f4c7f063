"""One frozen dataclass per paper: its numbers are the defaults.

Torch-free at import: the windows build their forms from these, and the
learning package is imported only inside the `build_*` methods.
"""
