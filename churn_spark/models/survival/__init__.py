"""How long users stay: the hazards of behaviour and fading, led through the served probability.

A user's curve has the shape of the models' hazards (`shapes`), the average pace of what happened
after earlier dates (`pace`), and the size of the probability that is served (`curves`).
"""
