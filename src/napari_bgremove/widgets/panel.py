"""What every panel is: a body that scrolls, buttons that stay, one line for what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, TypeVar

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_bgremove.errors import EXPECTED
from napari_bgremove.widgets.parts.connections import Connections
from napari_bgremove.widgets.parts.fields import make_button
from napari_bgremove.widgets.parts.undocked import delete_when_undocked

__all__ = ["Panel", "reports_errors"]

Method = TypeVar("Method", bound=Callable[..., Any])


class Panel(QWidget):
    """A dock widget of the background removal.

    It alone holds the viewer; its parts emit what they want.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.connections = Connections()
        self.destroyed.connect(self.connections.disconnect_all)
        delete_when_undocked(self)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        content = QWidget()
        self.body = QVBoxLayout()
        # A stretch and no alignment: an aligned layout forgets that wrapped text grows in height.
        outer = QVBoxLayout(content)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addLayout(self.body)
        outer.addStretch(1)
        self._scroll = _UprightScroll(content)
        self.buttons = QHBoxLayout()
        self.message = MessageLine()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(self.buttons)
        layout.addWidget(self.message)

    def bring_into_view(self, widget: QWidget) -> None:
        """Scroll the body to a part of it."""
        self._scroll.ensureWidgetVisible(widget)

    def add_button(self, text: str, slot: Callable[[], Any], *, tip: str = "") -> QPushButton:
        """Add a button below the scrolling body."""
        button = make_button(text, slot, tip=tip)
        self.buttons.addWidget(button)
        return button

    def add_copies(self, *, python: Callable[[], str], command: Callable[[], str]) -> None:
        """Add the buttons that put what the panel does on the clipboard, to be done again without a window."""
        row = QHBoxLayout()
        for what, write in (("Python", python), ("command", command)):
            copy = partial(_copy, self, what, write)
            row.addWidget(make_button(f"Copy as {what}", copy, tip="The same without a window, from the files."))
        self.body.addLayout(row)


class _UprightScroll(QScrollArea):
    """Scrolls up and down only, and so asks for the width of its content."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        """Never narrower than the content with the scroll bar beside it."""
        width = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width + 2 * self.frameWidth(), super().minimumSizeHint().height())


class MessageLine(QWidget):
    """One sentence, and a button for the details when there are any."""

    def __init__(self) -> None:
        super().__init__()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._more = QToolButton()
        self._more.setText("Details")
        self._more.clicked.connect(self._show_details)
        self._details = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        row.addWidget(self._more)
        self.clear()

    @property
    def text(self) -> str:
        """The sentence."""
        return self._text.text()

    def show_text(self, text: str, *, details: str = "") -> None:
        """Show a sentence."""
        self._text.setText(text)
        self._details = details
        self._more.setVisible(bool(details))
        self.setVisible(bool(text))

    def show_error(self, error: BaseException) -> None:
        """Show what went wrong in one sentence, the rest behind the button."""
        import traceback

        known = isinstance(error, EXPECTED)
        text = str(error) if known else f"Something unexpected happened ({type(error).__name__}); nothing was changed."
        # Of an expected error the sentence says all, unless another error stands behind it.
        has_more = not known or error.__cause__ is not None
        self.show_text(text, details="".join(traceback.format_exception(error)) if has_more else "")

    def show_failure(self, values: Mapping[str, Any]) -> None:
        """Show the answer of an engine that failed: a sentence and, of a bug, the details."""
        self.show_text(str(values["message"]), details=str(values.get("details", "")))

    def clear(self) -> None:
        """Say nothing."""
        self.show_text("")

    def _show_details(self) -> None:
        from qtpy.QtWidgets import QMessageBox

        box = QMessageBox(self)
        box.setWindowTitle("Details")
        box.setText(self.text)
        box.setDetailedText(self._details)
        box.open()


def reports_errors(method: Method) -> Method:
    """Show an error of a panel's action in its message line; let one that nobody expected through to napari, too."""

    @wraps(method)
    def guarded(panel: Panel, *arguments: Any, **options: Any) -> Any:
        panel.message.clear()
        try:
            return method(panel, *arguments, **options)
        except Exception as error:
            panel.message.show_error(error)
            if not isinstance(error, EXPECTED):
                raise
            return None

    return guarded  # type: ignore[return-value]


@reports_errors
def _copy(panel: Panel, what: str, write: Callable[[], str]) -> None:
    text = write()
    QApplication.clipboard().setText(text)
    panel.message.show_text(f"The {'script' if what == 'Python' else what} is on the clipboard.")
