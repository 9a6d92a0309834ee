"""The best weight, steps and start of a scenario's edits, chosen on training images: `python -m radedit.tune`."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from radedit.app.command import entry_point, typed_command


@entry_point("tune", needs="scenario", one_job=True)
def main(config: DictConfig) -> None:
    """Edit the same training images with every setting, check the edits, and name the best setting."""
    import torch
    from hydra.utils import instantiate

    from radedit.app.stress_sets import requested
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.progress import tracked
    from radedit.data.io.provenance import made_by
    from radedit.harness.evidence.checks import check_edits
    from radedit.harness.evidence.tuning import Trial, best_of, tuning_table
    from radedit.harness.stress.generate import generate, require_masks
    from radedit.harness.stress.scenario import Addition

    if config.threads:
        torch.set_num_threads(config.threads)
    limits = instantiate(config.checks)
    trials: list[Trial] = []
    settings = list(itertools.product(config.tune.w, config.tune.steps, config.tune.spacing, config.tune.start))
    if not settings:
        raise ValueError(
            "tune.w, tune.steps, tune.spacing and tune.start must each name one value or more, such as tune.w=[3,5]."
        )
    print(f"report: {Path(config.out) / 'tune'}\n", flush=True)
    for w, steps, spacing, start in tracked(settings, len(settings), "Tuning", "settings"):
        one = OmegaConf.merge(
            config, {"editor": {"w": w, "start": start}, "edit": {"steps": steps, "spacing": spacing}}
        )
        assert isinstance(one, DictConfig)
        what = requested(one)
        require_masks(what.scenario, what.data, what.plan, what.bundle.size)
        setting = f"w = {w:g}, T = {steps}, spacing {spacing:g}{'' if start is None else f', start {start}'}"
        print(f"{setting}: {what.folder}", flush=True)
        generate(what.scenario, what.data, what.bundle, what.plan, what.folder, what.determines)
        checks = check_edits(
            what.folder,
            what.plan.threshold,
            limits,
            addition=isinstance(what.scenario, Addition),
            psnr=what.bundle.psnr,
        )
        trials.append(Trial(w, steps, start, checks, spacing))
    best, table = best_of(trials), tuning_table(trials)
    folder = Path(config.out) / "tune" / what.folder.name
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "command": typed_command("tune"), **made_by(), "generator": what.bundle.hash,
        "trials": [trial.dict() for trial in trials], "best": best.dict(),
    }  # fmt: skip
    write_atomically(folder / "tune.json", (json.dumps(found, indent=1) + "\n").encode())
    write_atomically(folder / "tune.md", table.encode())
    start = "" if best.start is None else f" editor.start={best.start}"
    setting = f"editor.w={best.w:g} edit.steps={best.steps} edit.spacing={best.spacing:g}{start}"
    print(f"\n{table}\nbest: {setting}\n{folder.resolve()}")


if __name__ == "__main__":
    main()
