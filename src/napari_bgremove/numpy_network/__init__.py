"""Fang's prior-guided denoiser in numpy alone, forward and backward.

Each layer is a pair of pure functions: forward gives values and a memory,
backward turns the gradient of the values, with that memory, into those of what
went in. Nothing is kept between calls.
"""
