"""Models: the zoo that studies name their teachers and students from."""

from distillab.models.zoo import ARCHITECTURES as ARCHITECTURES
from distillab.models.zoo import NO_DROPOUT as NO_DROPOUT
from distillab.models.zoo import Dropout as Dropout
from distillab.models.zoo import build as build
from distillab.models.zoo import parse as parse
