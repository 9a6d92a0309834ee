"""The 14 observations that CheXpert and MIMIC-CXR are labelled with."""

from __future__ import annotations

from collections.abc import Mapping

from radedit.data.layouts.options import check_option

FINDINGS = {  # published name → ours, in the order of Appendix A
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "oedema",
    "Enlarged Cardiomediastinum": "enlarged_cardiomediastinum",
    "Fracture": "fracture",
    "Lung Lesion": "lung_lesion",
    "Lung Opacity": "lung_opacity",
    "No Finding": "no_finding",
    "Pleural Effusion": "effusion",
    "Pleural Other": "pleural_other",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Support Devices": "support_devices",
}
VALUES = {"1.0": 1, "0.0": 0, "-1.0": -1, "1": 1, "0": 0, "-1": -1}  # and nothing, where a report does not mention it
UNCERTAIN = {"unread": None, "positive": 1, "negative": 0}


def read_labels(
    cells: Mapping[str, str], uncertain: str, place: str, columns: Mapping[str, str] = FINDINGS
) -> dict[str, int]:
    """Labels of one row, 0 or 1; what was not mentioned is absent.

    Args:
        cells: Column → text.
        uncertain: What -1, "may be present", is read as: `unread` (absent, too), `positive` or `negative`.
        place: Where the row is, for errors.
        columns: Column → finding.

    Raises:
        ValueError: If a value is not 1, 0, -1 or empty, or `uncertain` none of the three.
    """
    check_option("uncertain", [uncertain], list(UNCERTAIN))
    labels: dict[str, int] = {}
    for column, finding in columns.items():
        cell = cells[column]
        if cell and cell not in VALUES:
            raise ValueError(
                f"{place}: column {column!r} has the label {cell!r}. Allowed are 1.0, 0.0, -1.0 (uncertain) and "
                "nothing (not mentioned). Is it the published table?"
            )
        label = VALUES[cell] if cell else None
        label = UNCERTAIN[uncertain] if label == -1 else label
        if label is not None:
            labels[finding] = label
    return labels
