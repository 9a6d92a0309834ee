"""Images of a stress test for a product that is a black box: `python -m radedit.export +scenario=manifestation`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from radedit.app.command import entry_point, typed_command

if TYPE_CHECKING:
    from radedit.app.stress_sets import RequestedSet
    from radedit.types import Dataset

GIVEN, KEY = "for-the-product", "key.json"
OWN = ("stress_set", "format", "to", "blinding", "view", "of_patients")  # keys that radedit.stress does not have


@entry_point("export", needs="scenario", one_job=True)
def main(config: DictConfig) -> None:
    """Find the stress set and the other images of its test, write them blinded, and the key last."""
    from radedit.app.stress_sets import of_images, requested, require
    from radedit.app.tested_model import own_test_of
    from radedit.data.blinded.export import ANSWERS, draw_key, write_images, write_template
    from radedit.data.blinded.key import DIGITS, key_text, read_key
    from radedit.data.io.atomic import write_atomically
    from radedit.data.io.provenance import made_by
    from radedit.data.stress_set import content_hash_of
    from radedit.harness.predictors.classify import kind_dataset, kinds
    from radedit.harness.single.outputs import prepare_folder
    from radedit.harness.stress.scenario import Addition

    what = require(requested(config), config.stress_set, f"+scenario={config.scenario.name}")
    if config.format == "parquet":
        write_parquet(config, what)
        return
    sets: dict[str, Dataset] = {kind: kind_dataset(what.folder, kind) for kind in kinds(what.folder)}
    sets["in_distribution"] = of_images(own_test_of(config), None)
    sets |= {} if what.data.shifted is None else {"shifted": what.data.shifted}
    sets |= {f"cell-{cell}": images for cell, images in what.data.cells.items()}
    key = draw_key(
        sets, scenario=what.scenario.name, stress_set=content_hash_of(what.folder), size=what.bundle.size,
        seed=config.blinding, format=config.format,
    )  # fmt: skip
    folder = Path(config.to or Path(config.out) / "exports" / f"{key.scenario}-{key.hash[:DIGITS]}").expanduser()
    prepare_folder(folder)
    given = folder / GIVEN
    if (folder / KEY).is_file() and (before := read_key(folder / KEY).hash) != key.hash:
        raise ValueError(
            f"{folder} holds export {before[:DIGITS]}, and answers to it can't be read with the key of this one, "
            f"{key.hash[:DIGITS]}. Choose another folder (to=…), or move that one away."
        )
    write_images(key, sets, given, format=config.format, view=config.view)
    is_addition = isinstance(what.scenario, Addition)
    columns = [f"mask_{name}" for name in what.scenario.structures] if is_addition else ["probability"]
    if not (given / ANSWERS).is_file():  # one that is there may be filled
        write_template(key, given, columns)
    write_atomically(folder / KEY, key_text(key, made_by() | {"command": typed_command("export")}))
    asked = "masks" if is_addition else f"how probable {what.scenario.words['finding']} is"
    print(
        f"{len(key.items)} images of {key.size}×{key.size} px, asked is {asked}\n"
        f"to give away: {given.resolve()}\n"
        f"to fill:      {(given / ANSWERS).resolve()}\n"
        f"for you only: {(folder / KEY).resolve()}\n"
        f"then: {_same_words()} predictor=answers predictor.path={given / ANSWERS} key={folder / KEY}"
    )


def write_parquet(config: DictConfig, what: RequestedSet) -> None:
    """The stress set as it is, for those who may have it; nothing is blinded."""
    from radedit.data.export.parquet_set import write_parquet_set

    if config.setting != "phantom" and not config.of_patients:
        raise ValueError(
            f"format=parquet writes images and ids as they are, and those of setting={config.setting} are of patients. "
            "Say of_patients=true if they may leave."
        )
    folder = Path(config.to or Path(config.out) / "exports" / f"{what.folder.name}-parquet").expanduser()
    write_parquet_set(what.folder, folder, title=what.scenario.title)
    print(f'{folder.resolve()}\nthen: datasets.load_dataset({str(folder)!r}, split="test")')


def _same_words() -> str:
    """The stress test that these images are of, as one would type it."""
    words = [word for word in shlex.split(typed_command("stress")) if word.partition("=")[0] not in OWN]
    return shlex.join(re.sub("^addition=", "additions=", word) for word in words)  # one of those that it sweeps over


if __name__ == "__main__":
    main()
