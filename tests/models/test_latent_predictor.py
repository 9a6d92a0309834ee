"""A loaded bundle hands editors what the paper describes: latents, embedded prompts and f_θ."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from radedit.editing.guidance import predict_pair
from radedit.models.bundle.bundle import Bundle
from radedit.models.bundle.latent_predictor import LatentPredictor
from tests.tiny_bundle import SIZE, WORDS

LENGTH = 16  # tokens, of the tiny bundle's prompts


@pytest.fixture(scope="module")
def f_theta(bundle: Bundle) -> LatentPredictor:
    return bundle.predictor(bundle.schedule(5))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def images(n: int = 3) -> Tensor:
    return torch.rand((n, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def test_latents_are_the_scaled_mode_of_the_posterior(bundle: Bundle) -> None:
    assert bundle.vae is not None
    mean = bundle.vae.encode(2 * images() - 1).latent_dist.mean
    torch.testing.assert_close(bundle.encode(images()), mean * bundle.vae.config["scaling_factor"])
    assert torch.equal(bundle.encode(images()), bundle.encode(images()))  # nothing is sampled


def test_decoding_takes_the_scale_off_again(bundle: Bundle) -> None:
    assert bundle.vae is not None
    latents = draw(2, 4, SIZE // bundle.factor, SIZE // bundle.factor)
    expected = bundle.vae.decode(latents / bundle.vae.config["scaling_factor"]).sample / 2 + 0.5
    torch.testing.assert_close(bundle.decode(latents), expected.clamp(0, 1))


def test_images_and_latents_have_the_shapes_of_the_factor(bundle: Bundle) -> None:
    latents = bundle.encode(images(2))
    assert bundle.factor == 2
    assert latents.shape == (2, 4, SIZE // 2, SIZE // 2)
    decoded = bundle.decode(100 * latents)
    assert decoded.shape == (2, 1, SIZE, SIZE)
    assert decoded.min() >= 0
    assert decoded.max() <= 1


@pytest.mark.parametrize("embed", ["encode", "embed_image"])
def test_an_image_does_not_depend_on_its_batch(bundle: Bundle, embed: str) -> None:
    whole = getattr(bundle, embed)(images(3))
    single = torch.cat([getattr(bundle, embed)(image[None]) for image in images(3)])
    torch.testing.assert_close(whole, single)


def test_the_joint_space_is_a_sphere(bundle: Bundle) -> None:
    text, image = bundle.embed_text(WORDS), bundle.embed_image(images(3))
    assert text.shape == image.shape == (3, 8)
    for embedding in (text, image):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("prompt", ["", "Large left pneumothorax.", "Opacities. Chest tube in place. " * 20])
def test_a_prompt_of_any_length_has_the_same_shape(bundle: Bundle, prompt: str) -> None:
    assert bundle.embed_prompts([prompt]).shape == (1, LENGTH, 16)


def test_a_long_prompt_is_cut(bundle: Bundle) -> None:
    long = "left " * 3 * LENGTH
    fits = "left " * (LENGTH - 2)  # and [CLS] and [SEP]
    assert torch.equal(bundle.embed_prompts([long]), bundle.embed_prompts([fits]))
    assert not torch.equal(bundle.embed_prompts([long]), bundle.embed_prompts(["left " * (LENGTH - 3)]))


def test_a_prompt_does_not_depend_on_its_batch(bundle: Bundle) -> None:
    single = torch.cat([bundle.embed_prompts([words]) for words in WORDS])
    torch.testing.assert_close(bundle.embed_prompts(WORDS), single)


@pytest.mark.parametrize("t", [1, 5, torch.tensor([1, 3, 5])])
@pytest.mark.parametrize("prompts", [WORDS[:1], WORDS])
def test_a_pair_is_two_calls(bundle: Bundle, f_theta: LatentPredictor, t: int | Tensor, prompts: list[str]) -> None:
    x_t, c = draw(3, 4, 16, 16), bundle.embed_prompts(prompts)
    eps_cond, eps_uncond = f_theta.pair(x_t, t, c)
    torch.testing.assert_close(eps_cond, f_theta(x_t, t, c))
    torch.testing.assert_close(eps_uncond, f_theta(x_t, t, None))
    assert not torch.allclose(eps_cond, eps_uncond)


def test_editors_get_the_pair_in_one_call(bundle: Bundle, f_theta: LatentPredictor) -> None:
    assert bundle.unet is not None
    rows: list[int] = []
    handle = bundle.unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    predict_pair(f_theta, draw(3, 4, 16, 16), 2, bundle.embed_prompts(WORDS[:1]))
    handle.remove()
    assert rows == [6]


def test_no_prompt_is_the_encoded_empty_string_and_not_zeros(bundle: Bundle, f_theta: LatentPredictor) -> None:
    x_t, empty = draw(2, 4, 16, 16), bundle.embed_prompts([""])
    assert empty.abs().max() > 0.1
    assert torch.equal(f_theta(x_t, 3, None), f_theta(x_t, 3, empty))
    assert not torch.allclose(f_theta(x_t, 3, None), f_theta(x_t, 3, torch.zeros_like(empty)))


def test_the_network_is_told_training_timesteps(bundle: Bundle, f_theta: LatentPredictor) -> None:
    assert bundle.unet is not None
    told: list[Tensor] = []
    handle = bundle.unet.register_forward_pre_hook(lambda _, inputs: told.append(inputs[1]))
    f_theta(draw(2, 4, 16, 16), 5, None)
    f_theta(draw(2, 4, 16, 16), torch.tensor([5, 4]), None)
    handle.remove()
    assert [t.tolist() for t in told] == [[999, 999], [999, 799]]  # trailing


def test_noise_comes_back_in_the_precision_of_the_latents(bundle: Bundle, f_theta: LatentPredictor) -> None:
    x_t = draw(1, 4, 16, 16)
    assert f_theta(x_t.double(), 3, None).dtype == torch.float64
    torch.testing.assert_close(f_theta(x_t.double(), 3, None).float(), f_theta(x_t, 3, None))


def test_autocast_changes_the_noise_by_less_than_two_per_cent(tiny_bundle: Path, f_theta: LatentPredictor) -> None:
    cast = Bundle.load(tiny_bundle, autocast="bfloat16")
    x_t, c = draw(3, 4, 16, 16), cast.embed_prompts(WORDS[:1])
    for eps_t, plain in zip(cast.predictor(f_theta.schedule).pair(x_t, 3, c), f_theta.pair(x_t, 3, c), strict=True):
        assert eps_t.dtype == x_t.dtype
        assert 0 < (eps_t - plain).square().mean().sqrt() < 0.02 * plain.square().mean().sqrt()


@pytest.mark.slow
def test_a_compiled_network_predicts_the_same_for_any_number_of_rows(
    tiny_bundle: Path, f_theta: LatentPredictor
) -> None:
    compiled = Bundle.load(tiny_bundle, compile=True)
    assert compiled.hash != Bundle.load(tiny_bundle).hash
    fast, c = compiled.predictor(f_theta.schedule), compiled.embed_prompts(WORDS[:1])
    for rows in (2, 5, 1):
        x_t = draw(rows, 4, 16, 16)
        torch.testing.assert_close(fast(x_t, 3, c), f_theta(x_t, 3, c), atol=1e-4, rtol=1e-3)
    assert compiled.unet is not None
    assert compiled.unet.state_dict().keys() == Bundle.load(tiny_bundle).unet.state_dict().keys()  # type: ignore[union-attr]
