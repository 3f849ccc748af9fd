"""What the tests of the record and of the loggers share."""

import json

from omasgan.runs.logger import Identity
from omasgan.runs.record import HISTORY

WHO = Identity("mnist-3", "mnist", "train", ("smoke", "kl"))


def lines(folder):
    return [json.loads(line) for line in (folder / HISTORY).read_text().splitlines()]


def steps(folder, stage):
    return [line["step"] for line in lines(folder) if line["stage"] == stage]


def told(caplog):
    return [entry.getMessage() for entry in caplog.records if entry.name.startswith("omasgan")]
