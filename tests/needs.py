"""What each option of a component needs besides itself, so that one step can be trained on few samples."""

# What the default net needs besides the option itself, so that one step can be trained on few samples.
POINTS = ["dataset.train_size=24", "dataset.valid_size=8", "dataset.test_size=9"]
FEW = ["dataset.subset=24"]
# What data of sequences need besides, in place of the sizes above.
PROGRAMS = [
    "dataset=learning_to_execute",
    "task=sequence",
    "architecture=lstm",
    "architecture.width=8",
    "dataset.length=1",
    "dataset.nesting=1",
    "dataset.epoch_steps=4",
    "dataset.characters=101",
    "dataset.valid_streams=2",
    "dataset.test_streams=2",
    "dataset.test_glance=2",
]
UNIQUE = [
    "dataset=unique_numbers",
    "architecture=lstm_classifier",
    "architecture.width=8",
    "dataset.valid_size=8",
    "dataset.test_size=8",
]
RECALL = [
    "dataset=associative_recall",
    "task=recall",
    "architecture=ntm",
    "architecture.width=8",
    "architecture.rows=6",
    "architecture.features=4",
    "dataset.eval_items=[2]",
    "dataset.max_items=3",
    "dataset.valid_size=4",
    "dataset.test_size=4",
]
TEXT = [
    "dataset=penn_treebank",
    "task=language_model",
    "architecture=lstm",
    "architecture.width=4",
    "dataset.subset=400",
    "dataset.held_out=400",
    "dataset.min_count=2",
]
PAIRS = [
    "dataset=parallel_text",
    "dataset.path=.",
    "task=translation",
    "task.longest=5",
    "architecture=translator",
    "architecture.width=4",
    "architecture.embedding=4",
]
CAPTIONS = [
    "dataset=flickr8k",
    "dataset.subset=20",
    "dataset.held_out=3",
    "task=captions",
    "task.longest=5",
    "architecture=captioner",
    "architecture.width=4",
    "architecture.embedding=4",
    "architecture.attention=4",
]
SEQUENCES = {
    "architecture/captioner": CAPTIONS,
    "task/captions": CAPTIONS,
    "dataset/flickr8k": CAPTIONS,
    "architecture/translator": PAIRS,
    "task/translation": PAIRS,
    "dataset/parallel_text": PAIRS,
    "dataset/europarl_sample": ["dataset=europarl_sample", "dataset.subset=40", "dataset.held_out=4", *PAIRS[2:]],
    "dataset/multi30k": ["dataset=multi30k", "dataset.subset=40", "dataset.held_out=4", *PAIRS[2:]],
    "architecture/lstm": PROGRAMS,
    "architecture/lstm_classifier": UNIQUE,
    "architecture/gru": [word.replace("=lstm", "=gru") for word in PROGRAMS],
    "architecture/ntm": RECALL,
    "dataset/learning_to_execute": PROGRAMS,
    "dataset/unique_numbers": UNIQUE,
    "dataset/associative_recall": RECALL,
    "dataset/penn_treebank": TEXT,
    "task/sequence": PROGRAMS,
    "task/language_model": PROGRAMS,
    "task/recall": RECALL,
    "curriculum/baseline": PROGRAMS,
    "curriculum/naive": PROGRAMS,
    "curriculum/mix": PROGRAMS,
    "curriculum/combined": PROGRAMS,
    "curriculum/growth": UNIQUE,
    "diagnostics/gates": UNIQUE,
}
EXTRA = {
    "annealing/inverse_sqrt": ["activation=noisy_tanh"],
    "architecture/cnn": ["dataset=digits", *FEW],
    "architecture/vgg": ["dataset=digits", *FEW, "architecture.depth=11"],
    "architecture/resnet": ["dataset=digits", *FEW, "architecture.blocks=[1,1]"],
    "architecture/resnet18": ["dataset=digits", *FEW, "architecture.blocks=[1,1]"],
    "dataset/digits": FEW,
    "dataset/mnist": FEW,
    "dataset/cifar10": FEW,
    "dataset/table": ["dataset.path=table.csv", "dataset.target=value", "task=regression"],
    "dataset/five_points": ["task=regression"],
    "dataset/formulas": ["task=root_error"],
    "hessian/lanczos": ["hessian.extremes=2"],
    "optimizer/lbfgs": ["trainer.batch_size=null"],
    "task/root_error": ["dataset=formulas", *POINTS],
    "task/perturbed": ["dataset=digits", "dataset.preprocessing=none", *FEW],
    "task/regression": ["dataset=table", "dataset.path=table.csv", "dataset.target=value"],
}
