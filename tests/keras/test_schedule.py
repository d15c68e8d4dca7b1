"""Alpha and temperature by the epoch."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from tests.keras.conftest import classifier, compiled

from distillab import AlphaSchedule
from distillab.errors import RequestError


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (AlphaSchedule.constant(0.4), [0.4, 0.4, 0.4, 0.4]),
        (AlphaSchedule.linear(1.0, 0.4, epochs=4), [1.0, 0.8, 0.6, 0.4]),
        (AlphaSchedule.cosine(1.0, 0.0, epochs=4), [1.0, 0.75, 0.25, 0.0]),  # (1 + cos(k pi / 3)) / 2
        (AlphaSchedule(lambda epoch: 0.5**epoch), [1.0, 0.5, 0.25, 0.125]),
    ],
)
def test_every_epoch_has_its_alpha_and_logs_it(schedule: AlphaSchedule, values: list[float], problem: Any) -> None:
    distiller = compiled(classifier(2), classifier(1), rate=0.0, temperature=2)
    logs = distiller.fit(*problem, epochs=4, verbose=0, callbacks=[schedule]).history
    assert logs["alpha"] == pytest.approx(values)
    mixed = np.array(values) * logs["student_loss"] + (1 - np.array(values)) * logs["distillation_loss"]
    np.testing.assert_allclose(logs["loss"], mixed, rtol=1e-5)


def test_the_temperature_may_be_scheduled_as_well(problem: Any) -> None:
    distiller = compiled(classifier(2), classifier(1), rate=0.0)
    logs = distiller.fit(
        *problem, epochs=2, verbose=0, callbacks=[AlphaSchedule.linear(1, 4, epochs=2, of="temperature")]
    ).history
    assert logs["temperature"] == [1.0, 4.0]
    assert logs["distillation_loss"][0] != pytest.approx(logs["distillation_loss"][1], rel=1e-2)


def test_after_its_last_epoch_a_schedule_stays_where_it_ended() -> None:
    schedule = AlphaSchedule.linear(1, 0, epochs=2).schedule
    assert [schedule(epoch) for epoch in range(5)] == [1, 0, 0, 0, 0]
    assert AlphaSchedule.cosine(1, 0, epochs=1).schedule(0) == 1


def test_what_cannot_be_scheduled_is_refused(problem: Any) -> None:
    with pytest.raises(RequestError, match=r"schedule=0\.5 is not allowed: it must be a function of the epoch"):
        AlphaSchedule(0.5)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="of='beta' is not allowed: it must be 'alpha' or 'temperature'"):
        AlphaSchedule.constant(0.5, of="beta")
    distiller = compiled(classifier(2), classifier(1))
    for bad in (AlphaSchedule(lambda epoch: 1.5), AlphaSchedule(lambda epoch: math.nan)):
        with pytest.raises(RequestError, match="must be a number from 0 to 1"):
            distiller.fit(*problem, verbose=0, callbacks=[bad])
    plain = classifier(2, name="plain")
    plain.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(RequestError, match="AlphaSchedule sets a Distiller's alpha, and 'plain' has none"):
        plain.fit(*problem, verbose=0, callbacks=[AlphaSchedule.constant(0.5)])
