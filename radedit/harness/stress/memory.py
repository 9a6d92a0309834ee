"""As many images at once as memory holds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

# Of torch's allocator on a CPU, which has no exception of its own: on Linux, and on Windows.
CPU_MESSAGES = ("can't allocate memory", "not enough memory")


class MemoryLimit:
    """How many images go through the networks together: halved whenever memory runs out, and never raised again.

    Attributes:
        n: So many, 1 and up.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def make(self, part: Callable[[slice], dict[str, Tensor]], total: int) -> dict[str, Tensor]:
        """Something of every image, in parts if memory does not hold all; parts that are made are not made again.

        Args:
            part: Makes those images of the block that a slice names: tensors by name, images along their first axis. A
                name may be left out where the block's first images alone have it.
            total: Images of the block.

        Returns:
            What `part` returns, of the whole block.

        Raises:
            RuntimeError: As torch raises it, if memory does not hold one image.
        """
        made: list[dict[str, Tensor]] = []
        first = 0
        while first < total:
            n = min(self.n, total - first)
            try:
                made.append(part(slice(first, first + n)))
                first += n
            except RuntimeError as error:
                if n == 1 or not is_out_of_memory(error):
                    raise
                self.n = n // 2
                logger.warning("Memory does not hold %d images at once; going on with %d. %s", n, self.n, error)
        return {name: torch.cat([one[name] for one in made if name in one]) for name in made[0]}


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU or a CPU had too little memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in CPU_MESSAGES)
