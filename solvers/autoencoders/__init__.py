"""What an SAE is and what it is charged: architectures, objective, conventions, first weights.

Imports `solvers.runtime`. Public names: `Architecture`, `architecture_convention`,
`ARCHITECTURE_CONVENTIONS`, `architecture_of`, `ArchitectureConvention`, `ARCHITECTURES`, `Array`,
`Autoencoder`, `Convention`, `convention`, `CONVENTIONS`, `convert_l1`, `DECODERS`, `frame_atoms`,
`frame_sae`, `GatedSae`, `initial_weights`, `INITIALISATIONS`, `JumpReluSae`, `Objective`,
`Origin`, `PARAMETERS`, `PREFIX_WEIGHTS`, `RECONSTRUCTIONS`, `Sae`, `SPARSITIES`, `TopKSae`,
`Weights`.
"""
