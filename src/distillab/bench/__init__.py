"""The bench: this engine compared with other ways to train the same student, on one machine."""

from distillab.bench.record import Bench as Bench
from distillab.bench.record import measure as measure
from distillab.bench.record import table as table
