"""The method of the paper: divergences, losses, Tasks 1 to 3 and J as plain loops, the memory bank and the score.

May import: training. Knows no Hydra, no W&B and no data set.

Where the paper's equations stand, and which module trains with them:

- (1), (2): `losses.variational_bound` and the losses of its two players, `critic_loss` and `generator_loss`; `task1`.
- (3), (4), (5): `losses.boundary_loss`, `losses.distance` and `losses.dispersion`; `task2`.
- (6): `losses.retraining_critic_loss`; `task3`.
- (7): `losses.anomaly_loss`; `anomaly_discriminator`.
- (8): `score.total`; `likelihood`, `neighbour_features` for its second term.
"""
