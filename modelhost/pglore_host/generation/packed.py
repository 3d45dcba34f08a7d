"""Packed: a language model's matrices laid out as oneDNN multiplies them, on a CPU.

torch lays a matrix out anew at each step. Laid out once, a product with 4 to 16 rows was measured at 1.4 to 2 times the
speed (512 x 1,536, one thread; of 1,024 x 3,072 at 1.7 to 4 times), and one with a single row at the same.
Letters: T tokens, I and O numbers before and after a matrix.
"""

import torch

KINDS = (torch.float32, torch.bfloat16)


class PackedLinear(torch.nn.Module):
    """A linear layer with its weights as oneDNN wants them; what it computes is the same."""

    def __init__(self, exact: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = exact.in_features, exact.out_features
        self._packed = torch.ops.mkldnn._reorder_linear_weight(exact.weight.detach(), None)
        self._bias = None if exact.bias is None else exact.bias.detach()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(..., T, I) to (..., T, O)."""
        return torch.ops.mkldnn._linear_pointwise(states, self._packed, self._bias, "none", [], "")


def pack(model: torch.nn.Module) -> int:
    """Put PackedLinear in the place of the linear layers that share their weights with nothing; returns how many."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return 0
    tied = _tied(model)
    done = 0
    for parent in list(model.modules()):
        for name, part in list(parent.named_children()):
            if type(part) is not torch.nn.Linear or id(part.weight) in tied or part.weight.dtype not in KINDS:
                continue
            try:
                with torch.inference_mode():
                    made = PackedLinear(part)
                    made(part.weight.new_zeros((2, 1, part.in_features)))
            except (RuntimeError, NotImplementedError, TypeError):  # a torch that has it otherwise: as usual then
                continue
            setattr(parent, name, made)
            done += 1
    return done


def _tied(model: torch.nn.Module) -> set[int]:
    """Parameters that several modules have, by id: the words of most small models are their last matrix too."""
    seen: set[int] = set()
    found: set[int] = set()
    for part in model.modules():
        for parameter in part.parameters(recurse=False):
            (found if id(parameter) in seen else seen).add(id(parameter))
    return found
