"""A law in floats: arrays, moments of cut cubes, symmetries, samples.

Imports `solvers.runtime`, and of theory the law and the exception only, so that its agreement with
theory is evidence.
"""
