"""One module per family of file formats; `napari_bgremove.io.images` is the door to them."""
