"""The names of everything in a run folder, each once; what is in them: docs/architecture.md and `results`."""

FORMAT = 2  # of the run folder: recipe.json says it; see `files.recipe_of`

# what was asked and what happened
RECIPE = "recipe.json"
MANIFEST = "manifest.json"
LOG = "log.jsonl"
LOCK = ".training"  # whoever trains the run holds it
CHECKPOINT = "checkpoint"  # a folder, there until the training ends
TENSORBOARD = "tensorboard"  # a folder, where it was asked for

# what came out
MODEL = "model"  # a folder: the model as `load` takes it
MODEL_FACTS = "model.json"  # in it
MODEL_WEIGHTS = "weights.safetensors"  # in it
METRICS = "metrics.json"
PREDICTIONS = "predictions.npz"
EXAMPLES = "examples.npz"
FAILING = "failing.json"
MAP = "map.npz"
REPORT = "report.html"

# what was found out about the data, and afterwards about the network
CHECK, CHECK_PICTURES = "check.json", "check.npz"
NETWORK = "network.json"  # the layer table
EXPLANATIONS = "explanations.npz"
ROBUSTNESS, BASELINES = "robustness.json", "baselines.json"

# of a folder of repeated trainings, whose runs are folders 1, 2, ... in it
REPEATS = "repeats.json"
FOLDS = "folds"  # a folder: the manifest of each

FINGERPRINTED = (MANIFEST, RECIPE, f"{MODEL}/{MODEL_WEIGHTS}")  # what fixes the result
BEFORE_RECIPE = (CHECK, CHECK_PICTURES, LOG)  # what is written before recipe.json: nothing can be resumed from it
