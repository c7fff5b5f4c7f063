"""The experiments on removing the background of layers: what is trained, what is chosen by validation, what is told."""
