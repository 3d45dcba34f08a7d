"""openvino without its converter, which only the child process needs, and the telemetry that this brings along.

Together they are a third of the time that the import takes, and a host that was killed is started again under load.
"""

import sys

_unused = [name for name in ("openvino.tools.ovc", "openvino_telemetry") if name not in sys.modules]
for _name in _unused:
    sys.modules[_name] = None  # type: ignore[assignment]  # an import of it fails, which openvino does without

import openvino  # noqa: E402

for _name in _unused:
    del sys.modules[_name]

__all__ = ["openvino"]
