"""Write the file for a regulator of a finished stress test: `python -m radedit.dossier run=…`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from radedit.app.command import entry_point

if TYPE_CHECKING:
    from radedit.harness.sweep.results import Sweep


@entry_point("dossier")
def main(config: DictConfig) -> None:
    """Read a run or a sweep, and write its folder and ZIP."""
    from radedit.report.dossier.folder import write_dossier

    sweep, pictures = finished(Path(str(config.run)).expanduser())
    statement = None
    if config.statement is not None:
        path = Path(str(config.statement)).expanduser()
        try:
            statement = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"statement is {path}, which is no text in UTF-8 ({error}). Save it as such.") from error
    out = Path(str(config.out)).expanduser()
    written = write_dossier(sweep, pictures, out, statement=statement, images=config.pictures)
    print(f"{written.with_suffix('') / 'index.html'}\n{written}")


def finished(folder: Path) -> tuple[Sweep, dict[str, Path]]:
    """A finished run or sweep as a sweep, and variant → folder of its pictures.

    Raises:
        ValueError: If the folder is neither.
    """
    from radedit.app.sweeps import additions
    from radedit.harness.evidence.results import load
    from radedit.harness.sweep.finished_run import read_run
    from radedit.harness.sweep.put_together import put_together
    from radedit.harness.sweep.results import FILE, load_sweep, places

    if not (folder / FILE).is_file():
        sweep = put_together([read_run(folder)], additions())
        return sweep, {variant.key: folder for variant in sweep.variants}
    sweep = load_sweep(folder)
    where = places(sweep, folder)
    whole = [v.model_copy(update={"results": load(where[v.key])}) for v in sweep.variants]
    return sweep.model_copy(update={"variants": whole}), where


if __name__ == "__main__":
    main()
