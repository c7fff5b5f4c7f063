"""Everything that learns: the only package that imports torch.

Nothing here knows a window or a viewer; nothing outside imports this package
at module level, so that a person who only draws masks never waits for torch.
"""
