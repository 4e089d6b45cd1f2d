from __future__ import annotations

import numpy as np
import pytest
import torch

from slicebench.errors import ConfigError
from slicebench.evaluation.cell import evaluate
from slicebench.models.devices import VARIABLE, device, use_device
from slicebench.plugins.registry import METHODS
from slicebench_datasets.gaussian import Gaussian

GPU = torch.cuda.is_available()


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    monkeypatch.setenv(VARIABLE, "auto")


def test_the_device_is_what_was_asked_for():
    assert device() == ("cuda" if GPU else "cpu")
    use_device("cpu")
    assert device() == "cpu"


def test_an_unknown_device_is_named(monkeypatch):
    with pytest.raises(ConfigError, match="auto, cpu, cuda"):
        use_device("gpu")
    monkeypatch.setenv(VARIABLE, "tpu")
    with pytest.raises(ConfigError, match="'tpu'"):
        device()


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_no_silent_cpu():
    with pytest.raises(ConfigError, match="sees no GPU"):
        use_device("cuda")
    assert device() == "cpu", "a device that was refused is not kept"


@pytest.mark.skipif(not GPU, reason="needs a GPU")
@pytest.mark.parametrize("name", ["early_stopping", "lff", "error_mlp"])
def test_methods_say_the_same_on_a_gpu(name, own_cache):
    problem, found = Gaussian(n_train=400, n_val=400, n_test=400, epochs=3).build(0), []
    for where in ("cpu", "cuda"):
        use_device(where)
        method = METHODS.load(name)()
        if (reason := method.supports(problem.data)) is not None:
            pytest.skip(reason)
        found.append(evaluate(method, problem).scores.hardness)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-3 * np.ptp(found[0]))
