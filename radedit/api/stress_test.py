"""A stress test of a model that a program holds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch and pandas take seconds, which the command's help need not wait
    from pandas import DataFrame
    from torch import Tensor, nn

    from radedit.api.result import StressResult
    from radedit.types import Dataset


def stress(
    model: nn.Module | Callable[[Tensor], Any],
    data: DataFrame | Dataset | str | Path | None = None,
    *,
    scenario: str = "manifestation",
    addition: str | None = None,
    generator: str | Path | None = None,
    preset: str = "full",
    n: int | None = None,
    name: str = "Own model",
    input: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
    out: str | Path = "outputs",
    overrides: Sequence[str] = (),
    verbose: bool = False,
) -> StressResult:
    """Stress-test a model: edit images along one shift, keep the good edits, predict, and reach a verdict.

    It is what `radedit stress +scenario=…` does, with the same folders: the same call again, or the same command, goes
    on where it stopped and finds what is finished.

    Args:
        model: Takes a batch of images, shape (B, 1, H, W), float32 in [0, 1] unless `input` says otherwise. It returns
            a number for each image (B,) or (B, 1), several (B, K), or masks (B, K, H, W). A module is tested in
            evaluation mode and is afterwards as it was.
        data: A table with the columns of a manifest (`docs/how-to/own-data.md`), as a `DataFrame`, a `.csv` or
            `.parquet`; or a data set with `records` and `load`, such as `radedit.ManifestDataset`. Files in a frame are
            relative to the working folder. None takes synthetic phantoms.
        scenario: The shift: `acquisition`, `manifestation` or `population`.
        addition: What the population scenario adds, such as `oedema`; None takes the first.
        generator: Who edits: `phantom`, `open`, `radedit_hub`, or the folder of a bundle. With `data` it must be named.
        preset: How much: `full`, `demo` (minutes on a laptop, on phantoms) or `smoke` (does it run?).
        n: Source images at most; None leaves it to the preset.
        name: Of the model in tables.
        input: The images that the model takes: `size` (px), `range`, `mean`, `std`, `channels`, `layout`; see
            `radedit.models.adapters.declared.Input`.
        output: What its numbers mean: `kind` (`logit`, `probability` or `softmax`), `index`, `threshold`; see
            `radedit.models.adapters.declared.Output`.
        out: Folder of stress sets, predictions and results.
        overrides: Anything else as on the command line, such as `["edit.seed=1", "rules.limit=0.05"]`.
        verbose: Whether to print what the command prints.

    Returns:
        The result, with `verdicts`, `to_frame()` and `report()`.

    Raises:
        ValueError: If the model is not what was declared, the images lack what the scenario needs, or a value is not
            allowed. It is raised before anything is edited.
        FileNotFoundError: If a file that is named is not there.

    Examples:
        >>> import radedit
        >>> def brightness(images):  # a "detector" that knows nothing
        ...     return images.mean((1, 2, 3))
        >>> result = radedit.stress(
        ...     brightness, scenario="manifestation", preset="smoke", output={"kind": "probability"}
        ... )
        >>> [verdict.outcome for verdict in result.verdicts]
        ['undecided']
        >>> sorted(result.to_frame()["images"].unique())[:2]
        ['in-distribution test set', 'replay']
        >>> result.report().name
        'report.html'
        >>> radedit.load_result(result.folder) == result
        True
    """
    from radedit.api.configured import configured, override
    from radedit.api.result import StressResult
    from radedit.api.single_edit import named_generator
    from radedit.app.stress_test import run
    from radedit.app.tested_model import Given
    from radedit.models.adapters.built import load

    if data is not None and generator is None:
        raise ValueError(
            "generator was not given. Name who edits your images: generator='radedit_hub' (the published weights), a "
            "folder of your own bundle, or 'phantom', which knows synthetic phantoms only."
        )
    typed = [
        f"+scenario={scenario}", f"preset={preset}", "logger=csv", "predictor=own", "predictor.network=null",
        override("predictor.name", name), override("out", str(out)),
        *([f"addition={addition}"] if addition else []),
        *(named_generator(generator) if generator is not None else []),
        *(["setting=manifest", "dataset.images=null"] if data is not None else []),
        *([f"n={n}", f"n_added={n}"] if n is not None else []),
        *(override(f"predictor.input.{key}", value) for key, value in (input or {}).items()),
        *(override(f"predictor.output.{key}", value) for key, value in (output or {}).items()),
        *overrides,
    ]  # fmt: skip
    images = None if data is None else _images(data, Path(out).expanduser() / "manifests")
    silence = contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO())
    with configured("stress", typed) as config, _as_it_was(model), silence:
        network = load(model, device=config.predictor.device)
        folder = run(config, Given(network, images, f"radedit.stress(model, …)  # {' '.join(typed)}"))
    if folder is None:
        raise ValueError("run has no 'evaluate', so there is no result. Leave run=… out.")
    return StressResult.of(folder)


def _images(data: DataFrame | Dataset | str | Path, folder: Path) -> Any:
    """What was handed in as a data set that knows what is drawn on its images.

    Args:
        data: A table, the path of one, or a data set.
        folder: Of manifests; a table is written there, named by its content.

    Raises:
        ValueError: If it is neither, or the table has mistakes, all of which are named.
    """
    import pandas as pd

    from radedit.data.datasets.manifest.manifest import ManifestDataset
    from radedit.data.views.with_drawings import WithDrawings
    from radedit.types import Dataset

    if isinstance(data, str | Path):
        return ManifestDataset(data, check_sizes=True)
    if isinstance(data, pd.DataFrame):
        return ManifestDataset(_written(data, folder), check_sizes=True)
    if not isinstance(data, Dataset):
        raise ValueError(
            f"data is a {type(data).__name__}; allowed are a DataFrame with the columns of a manifest, the path of "
            "one, and a data set with records and load."
        )
    return data if hasattr(data, "drawn") else WithDrawings(data)


def _written(frame: DataFrame, folder: Path) -> Path:
    """A frame as a manifest whose files are named from the root."""
    from radedit.data.io.fingerprint import content_hash
    from radedit.data.io.table import write_table

    columns = [str(column) for column in frame.columns]
    files = {column for column in columns if column == "image" or column.startswith("mask_")}
    rows = [
        {column: _cell(value, is_file=column in files) for column, value in zip(columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    path = folder / f"{content_hash(rows)[:12]}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    write_table(path, columns, rows)
    return path


def _cell(value: Any, *, is_file: bool) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:  # NaN and NaT differ from themselves
        return ""
    if isinstance(value, bool):
        return str(int(value))
    text = str(value)
    return str(Path(text).expanduser().absolute()) if is_file and text else text


@contextmanager
def _as_it_was(model: Any) -> Iterator[None]:
    """Afterwards a module's modes, gradients and device are as before: it is frozen and moved for the test."""
    from torch import nn

    if not isinstance(model, nn.Module):
        yield
        return
    modes = {module: module.training for module in model.modules()}
    frozen = {parameter: parameter.requires_grad for parameter in model.parameters()}
    devices = {parameter.device for parameter in model.parameters()}
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for parameter, requires_grad in frozen.items():
            parameter.requires_grad_(requires_grad)
        if len(devices) == 1:
            model.to(devices.pop())
