"""Which of the processes that torchrun or srun started together this one is, and the GPU that is its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import torch

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


def own_device(environment: Mapping[str, str] = os.environ) -> str:
    """`cuda`, where there is one: each of several processes on a machine has another of those it sees. Else `cpu`."""
    if not torch.cuda.is_available():
        return "cpu"
    local_rank = this_process(environment).local_rank
    return "cuda" if local_rank is None else f"cuda:{local_rank % torch.cuda.device_count()}"


def alone(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a command that is none of these processes, such as a training: Lightning would join them."""
    gone = {*TORCHRUN, *SRUN, *GROUP}
    return {k: v for k, v in environment.items() if k not in gone and not k.startswith("TORCHELASTIC_")}
