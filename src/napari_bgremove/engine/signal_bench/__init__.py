"""The experiments on Fang's denoiser: what is trained, the tables that come of it, and the page they are written on."""
