"""Spectrum numerics: numpy, scipy and pybaselines only; no torch, no window."""
