"""The published weights become one bundle; parts that are others than published, or do not fit, are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from safetensors.torch import load_file, save_file

from radedit.app import configuration
from radedit.models.bundle.bundle import Bundle
from radedit.models.encoders.text_encoder import tokenize
from radedit.schedule import Schedule
from tests.published import IMAGE_FILE, SIZE, image_weights, overrides, save_unet, save_vae

PROMPT = "No acute process."


def load(folder: Path, *changes: str) -> Bundle:
    """As every command does."""
    with initialize_config_dir(str(configuration.CONF), version_base="1.3"):
        config = compose("edit", ["image=x", "prompt=x", *overrides(folder), "generator.device=cpu", *changes])
    bundle = instantiate(config.generator)
    assert isinstance(bundle, Bundle)
    return bundle


@pytest.fixture(scope="module")
def bundle(published: Path) -> Bundle:
    """Everything in float32. Not to be changed."""
    return load(published, "generator.dtype=float32")


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    """Folders of the same files, to be damaged; the checkpoint is only linked to."""
    for repository in ("radedit", "sdxl-vae"):
        shutil.copytree(published / repository, tmp_path / repository)
    shutil.copytree(published / "biovil-t", tmp_path / "biovil-t", ignore=shutil.ignore_patterns("*.pt"))
    (tmp_path / "biovil-t" / IMAGE_FILE).symlink_to(published / "biovil-t" / IMAGE_FILE)
    return tmp_path


def radiographs(n: int = 2) -> torch.Tensor:
    return torch.rand((n, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def test_weights_are_those_of_the_files(bundle: Bundle, published: Path) -> None:
    assert bundle.unet is not None and bundle.text_encoder is not None and bundle.image_encoder is not None
    for module, file in (
        (bundle.unet, "radedit/unet/diffusion_pytorch_model.safetensors"),
        (bundle.vae, "sdxl-vae/diffusion_pytorch_model.safetensors"),
        (bundle.text_encoder, "biovil-t/model.safetensors"),
    ):
        assert module is not None
        loaded, weights = module.state_dict(), load_file(published / file)
        assert all(torch.equal(loaded[name], weights[name]) for name in loaded if "cls.predictions.decoder" not in name)
    assert all(torch.equal(bundle.image_encoder.state_dict()[name], w) for name, w in image_weights().items())


def test_images_have_the_published_size_and_not_the_autoencoders_own(published: Path, bundle: Bundle) -> None:
    with initialize_config_dir(str(configuration.CONF), version_base="1.3"):
        assert compose("edit", ["generator=radedit_hub"]).generator.size == 512
    assert (bundle.size, bundle.factor) == (SIZE, 8)


def test_grey_images_pass_through_an_autoencoder_of_three_channels(bundle: Bundle) -> None:
    assert bundle.vae is not None
    latents = bundle.encode(radiographs())
    colour = 2 * radiographs().expand(-1, 3, -1, -1) - 1
    expected = bundle.vae.encode(colour).latent_dist.mode() * 0.13025
    torch.testing.assert_close(latents, expected)
    decoded = bundle.vae.decode(latents / 0.13025).sample
    torch.testing.assert_close(bundle.decode(latents), (decoded.mean(1, keepdim=True) / 2 + 0.5).clamp(0, 1))


def test_a_drawn_latent_is_spread_around_the_mode_as_the_posterior_says(bundle: Bundle) -> None:
    assert bundle.vae is not None
    posterior = bundle.vae.encode(2 * radiographs().expand(-1, 3, -1, -1) - 1).latent_dist
    drawn = bundle.encode(radiographs(), lambda shape: torch.full(tuple(shape), 2.0))
    torch.testing.assert_close(drawn, (posterior.mean + 2 * posterior.std) * 0.13025)


def test_noise_levels_are_the_released_ones(bundle: Bundle) -> None:
    schedule, linear = bundle.schedule(100), Schedule.linear(100)
    assert schedule.timesteps[1:4].tolist() == [9, 19, 29] and int(schedule.timesteps[-1]) == 999
    torch.testing.assert_close(schedule.alpha_bar, linear.alpha_bar, rtol=1e-5, atol=0)
    torch.testing.assert_close(float(schedule.alpha_bar[-1]), 4.04e-5, rtol=2e-3, atol=0)
    assert bundle.scheduler is not None and bundle.scheduler.config["prediction_type"] == "epsilon"


def test_prompts_are_padded_to_128_tokens_and_padding_is_attended_to(bundle: Bundle) -> None:
    assert bundle.text_encoder is not None
    input_ids, attention = tokenize(bundle.tokenizer, [PROMPT])
    assert input_ids.shape == (1, 128) and 0 < attention.sum() < 128
    hidden = bundle.embed_prompts([PROMPT])
    assert torch.equal(hidden, bundle.text_encoder.hidden(input_ids))
    assert not torch.allclose(hidden, bundle.text_encoder.hidden(input_ids, attention))


def test_padding_can_be_masked(published: Path) -> None:
    masked = load(published, "generator.dtype=float32", "generator.attention_mask=true")
    assert masked.text_encoder is not None
    expected = masked.text_encoder.hidden(*tokenize(masked.tokenizer, [PROMPT]))
    assert torch.equal(masked.embed_prompts([PROMPT]), expected)


@pytest.mark.slow
def test_network_computes_in_bfloat16_and_score_and_autoencoder_do_not(published: Path) -> None:
    half = load(published)
    assert half.unet is not None and half.vae is not None and half.text_encoder is not None
    assert (half.unet.dtype, half.text_encoder.dtype, half.vae.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    x_t = torch.zeros(1, 4, 8, 8)
    assert half.predictor(half.schedule(4))(x_t, 2, None).dtype == torch.float32
    texts, images = half.embed_text([PROMPT, ""]), half.embed_image(radiographs())
    assert texts.dtype == images.dtype == torch.float32 and texts.shape == images.shape == (2, 128)
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(2), rtol=0, atol=0.01)


def test_autoencoder_survives_bfloat16(published: Path) -> None:
    bundle = load(published, "generator.vae_dtype=bfloat16")
    assert bundle.decode(bundle.encode(radiographs()).float()).isfinite().all()


@pytest.mark.slow
def test_the_hash_names_weights_and_precision(bundle: Bundle, published: Path, copy: Path) -> None:
    assert load(copy, "generator.dtype=float32").hash == bundle.hash
    assert load(published).hash != bundle.hash
    path = copy / "radedit" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    assert load(copy, "generator.dtype=float32").hash != bundle.hash


@pytest.mark.slow
def test_a_bundle_saved_from_it_is_the_same_generator(bundle: Bundle, tmp_path: Path) -> None:
    """So that the paper's own U-Net can be trained on the published parts."""
    bundle.save(tmp_path, dtype=torch.float32)
    again = Bundle.load(tmp_path)
    assert again.size == bundle.size
    assert torch.equal(again.embed_prompts([PROMPT]), bundle.embed_prompts([PROMPT]))
    assert torch.equal(again.embed_image(radiographs()), bundle.embed_image(radiographs()))
    torch.testing.assert_close(again.encode(radiographs()), bundle.encode(radiographs()))


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "image_encoder"])
def test_random_weights_are_not_taken_for_the_published_ones(published: Path, part: str) -> None:
    sizes = {"unet": 1757849552, "vae": 334643268, "text_encoder": 440909232, "image_encoder": 109745561}
    with pytest.raises(Exception, match=f"published {part} has {sizes[part]:,}"):
        load(published, f"generator.{part}.size={sizes[part]}")


