"""Draw contact sheets of the phantom world: `python -m radedit.phantoms`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from radedit.app.command import entry_point

if TYPE_CHECKING:
    from torch import Tensor

    from radedit.phantom.world import Case, World


@entry_point("phantoms")
def main(config: DictConfig) -> None:
    """The same patients with every finding, and at every hospital."""
    import torch

    from radedit.phantom.render import render
    from radedit.phantom.world import FINDINGS, HOSPITALS
    from radedit.report.images.sheet import sheet

    world: World = instantiate(config.world, _convert_="all")
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    healthy: dict[str, Any] = dict.fromkeys(FINDINGS, 0)
    patients = [world.case("contact-sheet", i).do(**healthy, hospital="A") for i in range(config.n)]

    def images(cases: list[Case]) -> Tensor:
        return torch.stack([torch.from_numpy(render(case, config.size).image) for case in cases])

    findings = {"healthy": images(patients)}
    for finding in FINDINGS:
        ill: dict[str, Any] = {finding: 1}
        findings[finding] = images([case.do(**ill, hospital="A") for case in patients])
    findings["pneumothorax and drain"] = images([case.do(pneumothorax=1, drain=1) for case in patients])
    hospitals = {f"hospital {name}": images([case.do(hospital=name) for case in patients]) for name in HOSPITALS}
    for name, rows in {"findings": findings, "hospitals": hospitals}.items():
        sheet(rows, folder / f"{name}.png")
        print((folder / f"{name}.png").resolve())


if __name__ == "__main__":
    main()
