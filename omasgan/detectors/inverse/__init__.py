"""GANs with an inverse: for a sample they find the latent vector of its likeness, by a search or with an encoder."""
