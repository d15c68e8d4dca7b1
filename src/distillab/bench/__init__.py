"""The bench: this engine compared with other ways to train the same students, on one machine."""

from distillab.bench.record import Bench as Bench
from distillab.bench.rounds import measure as measure
from distillab.bench.table import table as table
