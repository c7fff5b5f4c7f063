"""A comparison as text: the Python lines that do it again without a window."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["profiles_as_python"]


def profiles_as_python(
    loads: Mapping[str, str], *, poni: str = "", centre: tuple[float, float] = (0, 0), width: float = 1
) -> str:
    """Return a script that averages images over rings about a centre, or over q.

    Parameters
    ----------
    loads : mapping of str to str
        Name of each image, and lines that make `image`.
    poni : str
        Geometry file; without one `centre` and `width` count, in pixels.
    """
    lines = ["from napari_bgremove.images.gate import gate_image"]
    if poni:
        lines += ["from napari_bgremove.io.poni import profile_by_poni"]
        average = f"profile_by_poni(gate_image(image).values, {poni!r})"
    else:
        lines += ["from napari_bgremove.images.profiles import radial_profile"]
        average = f"radial_profile(gate_image(image).values, centre={centre!r}, width={width!r})[:2]"
    lines += ["", "profiles = {}"]
    for name, load in loads.items():
        lines += [load, f"profiles[{name!r}] = {average}"]
    return "\n".join([*lines, "for name, (axis, mean) in profiles.items():", "    print(name, axis, mean)", ""])
