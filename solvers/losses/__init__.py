"""The exact expected loss, its gradient and Hessian, and the loss with the best activations.

Imports `solvers.laws` and `solvers.autoencoders`, and of theory the law and the exception only, so
that its agreement with theory is evidence. Public names: `Amortisation`, `amortisation`,
`architecture_loss`, `ArchitectureLoss`, `batch_threshold`, `best_activation_loss`,
`best_k_term_loss`, `co_firing`, `Curvature`, `curvature`, `exact_gradient`, `exact_loss_callback`,
`ExactLossCallback`, `expected_loss`, `expected_loss_and_gradient`, `ExpectedLoss`, `fresh_loss`,
`FreshLoss`, `Gradient`, `is_affordable`, `JumpGradient`, `kinks`, `LossAndGradient`,
`LossOfVector`, `piecewise_parts`, `sampled_loss`, `SampledLoss`, `ScaledProblem`, `Solution`,
`Solved`, `straight_through_gradient`, `StraightThrough`, `tied_b_dec`, `training_loss`,
`TrainingLoss`, `vector_hessian`, `zero_code`.
"""
