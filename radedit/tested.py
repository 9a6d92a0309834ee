"""Who is tested: the predictors of the setting, or a model of the user's own in their place."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf, open_dict

from radedit.harness.own_model import KEY

DECLARED = ("name", "trained_on", "network", "label", "masks", "input", "output", "device")


def is_own(config: DictConfig) -> bool:
    """Whether a stress test's configuration names a model of the user's own."""
    return "network" in config.predictor


def put_own_model(config: DictConfig) -> None:
    """Put the user's model, if one is named, in the place of the setting's predictors, on their ordinary test set.

    Raises:
        ValueError: If there is nobody to test.
    """
    if not is_own(config):
        if not any(isinstance(node, DictConfig) and "_target_" in node for node in config.predictors.values()):
            raise ValueError(
                f"Setting {config.setting} has no predictors of its own. Name the model that is to be tested: "
                "predictor=torchscript predictor.path=my.pt, or another of conf/predictor."
            )
        return
    own_test = next(node.own_test for node in config.predictors.values() if "own_test" in node)
    declared = OmegaConf.to_container(config.predictor, resolve=True, throw_on_missing=True)
    assert isinstance(declared, dict)
    own = {
        "_target_": "radedit.harness.own_model.own_subject",
        **{name: declared[name] for name in DECLARED},
        "own_test": OmegaConf.to_container(own_test, resolve=True),
    }
    with open_dict(config):
        config.predictors = {KEY: own}
