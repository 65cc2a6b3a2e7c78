"""How long users stay: the hazards of behaviour and fading, led through the served probability.

A user's curve has the shape of the models' hazards (`shapes`) and the size of the probability that
is served (`curves`); `checked` holds curves against what happened.
"""
