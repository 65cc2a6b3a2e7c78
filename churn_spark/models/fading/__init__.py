"""The model of fading: who comes more rarely than they used to, and cancels after that.

A hidden Markov model of two states, content and fading (`filtering`), seen through the pauses
between visits (`visits`) in hours of the week as busy as each other (`clock`). It learns from whole
lives before a date (`lives`, `fitting`), without labels, and forecasts as of a date (`model`).
"""
