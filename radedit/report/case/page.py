"""A case as a page and as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from radedit.data.io.atomic import write_atomically
from radedit.harness.evidence.results import FILE, Results
from radedit.harness.explain.case import Case, CaseImage, inside
from radedit.report.case.chain import draw_chain
from radedit.report.case.panels import Panel, bands, colour_stops, difference_scale, headings, is_wrong
from radedit.report.images.pictures import data_uri
from radedit.report.words import numbers

PAGE, PICTURE, FACTS = "index.html", "chain.png", "explanation.json"
SHOWN_PX = 256


def write_explanation(case: Case, results: Results, run: Path, folder: Path, about: Mapping[str, Any]) -> Path:
    """Write `index.html`, `chain.png` and `explanation.json`.

    Args:
        case: From `radedit.harness.explain.case.explain`.
        results: Of the run.
        run: Its folder, whose results are named by their hash.
        folder: What is written to; made if it is not there.
        about: Provenance: command, commit, versions, folders of the predictors.

    Returns:
        The page: one file, with everything that it shows inside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = facts(case, results, run) | dict(about)
    write_atomically(folder / FACTS, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(folder / PICTURE, draw_chain(case, results))
    write_atomically(folder / PAGE, render(case, results, found).encode())
    return folder / PAGE


def facts(case: Case, results: Results, run: Path) -> dict[str, Any]:
    """Numbers and hashes of a case, as JSON has them."""
    names = [[heading.name for heading in chain] for chain in headings(case, results)]
    return {
        "record": case.record,
        "scenario": results.name,
        "title": results.title,
        "kept": case.kept,
        "cosine": case.cosine,
        "threshold": results.threshold,
        "measure": results.measure,
        "finding": results.finding,
        "structure": results.structure,
        "difference": {
            "unit": "grey levels of 255",
            "of": "each image, less the first of its chain",
            "scale": round(difference_scale(case), 3),
        },
        "grad_cam": {
            "of": "log-odds of the label, at the last feature map of at least 7 × 7 cells; not scaled to each image",
            "layers": {key: asdict(layer) for key, layer in case.layers.items()},
        },
        "mask_px": {name: int(mask.sum()) for name, mask in case.masks.items()},
        "images": [
            _image(case, results, image, chain[0], name)
            for chain, called in zip(case.chains, names, strict=True)
            for image, name in zip(chain, called, strict=True)
        ],
        "hashes": {
            "results": hashlib.sha256((run / FILE).read_bytes()).hexdigest(),
            **results.hashes.model_dump(),
        },
        **case.credits,
    }


def render(case: Case, results: Results, found: Mapping[str, Any]) -> str:
    """The page's HTML; `found` are the facts."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("radedit.report"),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"amount": numbers.amount, "uri": _uri, "unbroken": numbers.unbroken}
    environment.globals |= {
        name: Markup(files("radedit.report").joinpath(f"templates/{name}.css").read_text("utf-8"))
        for name in ("style", "explanation")
    }
    rows = bands(case, results)
    return environment.get_template("explanation.html.j2").render(
        case=case,
        results=results,
        found=found,
        headings=headings(case, results),
        columns=max(len(chain) for chain in case.chains),
        bands=rows,
        bars={band.bar[0]: colour_stops(band.bar[0]) for band in rows if band.bar},
        lede=lede(case, results),
        support=support(case, results),
        asked=[p for p in results.predictors if p.key in case.images[0].says],
        titles=_titles(case, results),
    )


def lede(case: Case, results: Results) -> str:
    """What happened, in one sentence."""
    edit = _kind(case, "edit")
    if results.measure == "dice":
        said = [f"{p.name}, {_dices(case, p.key)}" for p in results.predictors]
        return f"Dice of the {results.structure}: {'; '.join(said)}."
    who = {p.name: is_wrong(results, edit, edit, p.key) for p in results.predictors}
    still, others = ([name for name, wrong in who.items() if wrong is asked] for asked in (True, False))
    finding = results.finding or "the finding"
    if not still:
        return f"On the edit, no predictor sees {finding} any more."
    rest = f" {_listed(others)} {'does' if len(others) == 1 else 'do'} not." if others else ""
    return f"On the edit, {_listed(still)} still {'sees' if len(still) == 1 else 'see'} {finding}.{rest}"


def support(case: Case, results: Results) -> list[str]:
    """What a reader should know before believing it."""
    sentences = []
    sham = next((image for image in case.images if image.kind == "sham"), None)
    edit, replay = _kind(case, "edit"), _kind(case, "replay")
    if sham is not None and results.measure != "dice":
        wrong = [p.name for p in results.predictors if is_wrong(results, sham, sham, p.key)]
        sentences.append(
            f"On the sham, the same edit where there is nothing to remove, {_listed(wrong) or 'none'} "
            f"{'see' if len(wrong) > 1 else 'sees'} {results.finding or 'the finding'}: "
            + ("so here the editing by itself misleads." if wrong else "here the editing by itself does not mislead.")
        )
    elif sham is not None:
        own, other = (inside(image.difference.abs(), case.masks["edit"]) for image in (edit, sham))
        if own is not None and other is not None:
            sentences.append(
                f"Inside m_edit the edit changes the image by {numbers.amount(own)} grey levels on average, the sham, "
                f"whose prompt adds nothing, by {numbers.amount(other)}."
                + (" So the sham is not neutral on this image: look at it." if other > own else "")
            )
    counterfactual = next((image for image in case.images if image.kind == "counterfactual"), None)
    if counterfactual is not None and results.finding:
        other_words = [
            p.name
            for p in results.predictors
            if is_wrong(results, counterfactual, counterfactual, p.key) is not is_wrong(results, edit, edit, p.key)
        ]
        sentences.append(
            f"On the true image without {results.finding}, {_listed(other_words)} "
            f"{'prediction' if len(other_words) > 1 else 'predictions'} otherwise than on the edit."
            if other_words
            else f"On the true image without {results.finding}, every prediction is the same as on the edit."
        )
    keep = inside(edit.difference.abs(), case.masks["keep"])
    path = inside(replay.difference.abs(), case.masks["keep"])
    if keep is not None and path is not None:
        sentences.append(
            f"Inside m_keep the edit differs from the original by {numbers.amount(keep)} grey levels on average, the "
            f"replay, which has no prompt, by {numbers.amount(path)}."
        )
    return sentences


def _titles(case: Case, results: Results) -> list[tuple[str, str]]:
    """Heading and explanation of each chain."""
    counterfactual = "the image with it drawn on" if results.added else "the true image without the finding"
    last = f" Last, {counterfactual}." if any(image.kind == "counterfactual" for image in case.chains[0]) else ""
    steps = "Through the autoencoder alone, then inverted and edited with an empty prompt, then "
    both = any(image.kind == "sham" for image in case.chains[0])
    return [
        ("From the original to its edit", f"{steps}{'with each of two prompts' if both else 'with the prompt'}.{last}"),
        (
            "From the reference to its sham",
            "The same steps, masks and noise on an image without finding and shortcut: what the editor does by itself.",
        ),
    ][: len(case.chains)]


def _image(case: Case, results: Results, image: CaseImage, first: CaseImage, name: str) -> dict[str, Any]:
    change = image.difference.abs()
    masks = case.masks | {"elsewhere": ~(case.masks["edit"] | case.masks["keep"])}
    return {
        "kind": image.kind,
        "name": name,
        "compared_to": first.kind,
        "image": image.path,
        "sha256": image.sha256,
        "change": {
            "mean_signed": _rounded(float(image.difference.mean())),
            "mean": _rounded(float(change.mean())),
            "max": _rounded(float(change.max())),
            **{f"mean_in_{where}": _rounded(inside(change, mask)) for where, mask in masks.items()},
        },
        "predictors": {key: _says(case, results, image, first, key) for key in image.says},
    }


def _says(case: Case, results: Results, image: CaseImage, first: CaseImage, key: str) -> dict[str, Any]:
    says = image.says[key]
    wrong = is_wrong(results, image, first, key)
    told: dict[str, Any] = {
        "probability": says.probability,
        "dice": says.dice,
        "dice_all": says.dice_all,
        "drawn_px": None if says.drawn is None else int(says.drawn.sum()),
        ("fell" if results.measure == "dice" else "wrong"): wrong,
    }
    if says.cam is not None:
        whole = float(says.cam.sum())
        shares = {
            f"share_in_{name}": round(float(says.cam[mask].sum()) / whole, 4) if whole else None
            for name, mask in case.masks.items()
        }
        told["grad_cam"] = {"max": round(float(says.cam.max()), 4), **shares}
    return {name: value for name, value in told.items() if value is not None}


def _kind(case: Case, kind: str) -> CaseImage:
    return next(image for image in case.images if image.kind == kind)


def _dices(case: Case, key: str) -> str:
    """`0.64 on the original, …` for the images that matter."""
    shown = [image for image in case.images if image.kind in ("source", "sham", "edit")]
    words = {"source": "original", "sham": "sham", "edit": "edit"}
    said = [f"{dice:.2f} on the {words[image.kind]}" for image in shown if (dice := image.says[key].dice) is not None]
    return _listed(said) or "not known"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _uri(panel: Panel) -> str:
    assert panel.picture is not None
    return data_uri(panel.picture, SHOWN_PX)
