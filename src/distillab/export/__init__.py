"""Export: a student in another format, checked against Keras on real inputs before its file is written."""

from distillab.engine.latency import Latency as Latency
from distillab.export.agreement import Agreement as Agreement
from distillab.export.exported import Exported as Exported
from distillab.export.int8 import export_int8 as export_int8
from distillab.export.model import export_model as export_model
from distillab.export.onnx import export_onnx as export_onnx
from distillab.export.tensorflow import export_tensorflow as export_tensorflow
