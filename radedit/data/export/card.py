"""What an exported stress set says of itself: a card for people, and Croissant metadata for machines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from radedit import __version__
from radedit.data.io.table import Table

LICENCES = {
    "cc0 1.0": "cc0-1.0",
    "cc by 4.0": "cc-by-4.0",
    "cc by-sa 4.0": "cc-by-sa-4.0",
    "cc by-nc 4.0": "cc-by-nc-4.0",
}
LICENCES |= {"mit": "mit"}  # as written → as the hub names it
CONTEXT = {  # of Croissant 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
MEANINGS = {
    "id": "unique name: the record, a slash, and the kind of image",
    "patient_id": "patient, or phantom",
    "image": "8-bit PNG",
    "report": "what the image shows, in report style",
    "attr_kind": "`source`, `edit`, `sham`, `reference`, …",
    "attr_record": "what all images made of one source share",
}


@dataclass(frozen=True)
class SetCard:
    """A stress set in words.

    Attributes:
        title: The question that it was made for.
        stress_set: Its hash.
        file: The Parquet file, within the folder.
        sha256: Of that file.
        columns: As in the file.
        n: Images.
        kinds: Kind of image → how many.
        licences: Of the images that edits were made of, as they were given.
    """

    title: str
    stress_set: str
    file: str
    sha256: str
    columns: tuple[str, ...]
    n: int
    kinds: Mapping[str, int]
    licences: tuple[str, ...]

    @classmethod
    def of(cls, table: Table, *, title: str, stress_set: str, file: str, sha256: str) -> Self:
        """Of a set's manifest."""
        kinds = Counter(row.cells.get("attr_kind", "image") for row in table.rows)
        licences = {row.cells.get("attr_licence", "") for row in table.rows} - {""}
        found = dict(sorted(kinds.items()))
        return cls(title, stress_set, file, sha256, table.columns, len(table.rows), found, tuple(sorted(licences)))

    @property
    def name(self) -> str:
        """Of the set, from its hash."""
        return f"radedit-stress-set-{self.stress_set[:12]}"

    @property
    def licence(self) -> str:
        """As the hub names it; `unknown` where none was given, `other` where it is another, or several."""
        named = [LICENCES.get(licence.lower().replace("-by", " by", 1).strip(), "other") for licence in self.licences]
        return named[0] if len(named) == 1 else "other" if named else "unknown"

    def markdown(self, features: Mapping[str, Mapping[str, str]]) -> str:
        """README.md of a data set on the hub."""
        header: dict[str, Any] = {
            "license": self.licence,
            "pretty_name": f"Stress set: {self.title}",
            "task_categories": ["image-classification", "image-segmentation"],
            "tags": ["medical", "chest x-ray", "synthetic", "radedit", "robustness"],
            "size_categories": [_size_category(self.n)],
            "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": self.file}]}],
            "dataset_info": {
                "features": [
                    {"name": name, "dtype": feature.get("dtype", "image")} for name, feature in features.items()
                ],
                "splits": [{"name": "test", "num_examples": self.n}],
            },
        }
        if self.licence == "other":
            header["license_name"] = "; ".join(self.licences)[:200]
        rows = "\n".join(f"| `{name}` | {self._meaning(name)} |" for name in self.columns)
        kinds = "\n".join(f"| `{kind}` | {n} |" for kind, n in self.kinds.items())
        licences = ", ".join(self.licences) or "none was given with the images; ask the person who exported this set"
        return f"""---
{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---

# {_line(self.title)}

Chest radiographs edited by radedit {__version__} to test how a model stands one shift.
**Edited images are synthetic. For the validation of models; not for clinical use.**

```python
from datasets import load_dataset

images = load_dataset("path/to/this/folder", split="test")
```

| kind | images |
|---|---|
{kinds}

| column | holds |
|---|---|
{rows}

- Stress set: `{self.stress_set}`. The same hash is the same set, to the byte.
- Licence of the images that were edited: {_line(licences)}.
- Limits: edits are made by a generative model and can be wrong; what a model does on them says something of the real
  shift as far as they are right. Use the shams and references beside them, as radedit's reports do.
- Do not train on this set and test on it.
"""

    def croissant(self) -> dict[str, Any]:
        """JSON-LD of Croissant 1.0."""
        return {
            "@context": CONTEXT,
            "@type": "sc:Dataset",
            "name": self.name,
            "description": f"{self.title} Chest radiographs edited by radedit to test how a model stands one shift. "
            "Edited images are synthetic; not for clinical use.",
            "conformsTo": "http://mlcommons.org/croissant/1.0",
            "version": "1.0.0",
            "license": "; ".join(self.licences) or "unknown",
            "isLiveDataset": False,
            "creator": {"@type": "sc:Organization", "name": "radedit"},
            "url": f"urn:sha256:{self.stress_set}",
            "citeAs": f"radedit {__version__}, stress set {self.stress_set[:12]}",
            "distribution": [
                {
                    "@type": "cr:FileObject",
                    "@id": "parquet",
                    "name": "parquet",
                    "contentUrl": self.file,
                    "encodingFormat": "application/x-parquet",
                    "sha256": self.sha256,
                }
            ],
            "recordSet": [
                {
                    "@type": "cr:RecordSet",
                    "@id": "images",
                    "name": "images",
                    "key": {"@id": "images/id"},
                    "field": [self._field(name) for name in self.columns],
                }
            ],
        }

    def _field(self, name: str) -> dict[str, Any]:
        is_picture = name == "image" or name.startswith("mask_")
        source: dict[str, Any] = {"fileObject": {"@id": "parquet"}, "extract": {"column": name}}
        if is_picture:
            source["transform"] = {"jsonPath": "bytes"}
        kind = "sc:ImageObject" if is_picture else "sc:Integer" if name.startswith("label_") else "sc:Text"
        return {
            "@type": "cr:Field",
            "@id": f"images/{name}",
            "name": name,
            "description": self._meaning(name),
            "dataType": kind,
            "source": source,
        }

    @staticmethod
    def _meaning(name: str) -> str:
        prefix, _, rest = name.partition("_")
        words = {"label": "1 or 0, or nothing where it was not read", "mask": "PNG, white where the structure is",
                 "box": "`x y width height` in px", "attr": rest.replace("_", " ")}  # fmt: skip
        return MEANINGS.get(name) or words.get(prefix, "")


def _size_category(n: int) -> str:
    return "n<1K" if n < 1000 else "1K<n<10K" if n < 10_000 else "10K<n<100K" if n < 100_000 else "100K<n<1M"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
