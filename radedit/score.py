"""What the editing score can tell, on a finished stress set: `python -m radedit.score +scenario=manifestation`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from omegaconf import DictConfig

from radedit.app.command import entry_point, typed_command


@entry_point("score", needs="scenario", one_job=True)
def main(config: DictConfig) -> None:
    """Score every image of the set, and tell good edits from failures by the score alone."""
    from radedit.app.stress_sets import requested
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.data.stress_set import require_whole_set
    from radedit.studies.score.figure import score_figure
    from radedit.studies.score.study import by_failure, study, sweep

    what = requested(config)
    if not (what.folder / "manifest.csv").is_file():
        command = typed_command("stress")
        raise FileNotFoundError(f"There is no finished stress set in {what.folder}. Make it first: {command}")
    require_whole_set(what.folder)
    folder = Path(config.out) / "score" / what.folder.name
    folder.mkdir(parents=True, exist_ok=True)
    print(f"report: {folder.resolve() / 'score.json'}\n", flush=True)
    scored = study(what.scenario, what.data, what.bundle, what.folder)
    table, thresholds = by_failure(scored), sweep(scored)
    score_figure(scored, what.plan.threshold, folder / "score.png")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["threshold", "kept", "of", "good"])
    for row in thresholds:
        writer.writerow(
            [*(row[key] for key in ("threshold", "kept", "of")), "" if row["good"] is None else f"{row['good']:.4f}"]
        )
    write_atomically(folder / "thresholds.csv", text.getvalue().encode())
    about = made_by() | {"stress_set": what.hash, "generator": what.bundle.hash}
    found = about | {"by_failure": table, "thresholds": thresholds}
    write_atomically(folder / "score.json", (json.dumps(found, indent=1) + "\n").encode())
    for failure in table:
        area, counts = failure["auroc"], f"{failure['good']} good, {failure['failed']} {failure['failure']}"
        value = "–" if area is None else f"{area['value']:.2f}"
        between = "" if area is None or area["low"] is None else f" ({area['low']:.2f}–{area['high']:.2f})"
        print(f"{failure['which']:8} {counts:36} AUROC {value}{between}")
    for row in thresholds:
        good = "" if row["good"] is None else f", {100 * row['good']:.0f} % of them good"
        print(f"threshold {row['threshold']:5.2f}: {row['kept']:4.0f} of {row['of']:.0f} kept{good}")
    print(folder.resolve())


if __name__ == "__main__":
    main()
