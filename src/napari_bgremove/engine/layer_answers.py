"""What a viewer asks its warm engine about the hidden layers of models: look into one, take units out of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bgremove.engine.layer_models import find_model_file, read_any_model
from napari_bgremove.engine.layer_removal import PredictedRemoval, check_new, predict_removal, remove_units_of
from napari_bgremove.engine.layer_report import describe_layers, inspect_network
from napari_bgremove.engine.mailbox import Letter
from napari_bgremove.engine.removal_job import job_of
from napari_bgremove.engine.removal_judge import RemovalJudge
from napari_bgremove.io.bundled import BUNDLED_MODEL

if TYPE_CHECKING:
    from napari_bgremove.engine.layer_models import AnyModel

__all__ = ["LayerAnswers"]


class LayerAnswers:
    """Answers by kind of letter; all name a `model`: a file, or a run folder; None is the bundled one.

    inspect_layers: the reply has `layers`, as of `describe_layers`.

    predict_removal: the `share` of hidden units that stays, or by name which
    units are `kept`, a `rule`, and how it is judged: `judge` has the keywords
    of `removal_job.job_of`, or is None for sizes alone. The reply is
    `PredictedRemoval.as_record`; nothing is written.

    remove_units: the same, with a judge, and `out`, a new file. The reply
    has also its `path`, the terms `measured` on what was read back, and the
    `seconds` of a forward pass before and after.

    The model, its judge and the last prediction are kept, so that another
    share does not read the data anew, and a removal does not predict anew.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    @property
    def kinds(self) -> Mapping[str, Callable[[Letter], Letter]]:
        """Which letters are answered."""
        return {"inspect_layers": self._inspect, "predict_removal": self._predict, "remove_units": self._remove}

    def _inspect(self, request: Letter) -> Letter:
        # Not kept: a slider goes over many epochs, and the model that is judged stays.
        layers = inspect_network(read_any_model(_find(request)).network)
        return Letter(request.number, request.kind, {"layers": describe_layers(layers)})

    def _predict(self, request: Letter) -> Letter:
        _, _, predicted = self._take_prediction(request)
        return Letter(request.number, request.kind, predicted.as_record())

    def _remove(self, request: Letter) -> Letter:
        out = Path(request.values["out"])
        check_new(out)
        model, judge, predicted = self._take_prediction(request)
        if judge is None:
            msg = "'judge' must say what the error of the smaller model is measured on; found none."
            raise ValueError(msg)
        written = remove_units_of(model, predicted, out, judge=judge)
        said = {"path": str(written.path), "measured": dict(written.measured), "seconds": list(written.seconds)}
        return Letter(request.number, request.kind, {**predicted.as_record(), **said})

    def _take_prediction(self, request: Letter) -> tuple[AnyModel, RemovalJudge | None, PredictedRemoval]:
        file, asked = _find(request), request.values
        key = str(file.absolute()), file.stat().st_mtime_ns if file.exists() else 0
        model = self._keep("model", key, lambda: read_any_model(file))
        by = asked.get("judge")
        judge_key = *key, json.dumps(by, sort_keys=True)
        judge = None if by is None else self._keep("judge", judge_key, lambda: RemovalJudge(job_of(model, **by), model))
        how = {name: asked[name] for name in ("share", "kept", "rule") if name in asked}
        what = *judge_key, json.dumps(how, sort_keys=True)
        return model, judge, self._keep("prediction", what, lambda: predict_removal(model, judge=judge, **how))

    def _keep(self, name: str, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was made of the same before, or make it; one of each sort is kept."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept.pop(name, None)  # with it goes its memory, before the new one takes some
            self._kept[name] = key, make()
        return self._kept[name][1]


def _find(request: Letter) -> Path:
    model = request.values.get("model")
    return BUNDLED_MODEL if model is None else find_model_file(Path(model))
