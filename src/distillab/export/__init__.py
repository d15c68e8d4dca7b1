"""Export: a student in another format, which has answered real inputs as Keras does before its file is left behind."""

from distillab.export.agreement import Agreement as Agreement
from distillab.export.int8 import Quantised as Quantised
from distillab.export.int8 import export_int8 as export_int8
from distillab.engine.latency import Latency as Latency
from distillab.export.onnx import Exported as Exported
from distillab.export.onnx import export_onnx as export_onnx
from distillab.export.tensorflow import export_tensorflow as export_tensorflow
