"""MIMIC-CXR: radiographs with reports from Boston, as JPEG (MIMIC-CXR-JPG 2.0.0, 2.1.0) or DICOM (MIMIC-CXR).

Licence: PhysioNet Credentialed Health Data Licence 1.5.0. Access: https://physionet.org/content/mimic-cxr-jpg/ and
https://physionet.org/content/mimic-cxr/ after CITI training. Neither images nor edits of them may be shared.

One record is one frontal image, with the impression of its study's report and the study's labels (labels are per
study). The JPEGs are histogram-equalised, the DICOM files are not; the paper cites the latter. Expected folder:

    files/p10/p10999001/s50999001/<dicom_id>.jpg            or .dcm
    mimic-cxr-2.0.0-metadata.csv.gz                         2.1.0 keeps this name; all tables with .gz or without
    mimic-cxr-2.0.0-split.csv.gz
    mimic-cxr-2.0.0-chexpert.csv.gz                         or -negbio
    mimic-cxr-2.1.0-test-set-labeled.csv                    2.1.0 only
    IMAGE_FILENAMES                                         2.1.0 only
    cxr-record-list.csv.gz                                  DICOM only; its other tables come from the JPEG project
    files/p10/p10999001/s50999001.txt                       or in mimic-cxr-reports/, mimic-cxr-reports.zip
    mimic_cxr_sectioned.csv                                 or this, from the makers' create_section_files.py: quicker
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from radedit.data.datasets.chexpert.labels import UNCERTAIN
from radedit.data.datasets.mimic.reports import Sectioned, find_reports, read_reports
from radedit.data.datasets.mimic.tables import FRONTAL_RULES, NAME, SPLITS, MimicImage, MimicTables, StudyLabels
from radedit.data.layouts.image_files import ImageFile, ImageFiles
from radedit.data.layouts.impressions import SECTIONS, tidy
from radedit.data.layouts.options import check_option, several
from radedit.data.layouts.roots import find_table, not_found, set_root
from radedit.types import Record

PIXELS = {"jpg": "JPEG, histogram-equalised", "dcm": "DICOM"}
PROBED = 1000  # reports looked for before a folder is believed to hold none


class MimicCxr(ImageFiles):
    """Frontal images with their impressions and labels.

    Where the radiologists' labels of the 2.1.0 test set are there, they replace those mined from the report; attribute
    `label_source` names the one of an image.

    Args:
        root: Folder of MIMIC-CXR-JPG or MIMIC-CXR, the one that holds `files/`.
        tables: Folder of the tables of MIMIC-CXR-JPG, where they are not in `root`.
        reports: Folder, archive or `mimic_cxr_sectioned.csv` of the reports; looked for in `root` where None.
        cache: Folder where what was cut from single reports is kept; see `radedit.data.datasets.mimic.reports`.
        images: `jpg` or `dcm`; where None, `dcm` if `root` has the list of the DICOM release.
        labels: Whose labels: `chexpert`, `negbio`, or None for none.
        uncertain: What -1 is read as: `unread`, `positive` or `negative`.
        frontal_rule: `viewposition`: ViewPosition is AP or PA. `viewcode`: where that is blank, the view's code may
            say so instead.
        split: Official splits to keep (`train`, `validate`, `test`), one or several; all where None.
        require_impression: Whether images without an impression are left out (Section 5.1), rather than without text.
            Findings never stand in for it.
        check_files: See `ImageFiles`.

    Raises:
        FileNotFoundError: If the folder, a table, the reports or images are missing.
        ValueError: If a table is another one, a label or split is unknown, or see `ImageFiles`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tables: str | Path | None = None,
        reports: str | Path | None = None,
        cache: str | Path | None = None,
        images: str | None = None,
        labels: str | None = "chexpert",
        uncertain: str = "unread",
        frontal_rule: str = "viewposition",
        split: str | Sequence[str] | None = None,
        require_impression: bool = True,
        check_files: bool = True,
    ) -> None:
        folder = set_root(NAME, root)
        wanted = several("split", split, SPLITS)
        check_option("images", [images], [None, *PIXELS])
        check_option("labels", [labels], [None, "chexpert", "negbio"])
        check_option("frontal_rule", [frontal_rule], FRONTAL_RULES)
        check_option("uncertain", [uncertain], list(UNCERTAIN))
        suffix = images or ("dcm" if find_table([folder], "cxr-record-list") else "jpg")
        excluded: Counter[str] = Counter()

        mimic = MimicTables([folder] if tables is None else [set_root(NAME, tables), folder], excluded)
        frontal = mimic.downloaded(mimic.frontal(frontal_rule))
        splits = mimic.splits()
        read = mimic.labels(labels, uncertain) if labels else {}
        chosen = []
        for image in frontal:
            its_split = splits.get(image.dicom_id)
            if its_split in wanted or (its_split is None and split is None):
                chosen.append(image)
            else:
                excluded[f"split {its_split}" if its_split else "in no official split"] += 1
        said = _reports(folder, reports, chosen, cache, require_impression)

        radiographs = []
        for image in chosen:
            impression = tidy(said.get(image.study_id, {}).get("impression", ""))
            if require_impression and not impression:
                excluded[_why_no_impression(said.get(image.study_id))] += 1
                continue
            label_source, found = read.get(image.study_id, StudyLabels("", {}))
            attributes = {
                "source": NAME,
                "view": image.view,
                "split": splits.get(image.dicom_id, ""),
                "study_id": image.study_id,
                "pixels": PIXELS[suffix],
                "label_source": label_source,
            }
            record = Record(image.dicom_id, image.patient_id, found, impression, attributes)
            radiographs.append(ImageFile(record, folder / f"{image.study}/{image.dicom_id}.{suffix}"))
        super().__init__(NAME, folder, radiographs, excluded=excluded, check_files=check_files)


def _reports(
    root: Path, reports: str | Path | None, images: Sequence[MimicImage], cache: str | Path | None, required: bool
) -> Sectioned:
    places = {image.study_id: f"{image.study}.txt" for image in images}
    source: Path | None = Path(reports or root)
    if source is not None and not source.is_file():
        some = list(places.values())[:: max(1, len(places) // PROBED)]
        source = find_reports(set_root(f"Reports of {NAME}", source), some)
    if source is None and (required or reports is not None):
        raise not_found(
            NAME,
            Path(reports or root),
            ["mimic_cxr_sectioned.csv", "mimic-cxr-reports/", "mimic-cxr-reports.zip", "files/p10/p…/s….txt"],
            "The reports come with MIMIC-CXR, not with MIMIC-CXR-JPG: name their folder, archive or table in "
            "reports=…, or set require_impression=false.",
        )
    return read_reports(source, places, Path(cache) if cache else None) if source else {}


def _why_no_impression(said: Mapping[str, str] | None) -> str:
    if said is None:
        return "no report"
    other = next((name.replace("_", " ") for name in SECTIONS if name in said), None)
    return f"no impression, but {other}" if other else "no impression, nor anything in its place"
