"""Who is tested: the predictors of the setting, or a model of the user's own in their place."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict

from radedit.app.stress_sets import of_images
from radedit.harness.predictors.classify import TestedModel
from radedit.harness.predictors.own_model import KEY
from radedit.models.adapters.loaded import LoadedNetwork
from radedit.types import Dataset

# How a model of the user's own is known → what makes it a tested model, and what is declared of it.
OWN = {
    "network": (
        "radedit.harness.predictors.own_model.own_tested_model",
        ("name", "trained_on", "network", "label", "masks", "input", "output", "device"),
    ),
    "answers": (
        "radedit.harness.predictors.answers.answered_model",
        ("name", "trained_on", "answers", "label", "masks", "threshold"),
    ),
}


@dataclass(frozen=True)
class Given:
    """What a program hands in as objects, where a command line names it; nothing of both from a command line.

    Attributes:
        network: The model that is tested, in place of `predictor.network`.
        images: Of the user, in place of `dataset.images`.
        command: The call in words, for the provenance.
    """

    network: LoadedNetwork | None = None
    images: Dataset | None = None
    command: str = ""


def is_own(config: DictConfig) -> bool:
    """Whether a stress test's configuration names a model of the user's own, or the answers of one."""
    return any(known in config.predictor for known in OWN)


def own_test_of(config: DictConfig) -> DictConfig:
    """The in-distribution test set of a setting, on which a model of the user's own is tested."""
    found: DictConfig = next(node.own_test for node in config.predictors.values() if "own_test" in node)
    return found


def put_own_model(config: DictConfig) -> None:
    """Put the user's model, if one is named, in the place of the setting's predictors, on their test set.

    Raises:
        ValueError: If there is no model to test.
    """
    if not is_own(config):
        if not any(isinstance(node, DictConfig) and "_target_" in node for node in config.predictors.values()):
            raise ValueError(
                f"Setting {config.setting} has no predictors of its own. Name the model that is to be tested: "
                "predictor=torchscript predictor.path=my.pt, or another of conf/predictor."
            )
        return
    own_test = own_test_of(config)
    declared = OmegaConf.to_container(config.predictor, resolve=True, throw_on_missing=True)
    assert isinstance(declared, dict)
    target, names = next(OWN[known] for known in OWN if known in config.predictor)
    own = {
        "_target_": target,
        **{name: declared[name] for name in names},
        "own_test": OmegaConf.to_container(own_test, resolve=True),
    }
    with open_dict(config):
        config.predictors = {KEY: own}


def tested_models(config: DictConfig, given: Given) -> list[TestedModel]:
    """The models that a stress test's configuration names, or the one that was handed in."""
    if given.network is None:
        built = instantiate(config.predictors, _convert_="all")
        return [model for model in built.values() if isinstance(model, TestedModel)]
    node = config.predictors[KEY]
    own_test = of_images(node.own_test, given.images)
    with open_dict(config):
        node.own_test = node.network = None
    model: TestedModel = instantiate(node, _convert_="all", _partial_=True)(network=given.network, own_test=own_test)
    return [model]
