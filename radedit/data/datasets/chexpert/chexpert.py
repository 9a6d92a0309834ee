"""CheXpert v1.0 and v1.0-small: radiographs with labels mined from reports, from Stanford.

Licence: Stanford University Dataset Research Use Agreement. Access:
https://stanfordmlgroup.github.io/competitions/chexpert/ after registration. Neither images nor edits of them may be
shared.

One record is one image with the labels of its row: 14 observations, 1, 0, -1 (uncertain) or nothing. There are no
reports; see `radedit.data.views.prompts` for texts. Expected folder, whose content may also lie in batch folders as
they are downloaded (`CheXpert-v1.0 batch 2 (train 1)/patient00001/…`):

    train.csv  valid.csv
    train/patient00001/study1/view1_frontal.jpg
    valid/patient64541/study1/view1_frontal.jpg
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from radedit.data.datasets.chexpert.labels import FINDINGS, UNCERTAIN, read_labels
from radedit.data.datasets.chexpert.paths import SPLITS, ImagePath, patient_folders, subfolders, why_not_frontal
from radedit.data.io.table import Table, read_table
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.options import check_option, several
from radedit.data.layouts.roots import find_table, not_found, set_root
from radedit.types import Record

NAME = "CheXpert"
COLUMNS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *FINDINGS)


class CheXpert(ImageFiles):
    """Images with the labels of `train.csv` and `valid.csv`.

    Args:
        root: The folder with these tables, or the one that all batches were unpacked into.
        split: `train`, `valid`, or both where None.
        uncertain: What -1 is read as: `unread` (so that it is not listed), `positive` or `negative`.
        frontal_only: Whether laterals are left out. The paper says so of MIMIC-CXR only; our reading.
        strict_views: Whether frontal images must be AP or PA: the table calls 17 others frontal.
        check_files: See `ImageFiles`.

    Raises:
        FileNotFoundError: If the folder, a table or images are missing.
        ValueError: If a table is another one, a label or path is unknown, or see `ImageFiles`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        split: str | Sequence[str] | None = None,
        uncertain: str = "unread",
        frontal_only: bool = True,
        strict_views: bool = False,
        check_files: bool = True,
    ) -> None:
        folder = set_root(NAME, root)
        wanted = several("split", split, SPLITS)
        check_option("uncertain", [uncertain], list(UNCERTAIN))
        tables = {name: _table(folder, name) for name in wanted}
        patients = patient_folders(folder)
        excluded: Counter[str] = Counter()
        images = []
        for name, table in tables.items():
            for line, row in table.rows:
                place = f"{table.path}, line {line}"
                path = ImagePath.parse(row["Path"], place)
                if path.split != name:
                    raise ValueError(f"{place}: {row['Path']!r} is of the split {path.split}. Are the tables swapped?")
                view, projection = row["AP/PA"], row["Frontal/Lateral"]
                reason = why_not_frontal(projection, view, frontal_only=frontal_only, strict_views=strict_views)
                if reason:
                    excluded[reason] += 1
                    continue
                attributes = {
                    "source": NAME,
                    "view": view or projection.upper(),
                    "split": name,
                    "sex": row["Sex"],
                    "age": row["Age"],
                    "study_id": f"{path.patient}/{path.study}",
                }
                record = Record(path.id, path.patient, read_labels(row, uncertain, place), attributes=attributes)
                images.append(ImageFile(record, path.below(folder, patients, ".jpg")))
        super().__init__(NAME, folder, images, excluded=excluded, check_files=check_files)


def _table(root: Path, split: str) -> Table:
    path = find_table(subfolders(root), split)
    if path is None:
        raise not_found(NAME, root, [f"{split}.csv"], "root holds train.csv and train/, or the batch folders.")
    return read_table(path, COLUMNS, f"CheXpert's {split}.csv")
