"""The law of damaged files: the right array or one ReadError; never anything else, never made-up zeros."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bgremove.errors import ReadError
from napari_bgremove.io.images import open_images, read_image

# Both bytes of every value differ from zero, so a zero in a result was never in the file.
IMAGE = (np.random.default_rng(1).integers(1, 255, (24, 16)) * 257).astype(np.uint16)
FORMATS = [".tif", ".npy", ".npz", ".edf", ".img", ".h5", ".fits", ".cbf", ".mccd", ".tif.gz"]
# One in this many cut positions; fabio and HDF5 cost some milliseconds each.
CUTS = 24
MUTANTS_PER_FORMAT = 40


def example(suffix: str) -> np.ndarray:
    if suffix == ".cbf":
        return IMAGE.astype(np.int32)
    return (IMAGE // 2).astype(np.int16) | 0x0101 if suffix == ".fits" else IMAGE


def read_or_refuse(path: Path) -> np.ndarray | None:
    """Return the array, or None where a ReadError says why not; let anything else through."""
    try:
        return read_image(path)
    except ReadError as error:
        text = str(error)
    assert "\n" not in text
    assert "'" in text
    return None


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_file_is_refused_or_complete(write_file, tmp_path, suffix):
    content = write_file(suffix, example(suffix)).read_bytes()
    cut_file = tmp_path / f"cut{suffix}"
    refused = 0
    for cut in np.linspace(0, len(content) - 1, CUTS, dtype=int):
        cut_file.write_bytes(content[:cut])
        read = read_or_refuse(cut_file)
        if read is not None:
            # Only what lies behind the pixels was cut off: padding, or a closing line.
            np.testing.assert_array_equal(read, example(suffix))
        refused += read is None
    assert refused >= CUTS - 8


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".edf", ".h5", ".fits"])
def test_a_cut_stack_never_loses_frames_silently(write_file, tmp_path, suffix):
    frames = np.stack([example(suffix)] * 4)
    content = write_file(suffix, frames).read_bytes()
    cut_file = tmp_path / f"cut{suffix}"
    for share in (0.3, 0.6, 0.95):
        cut_file.write_bytes(content[: int(len(content) * share)])
        try:
            stack = open_images(cut_file)
            assert len(stack) == 4
            last = stack.frame(3)
        except ReadError:
            continue
        np.testing.assert_array_equal(last, frames[3])


@pytest.mark.parametrize(("suffix", "keep", "rule"), [
    (".tif", 0.5, r"must be complete; \d+ bytes are expected, \d+ were found"),
    (".npy", 0.5, r"must hold the 896 bytes its header announces \(24 x 16 uint16\); found 448"),
    (".npz", 0.5, r"must be a complete NPZ file; reading it failed with BadZipFile"),
    (".edf", 0.7, r"must be complete; frame 0 needs 1792 bytes, the file has 1254"),
    (".img", 0.7, r"must be complete; the image needs 1280 bytes, the file has 896"),
    (".cbf", 0.8, r"must be complete; the binary section needs \d+ bytes, the file has \d+"),
    (".h5", 0.5, r"must be a complete HDF5 file; reading it failed with OSError.*truncated file"),
    (".fits", 0.4, r"'cut.fits' must be"),
    (".mccd", 0.9, r"must be complete; 4864 bytes are expected, 4377 were found"),
    (".tif.gz", 0.5, r"must be a complete image file; reading it failed with EOFError"),
])  # fmt: skip
def test_a_cut_file_says_what_is_missing(write_file, tmp_path, suffix, keep, rule):
    content = write_file(suffix, example(suffix)).read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ReadError, match=rf"'cut{suffix}' {rule}" if suffix != ".fits" else rule):
        read_image(tmp_path / f"cut{suffix}")


def mutate(content: bytes, rng: np.random.Generator, header: int) -> bytes:
    """Damage a file in one of six ways: cut, flip, flip in the header, delete, overwrite, copy a block."""
    data = bytearray(content)
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 64))
    match int(rng.integers(6)):
        case 0:
            del data[at:]
        case 1:
            data[at] ^= int(rng.integers(1, 256))
        case 2:
            data[int(rng.integers(min(header, len(data))))] ^= int(rng.integers(1, 256))
        case 3:
            del data[at : at + length]
        case 4:
            data[at : at + 8] = struct.pack("<q", int(rng.choice([-1, 1, 2**31, 2**62 + 1])))
        case _:
            other = int(rng.integers(len(data)))
            data[at : at + length] = data[other : other + length]
    return bytes(data)


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_mutant_gets_past_the_readers(write_file, tmp_path, suffix):
    rng = np.random.default_rng(sum(suffix.encode()))
    content = write_file(suffix, example(suffix)).read_bytes()
    mutant = tmp_path / f"mutant{suffix}"
    for _ in range(MUTANTS_PER_FORMAT):
        damaged = mutate(content, rng, header=512)
        mutant.write_bytes(damaged)
        read = read_or_refuse(mutant)
        if read is None:
            continue
        assert read.ndim == 2
        assert read.dtype.isnative
        # Values that were read stand in the file; zeros only where the mutation wrote them.
        if suffix in (".edf", ".img", ".npy", ".mccd") and len(damaged) < len(content):
            assert np.count_nonzero(read == 0) == 0


def test_an_altered_pixel_of_a_cbf_is_found_by_its_checksum(write_file):
    path = write_file(".cbf", example(".cbf"))
    content = bytearray(path.read_bytes())
    content[content.index(b"\x0c\x1a\x04\xd5") + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"'shot.cbf' must agree with the MD5 checksum"):
        read_image(path)


def test_a_cbf_whose_stream_is_too_short_is_refused_without_a_checksum(write_file):
    # Neighbours differ by one: each value takes one byte.
    path = write_file(".cbf", np.arange(1, 385, dtype=np.int32).reshape(24, 16))
    content = path.read_bytes().replace(b"Content-MD5: ", b"Content-MDX: ")
    start = content.index(b"\x0c\x1a\x04\xd5") + 4
    end = start + 384
    # Same number of bytes, but an escape code swallows some of the values.
    path.write_bytes(content[: end - 4] + b"\x80\x01\x00\x01" + content[end:])
    with pytest.raises(ReadError, match=r"must hold 384 pixel values; its header says 384, its bytes give 382"):
        read_image(path)


def test_a_cbf_without_end_marker_is_refused(write_file):
    path = write_file(".cbf", example(".cbf"))
    path.write_bytes(path.read_bytes().replace(b"SECTION----", b"SECTION????"))
    with pytest.raises(ReadError, match=r"must end its binary section with a marker"):
        read_image(path)


def test_another_packing_than_byte_offset_is_refused(write_file):
    path = write_file(".cbf", example(".cbf"))
    path.write_bytes(path.read_bytes().replace(b"x-CBF_BYTE_OFFSET", b"x-CBF_PACKED     "))
    with pytest.raises(ReadError, match=r"must be packed by byte offsets .*found 'x-cbf_packed'. Convert it to TIFF"):
        read_image(path)


@pytest.mark.parametrize(("old", "new", "rule"), [
    (b"Dim_1 = 16", b"Dim_1 = xx", r"must state 'dim_1' as a whole number in its header; found 'xx'"),
    (b"Dim_1 = 16", b"Dim_1 = 99", r"must announce 4752 bytes for its \[24, 99\] values; found 768"),
    (b"UnsignedShort", b"UnsignedShirt", r"must state a known 'datatype' in its header; found 'unsignedshirt'"),
    (b"Dim_2 = 24 ;", b"Compression=Z;", r"must be an uncompressed EDF file; found compression Z"),
    (b"}\n", b"]\n", r"the EDF header at byte 0 has no beginning or no end"),
])  # fmt: skip
def test_an_edf_header_that_cannot_be_is_refused(write_file, old, new, rule):
    path = write_file(".edf", IMAGE)
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(ReadError, match=rf"'shot.edf' .*{rule}"):
        read_image(path)


def test_edf_frames_of_different_size_are_refused(write_file, tmp_path):
    small = write_file(".edf", IMAGE[:8], name="small").read_bytes()
    (tmp_path / "both.edf").write_bytes(write_file(".edf", IMAGE).read_bytes() + small)
    with pytest.raises(ReadError, match=r"'both.edf' must keep one size and type in all frames"):
        open_images(tmp_path / "both.edf")


def test_an_img_file_that_is_not_smv_is_refused(tmp_path):
    (tmp_path / "a.img").write_bytes(b"OD SAPPHIRE  4.0" + bytes(600))
    with pytest.raises(ReadError, match=r"'a.img' must be an SMV image, starting with HEADER_BYTES"):
        read_image(tmp_path / "a.img")


def test_a_tiff_strip_without_bytes_is_not_filled_with_zeros(tmp_path):
    path = tmp_path / "sparse.tif"
    tifffile.imwrite(path, IMAGE, rowsperstrip=8, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["StripByteCounts"].overwrite((50, 0, 50))
    with pytest.raises(ReadError, match=r"'sparse.tif' must hold all strips of page 0; 2 of 3 have bytes"):
        read_image(path)


def test_a_tiff_strip_with_too_few_values_is_refused(tmp_path):
    path = tmp_path / "short.tif"
    tifffile.imwrite(path, IMAGE, compression="zlib", photometric="minisblack", rowsperstrip=24)
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    short = zlib.compress(IMAGE[:12].tobytes())
    content = path.read_bytes()
    path.write_bytes(content[:offset] + short.ljust(count, b"\x00") + content[offset + count :])
    with pytest.raises(ReadError, match=r"'short.tif' must be a complete TIFF file; reading it failed with"):
        read_image(path)


def test_a_tiff_whose_pages_go_in_a_circle_is_refused(tmp_path):
    path = tmp_path / "circle.tif"
    tifffile.imwrite(path, IMAGE, photometric="minisblack", metadata=None)
    content = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    entries = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * entries, first)
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"must list each page once; page 1 leads back to an earlier one"):
        read_image(path)


def test_a_tiff_that_announces_a_page_behind_its_end_is_refused(tmp_path):
    path = tmp_path / "chain.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(IMAGE, photometric="minisblack", metadata=None, contiguous=False)
    offsets = []
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in file.pages]
    path.write_bytes(path.read_bytes()[: offsets[2] - 4])
    with pytest.raises(ReadError, match=r"must be complete; a page is announced at byte \d+, the file ends at \d+"):
        open_images(path)


def test_a_cut_imagej_stack_with_one_page_is_not_one_image(tmp_path):
    frames = np.stack([IMAGE, IMAGE + 1, IMAGE + 2]).astype(">u2")
    path = tmp_path / "virtual.tif"
    # ImageJ writes large stacks so: one page, all images behind each other.
    header = "ImageJ=1.54f\nimages=3\nslices=3\nloop=false\n"
    tifffile.imwrite(
        path, frames[0].astype("u2"), byteorder=">", photometric="minisblack", description=header, metadata=None
    )
    path.write_bytes(path.read_bytes() + frames[1:].tobytes())
    np.testing.assert_array_equal(open_images(path).frame(2), frames[2])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ReadError, match=r"'virtual.tif' must hold the 3 images its ImageJ header announces; found 1"):
        open_images(path)


def test_what_tifffile_logs_is_not_printed(tmp_path):
    import subprocess
    import sys

    path = tmp_path / "broken.tif"
    tifffile.imwrite(path, IMAGE, photometric="minisblack")
    content = bytearray(path.read_bytes())
    content[14] = 77  # an unknown data type in the first tag
    path.write_bytes(content)
    script = (
        "import sys\nfrom napari_bgremove.io.images import read_image\n"
        "try:\n    read_image(sys.argv[1])\nexcept ValueError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("'broken.tif' must")


def test_one_file_of_a_set_is_refused_instead_of_padded(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(np.stack([IMAGE] * 3), photometric="minisblack", metadata={"axes": "ZYX"}, compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml = file.ome_metadata
    cut = xml.replace('SizeZ="3"', 'SizeZ="5"')
    tifffile.tiffcomment(tmp_path / "a.ome.tif", cut.encode())
    with pytest.raises(ReadError, match=r"'a.ome.tif' must hold all its pages itself; found 3 of the 5"):
        open_images(tmp_path / "a.ome.tif").frame(4)


def test_a_frame_that_vanished_since_opening_is_an_error(write_file):
    path = write_file(".tif", np.stack([IMAGE] * 3))
    stack = open_images(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ReadError, match=r"must hold 768 bytes for frame 2; found \d+. The file changed or was cut"):
        stack.frame(2)


def test_an_npz_with_a_flipped_byte_is_found_by_its_crc(write_file):
    path = write_file(".npz", IMAGE)
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"must be a complete NPZ file; reading it failed with BadZipFile: Bad CRC-32"):
        read_image(path)


def test_a_fits_file_without_image_is_refused(tmp_path):
    cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "END",
    ]
    (tmp_path / "a.fits").write_bytes("".join(card.ljust(80) for card in cards).encode().ljust(2880))
    with pytest.raises(ReadError, match=r"'a.fits' must hold an image; found no image"):
        read_image(tmp_path / "a.fits")
