"""The sections of a free-text radiology report, as the makers of MIMIC-CXR find them.

The rules are those of the parser that comes with MIMIC-CXR (github.com/MIT-LCP/mimic-cxr, `txt/`), restated, so that
our impressions are those of its `mimic_cxr_sectioned.csv`. Not restated are its exceptions for 54 studies by number:
23 that name their impression otherwise, 31 that are cut at fixed characters. That table has none of the 54, either.
"""

from __future__ import annotations

import re

SECTIONS = ("impression", "findings", "last_paragraph", "comparison")  # the official order of preference

# A line break, a blank or more, capitals, a colon. A header on the first line, or in small letters, is none;
# neither is one whose line break was eaten by the header before it (`FINDINGS:⏎ IMPRESSION: Normal.`).
HEADER = re.compile(r"\n ([A-Z ()/,-]+):\s")

NAMES = {  # what the rules below would not understand
    **dict.fromkeys(
        ("conclusion", "impresson", "imprression", "imoression", "impressoin", "imprssion", "impresion", "imperssion",
         "mpression", "impession", "ndication"),  # the last is an oddity of the official list
        "impression",
    ),
    **dict.fromkeys(
        ("finding", "findins", "findindgs", "findgings", "findngs", "findnings", "finidngs"), "findings"
    ),
    **dict.fromkeys(("comparision", "comparisions", "comparsion", "comparrison", "reference exam"), "comparison"),
}  # fmt: skip
CONTAINED = ("impression", "findings", "history", "comparison", "addendum")  # the first that a header has in it
VIEWS = re.compile(  # headers that name the examination, under which its findings stand
    r"chest|portable|pa and lat|lateral and pa|ap and lateral|lateral and ap|frontal and|two views|frontal view|pa view"
    r"|ap view|one view|lateral view|bone window|frontal upright|frontal semi-upright|ribs"
)


def sections(report: str) -> dict[str, str]:
    """The sections of a report that may hold findings.

    Of a section that is there twice, such as an impression and that of an addendum, the last that is not blank counts.
    A line like ` NOTE: …` ends a section, as any header does.

    Args:
        report: The text as in its file, line breaks and all.

    Returns:
        Those of `SECTIONS` that are not blank → their text, without blanks around it. `last_paragraph` is what comes
        after the first blank line (one that holds a blank) of the last section, where there are no impression and no
        findings.
    """
    headers = list(HEADER.finditer(report))
    names = ["preamble", *(_name(header.group(1)) for header in headers)]
    starts = [0, *(header.end() for header in headers)]
    ends = [*(header.start() for header in headers), len(report)]
    parts = [(name, report[start:end]) for name, start, end in zip(names, starts, ends, strict=True)]
    parts = [(name, text) for name, text in parts if text.strip() or name not in ("impression", "findings")]
    found = dict(parts)
    if "impression" not in found and "findings" not in found:
        last, text = parts[-1]
        found[last], gap, tail = text.partition("\n \n")
        found |= {"last_paragraph": tail} if gap else {}
    return {name: found[name].strip() for name in SECTIONS if found.get(name, "").strip()}


def tidy(section: str) -> str:
    """A section as one line, for a text encoder.

    Line breaks, carriage returns and runs of blanks become one blank. The rule of underscores between an addendum and
    the first report goes; `___`, for what was removed about the patient, stays: text encoders were trained with it.
    """
    return " ".join(re.sub(r"_{4,}", " ", section).split())


def _name(header: str) -> str:
    header = header.lower().strip()
    if header in NAMES:
        return NAMES[header]
    contained = next((name for name in CONTAINED if name in header), None)
    return contained or ("findings" if VIEWS.search(header) else header)
