"""A page a person can open: headings, text, tables and pictures, one file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["HtmlPage"]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "img{max-width:100%}table{border-collapse:collapse;margin:1rem 0}"
    "td,th{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
    "code{background:#f2f2f2;padding:.1rem .3rem}"
)


class HtmlPage:
    """Collects the parts of a page; everything given is escaped.

    Examples
    --------
    >>> page = HtmlPage("Report")
    >>> page.text("1 < 2")
    >>> "1 &lt; 2" in page.render()
    True
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Add a section heading."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def code(self, text: str) -> None:
        """Add a command."""
        self._parts.append(f"<p><code>{escape(text)}</code></p>")

    def image(self, file: str, caption: str) -> None:
        """Add a picture that lies beside the page."""
        self._parts.append(
            f'<figure><img src="{escape(file, quote=True)}" alt="{escape(caption, quote=True)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table of texts."""
        cells = "".join(f"<th>{escape(h)}</th>" for h in head)
        body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
        self._parts.append(f"<table><tr>{cells}</tr>{body}</table>")

    def render(self) -> str:
        """Return the whole page."""
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(self._title)}</title>'
            f"<style>{_STYLE}</style></head><body>{''.join(self._parts)}</body></html>\n"
        )
