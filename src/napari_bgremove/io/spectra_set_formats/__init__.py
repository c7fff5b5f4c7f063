"""One module per family of files with sets of spectra; `napari_bgremove.io.spectra_sets` is the door to them."""
