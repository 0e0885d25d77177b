"""Transfer: a network that has seen a million pictures looks once at yours; what is learned anew is small and quick.

backbones   which networks there are to start from, and what each is
folding     batch norms disappear into convolutions
features    what a backbone says of pictures, computed once and kept
heads       nearest neighbors, a linear layer at its optimum, a small dense stack
ladder      one after the other, each measured, kept only if it wins
finetune    the last stages, or all, learn too
"""
