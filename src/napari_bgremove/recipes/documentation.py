"""What a recipe says about its fields, for forms and for help texts."""

from __future__ import annotations

import re

__all__ = ["attribute_docs"]


def attribute_docs(recipe: type) -> dict[str, str]:
    """Return the text of each entry in the Attributes section of a numpydoc docstring."""
    section = (recipe.__doc__ or "").partition("----------\n")[2]
    docs: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if re.match(r"    \S", line):
            names = [n.strip() for n in line.partition(":")[0].split(",")]
            docs.update(dict.fromkeys(names, ""))
        else:
            for name in names:
                docs[name] = f"{docs[name]} {line.strip()}".strip()
    return docs
