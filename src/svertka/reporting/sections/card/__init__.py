"""The model card (arXiv:1810.03993): what the model is for, what it is not for, and its limits."""
