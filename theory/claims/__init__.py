"""The ledger: what the field claims, where, and the proof that judges each claim.

Imports every room of theory but the derivations. Public names: `best_rhombic_angle`, `Claim`,
`decayed_optimum`, `LEDGER`, `POST_ONEHOT`, `ProofError`, `Quantity`, `rhombic_cost`,
`SAMPLE_AMPLITUDES`, `SAMPLE_CORRELATION`, `SAMPLE_DECAY`, `SAMPLE_L1`, `SAMPLE_L1S`,
`SAMPLE_NORM`, `sign_correlated`.
"""
