"""Image numerics: numpy, scipy and scikit-image only; no torch, no window."""
