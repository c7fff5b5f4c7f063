"""Tell a living process from another that got its number later."""

from __future__ import annotations

__all__ = ["is_alive", "start_time"]


def start_time(pid: int) -> float | None:
    """Return when a process started, or None when there is none of that number."""
    import psutil

    try:
        process = psutil.Process(pid)
        # A zombie has ended; only its parent has not asked yet.
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def is_alive(pid: int, started: float) -> bool:
    """Return whether the process that started then (to the second) still runs."""
    now = start_time(pid)
    return now is not None and abs(now - started) <= 1.0
