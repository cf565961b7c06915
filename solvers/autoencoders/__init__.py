"""What an SAE is and what it is charged: architectures, objective, conventions, first weights.

Imports `solvers.runtime`. Public names: `Autoencoder`, `Convention`, `convention`, `CONVENTIONS`,
`convert_l1`, `DECODERS`, `frame_atoms`, `frame_sae`, `GatedSae`, `initial_weights`,
`INITIALISATIONS`, `JumpReluSae`, `Objective`, `Origin`, `PARAMETERS`, `RECONSTRUCTIONS`, `Sae`,
`SPARSITIES`, `TopKSae`, `Weights`.
"""
