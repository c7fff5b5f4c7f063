"""One module per family of spectrum files; `napari_bgremove.io.spectra` is the door to them."""
