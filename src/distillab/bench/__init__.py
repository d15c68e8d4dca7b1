"""The bench: this engine beside other ways to train the same student, in one run on one machine."""

from distillab.bench.record import Bench as Bench
from distillab.bench.record import measure as measure
from distillab.bench.record import table as table
