"""A description of a network whose hidden layers may have lost units."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from napari_bgremove.numpy_network.hidden_widths import check_hidden, name_widths

__all__ = ["NarrowableSpec"]


class NarrowableSpec(BaseModel):
    """What the specifications of networks with hidden layers share.

    Attributes
    ----------
    hidden : tuple of int
        Units of each hidden layer, in the order of `whole_widths`; empty where
        none was taken out, and then not written, so that the file of a whole
        network reads as it always did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=2**12)], ...], Field(max_length=128)] = ()

    @property
    def whole_widths(self) -> dict[str, int]:
        """Units of each hidden layer before any was taken out, by its name in the network."""
        raise NotImplementedError

    @property
    def hidden_widths(self) -> dict[str, int]:
        """Units of each hidden layer, by its name in the network."""
        return name_widths(self.hidden, self.whole_widths)

    @model_validator(mode="after")
    def _check_hidden(self) -> NarrowableSpec:
        check_hidden(self.hidden, self.whole_widths)
        return self

    @model_serializer(mode="wrap")
    def _leave_out_what_is_whole(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if name != "hidden" or value}
