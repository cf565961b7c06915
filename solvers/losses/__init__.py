"""The exact expected loss, its gradient and Hessian, and the loss with the best activations.

Imports `solvers.laws` and `solvers.autoencoders`, and of theory the law and the exception only, so
that its agreement with theory is evidence. Public names: `best_activation_loss`, `co_firing`,
`Curvature`, `curvature`, `expected_loss`, `expected_loss_and_gradient`, `ExpectedLoss`,
`fresh_loss`, `FreshLoss`, `Gradient`, `jump_loss_parts`, `kinks`, `LossAndGradient`,
`LossOfVector`, `piecewise_parts`, `sampled_loss`, `SampledLoss`, `ScaledProblem`, `Solution`,
`Solved`, `tied_b_dec`, `training_loss`, `TrainingLoss`, `vector_hessian`, `zero_code`.
"""
