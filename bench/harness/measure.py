"""Runs contenders in turns and keeps what each took."""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable


class Failed(Exception):
    """A command that should have succeeded did not; the text says everything."""


class Unavailable(Exception):
    """Something that a benchmark needs is not on this machine; the text says what and how to get it."""


@dataclass
class Contender:
    """A command, and what brings the world into the state that it is to be measured in."""

    name: str
    argv: list
    folder: Path = Path("/")
    environment: dict = field(default_factory=dict)  # added to the caller's; None removes
    prepare: Callable = lambda: None  # before every run, not measured


@dataclass
class Measurement:
    contender: Contender
    samples: list = field(default_factory=list)

    @property
    def seconds(self):
        return statistics.median(sample["seconds"] for sample in self.samples)

    @property
    def processor_seconds(self):
        return statistics.median(sample["processor_seconds"] for sample in self.samples)

    @property
    def peak_bytes(self):
        """Of the largest of the command's processes, in its worst run."""
        return max(sample["peak_bytes"] for sample in self.samples)

    def facts(self):
        """For the results file: every sample, not only the median."""
        return {
            "name": self.contender.name,
            "seconds": [round(sample["seconds"], 4) for sample in self.samples],
            "processorSeconds": [round(sample["processor_seconds"], 3) for sample in self.samples],
            "peakBytes": self.peak_bytes,
        }


class Stopwatch:
    """Measures commands through the launcher. Standard output and error go to a log that is shown only on failure."""

    def __init__(self, folder):
        self.log = Path(folder) / "command.log"
        self.launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", Path(__file__).with_name("launcher.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.launcher.stdin.close()
        self.launcher.wait()

    def once(self, contender):
        contender.prepare()
        os.sync()  # nobody pays for what was written before
        environment = dict(os.environ)
        for name, value in contender.environment.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = str(value)
        argv = [str(word) for word in contender.argv]
        request = {"argv": argv, "folder": str(contender.folder), "environment": environment, "log": str(self.log)}
        self.launcher.stdin.write(json.dumps(request) + "\n")
        self.launcher.stdin.flush()
        sample = json.loads(self.launcher.stdout.readline())
        if sample["exit"] != 0:
            raise Failed(f"$ {' '.join(argv)}\nexit {sample['exit']}\n{self.output()[-4000:]}")
        return sample

    def output(self):
        """What the last command said."""
        return self.log.read_text(errors="replace")

    def interleaved(self, contenders, rounds, warm_up=1):
        """Each contender once a round, the order turned round every time; the first rounds are not counted."""
        measurements = [Measurement(contender) for contender in contenders]
        for number in range(warm_up + rounds):
            for measurement in measurements if number % 2 == 0 else reversed(measurements):
                sample = self.once(measurement.contender)
                if number >= warm_up:
                    measurement.samples.append(sample)
        return measurements
