"""Quantize: weights as int8, and the loss that this brings.

Weights alone are rounded, and what is multiplied with them is rounded while it runs, in groups: that needs no texts to
calibrate on. Measured with all-MiniLM-L6-v2 on 96 real texts, in texts per second of one core, with the worst and mean
cosine to float32: float32 40, bfloat16 70 (0.99998, 0.99999), this 93 (0.9987, 0.9993), and all numbers of the model
rounded by calibration 113 (0.992, 0.997), which is too much to lose.
"""

from . import errors
from .errors import HostError
from .files import ModelFiles
from .quality import compared


def library():  # -> the module nncf
    """nncf, which comes with an extra; raises HostError LO206 where it is missing."""
    try:
        import nncf
    except ImportError:
        raise HostError(
            errors.UNKNOWN_ENGINE,
            "int8 needs the package nncf, which is not installed beside the model host",
            "pip install 'pglore[int8]' into the model host's environment.",
        ) from None
    return nncf


def quantized(model, found: ModelFiles):  # openvino.Model -> openvino.Model, dict
    """The model with int8 weights, and what that loses (quality.compared)."""
    import openvino

    from .engines.openvino import options

    nncf = library()
    core = openvino.Core()
    exact = core.compile_model(model.clone(), "CPU", options("float32", 0))
    coarse = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    return coarse, compared(exact, core.compile_model(coarse, "CPU", options("int8", 0)), found)
