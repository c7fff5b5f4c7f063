"""These tests need escnn, which has an environment of its own: `make test-escnn`."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("escnn") else ["test_*.py"]
