"""Which of the processes that torchrun or srun started together this one is, and the GPU that is its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
SRUN = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
GROUP = (  # what else makes a process take itself for one of several
    "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_NAME", "ROLE_WORLD_SIZE", "MASTER_ADDR",
    "MASTER_PORT", "SLURM_NTASKS_PER_NODE",
)  # fmt: skip


class Process(NamedTuple):
    """A process's number among all of the command, and on its machine; None where it was started by hand."""

    rank: int = 0
    world_size: int = 1
    local_rank: int | None = None


def this_process(environment: Mapping[str, str] = os.environ) -> Process:
    """As torchrun or srun says in the environment; a job of an array is a command of its own."""
    for names in (TORCHRUN, SRUN):
        if all(name in environment for name in names):
            return Process(*(int(environment[name]) for name in names))
    return Process()


def own_device(environment: Mapping[str, str] = os.environ, *, job: int | None = None) -> str:
    """`cuda`, where there is one: each of several processes on a machine has another of those it sees. Else `cpu`.

    Args:
        environment: Says which process of torchrun's or srun's this is.
        job: Number of this job among those that a launcher runs at a time, for processes that are neither's.
    """
    import torch  # takes seconds, which a look at the environment need not wait

    if not torch.cuda.is_available():
        return "cpu"
    local_rank = this_process(environment).local_rank
    number = job if local_rank is None else local_rank
    return "cuda" if number is None else f"cuda:{number % torch.cuda.device_count()}"


def alone(environment: Mapping[str, str] = os.environ, *, device: str = "cuda") -> dict[str, str]:
    """The environment of a command that is none of these processes, such as a training: Lightning would join them.

    Args:
        environment: Of this process.
        device: The GPU that it is to use; it sees that one only, if it has a number.
    """
    gone = {*TORCHRUN, *SRUN, *GROUP}
    kept = {k: v for k, v in environment.items() if k not in gone and not k.startswith("TORCHELASTIC_")}
    _, _, number = device.partition(":")
    if number:  # counts the GPUs that this process sees
        visible = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        kept["CUDA_VISIBLE_DEVICES"] = visible[int(number)] if visible else number
    return kept
