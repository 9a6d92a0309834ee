"""LightningModules: autoencoder, joint encoder, diffusion, classifier, segmenter."""