def test_the_published_checksum_is_asked_for(published: Path) -> None:
    with pytest.raises(Exception, match="published image_encoder has a83080e2f23aa584a4f2b24c39b1bb64"):
        load(published, "generator.image_encoder.md5=a83080e2f23aa584a4f2b24c39b1bb64")


@pytest.mark.parametrize(("key", "value"), [("vae_dtype", "float16"), ("vae_dtype", "fp32"), ("dtype", "half")])
def test_precisions_that_do_not_work_are_refused_before_anything_is_read(key: str, value: str) -> None:
    reason = "gives NaN" if value == "float16" else "Allowed are"
    with pytest.raises(Exception, match=rf"generator.{key} is '{value}'.*{reason}"):
        load(Path("nowhere"), f"generator.{key}={value}")


def test_code_in_a_pickle_is_not_run(copy: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (copy / "owned",)

    (copy / "biovil-t" / IMAGE_FILE).unlink()
    torch.save({"encoder.missing_previous_emb": Evil()}, copy / "biovil-t" / IMAGE_FILE)
    with pytest.raises(Exception, match="Part 'image_encoder' .* can't be read"):
        load(copy)
    assert not (copy / "owned").exists()


def test_code_beside_the_weights_is_not_run(copy: Path) -> None:
    for name in ("configuration_cxrbert.py", "modeling_cxrbert.py"):
        (copy / "biovil-t" / name).write_text(f"open({str(copy / 'owned')!r}, 'w')\nraise SystemExit\n")
    load(copy)
    assert not (copy / "owned").exists()


def test_a_scaling_factor_is_never_guessed(copy: Path) -> None:
    path = copy / "sdxl-vae" / "config.json"
    config = json.loads(path.read_text())
    del config["scaling_factor"]
    path.write_text(json.dumps(config))
    with pytest.raises(Exception, match="has no scaling_factor"):
        load(copy)


def test_an_autoencoder_of_other_latents_is_refused(copy: Path) -> None:
    save_vae(copy / "sdxl-vae", latent_channels=16)
    with pytest.raises(Exception, match="latent_channels and the U-Net's in_channels differ, 16 and 4"):
        load(copy)


def test_a_network_for_other_prompts_is_refused(copy: Path) -> None:
    save_unet(copy / "radedit", cross_attention_dim=10)
    with pytest.raises(Exception, match="hidden_size and the U-Net's cross_attention_dim differ, 12 and 10"):
        load(copy)


def test_a_tokenizer_of_other_words_is_refused(copy: Path) -> None:
    path = copy / "biovil-t" / "vocab.txt"
    path.write_text(path.read_text() + "another\n")
    with pytest.raises(Exception, match="The tokenizer has .* words, but the text encoder knows"):
        load(copy)


@pytest.mark.parametrize(
    "file",
    ["radedit/unet/config.json", "sdxl-vae/config.json", "biovil-t/config.json", "biovil-t/tokenizer_config.json"],
)
def test_a_damaged_configuration_is_refused(copy: Path, file: str) -> None:
    (copy / file).write_text((copy / file).read_text()[:-20])
    with pytest.raises(Exception, match=r"can't be read.*again"):
        load(copy)


@pytest.mark.parametrize("file", ["radedit/unet/diffusion_pytorch_model.safetensors", "biovil-t/model.safetensors"])
def test_a_download_that_was_cut_short_is_refused(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-100])
    with pytest.raises(Exception, match=r"can't be read.*again"):
        load(copy)
