"""`python -m napari_bgremove` is `bgremove`; torchrun needs it in this form."""

from napari_bgremove.cli import main

if __name__ == "__main__":
    main()
