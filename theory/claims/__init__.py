"""The ledger: what the field claims, where, and the proof that judges each claim.

Imports every room of theory but the derivations. Public names: `ACROSS`, `best_rhombic_angle`,
`Claim`, `decayed_optimum`, `LEDGER`, `oblique`, `POST_ONEHOT`, `ProofError`, `Quantity`,
`rhombic_cost`, `SAMPLE_AMPLITUDES`, `SAMPLE_ANGLES`, `SAMPLE_CORRELATION`, `SAMPLE_DECAY`,
`SAMPLE_HEIGHT`, `SAMPLE_HEIGHTS`, `SAMPLE_L1`, `SAMPLE_L1S`, `SAMPLE_NORM`, `SAMPLE_ONEHOT`,
`sign_correlated`, `slope_written_positive`.
"""
