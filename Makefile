# All targets work in a fresh clone with python3 (>= 3.11) and make.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-backends test-teachers test-presets test-slow test-cluster lint types check bench install clean

demo: install
	$(BIN)/distillab run demo
	$(BIN)/distillab report runs/demo
	$(BIN)/distillab answer runs/demo

test: .venv/installed-test
	$(BIN)/python -m pytest

# Slow tests; quicker tests cover the same behaviour for every change.
test-slow: .venv/installed-test
	HYPOTHESIS_PROFILE=default $(BIN)/python -m pytest -m slow

# Every preset at its quick size, from the run to the page; takes minutes.
test-presets: .venv/installed-test
	$(BIN)/python -m pytest tests/study/test_presets.py tests/data/test_images.py -m presets -n 1

# A real Ray cluster of two nodes on one machine whose processes are killed one after another; about ten minutes.
test-cluster: .venv/installed-test
	$(PIP_INSTALL) -e '.[ray]'
	$(BIN)/python benchmarks/cluster.py

# Every backend of Keras, in a separate environment: the losses and the Distiller on each, compared with each other.
test-backends: .venv-backends/installed
	KERAS_BACKEND=jax .venv-backends/bin/python -m pytest tests/export/test_tensorflow.py tests/models/frameworks
	for backend in jax tensorflow torch; do \
		KERAS_BACKEND=$$backend .venv-backends/bin/python -m pytest tests/keras tests/losses/test_parity.py || exit 1; \
	done

.venv-backends/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-backends
	.venv-backends/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-backends/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,tensorflow,torch]'
	touch $@

# Teachers of every framework, in a separate environment. The wheel `xgboost` brings 350 MB for GPUs, and `xgboost-cpu`
# is the same module without them.
test-teachers: .venv-teachers/installed
	.venv-teachers/bin/python -m pytest tests/models/frameworks tests/keras/test_live.py
	.venv-teachers/bin/python benchmarks/foreign_teachers.py page

.venv-teachers/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-teachers
	.venv-teachers/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-teachers/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[test,onnx,torch,sklearn]' lightgbm xgboost-cpu
	touch $@

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-test
	$(BIN)/mypy

check: lint types test

bench: install
	$(BIN)/distillab bench --out benchmarks/results/$$(uname -m)-$$(nproc)-cores.json

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "distillab needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP_INSTALL) -e '.[test,dev,onnx,optuna,tensorboard,mlflow,browser,text]'
	touch $@

clean:
	rm -rf .venv .venv-backends .venv-teachers build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
