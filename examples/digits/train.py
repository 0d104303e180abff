"""Trains a classifier of handwritten digits, as a SageMaker training job.

Reads the channels `train` and (if there is one) `validation`: CSV files of a digit and its 64 pixels a row.
Writes the model to /opt/ml/model/model.joblib. The paths are those of SageMaker's training containers
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html); SAGEMAKER_BASE_DIR stands for /opt/ml,
as in the SageMaker training toolkit.
"""

import json
import os
import pathlib
import signal
import sys
import time
import traceback

import joblib
import numpy
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.neural_network import MLPClassifier

BASE = pathlib.Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
CLASSES = numpy.arange(10)
# Name, default, least and most. SageMaker hands every value over as a string; the default's type is the wanted one.
HYPERPARAMETERS = {
    "epochs": (12, 1, 10_000),
    "batch_size": (64, 1, 10_000),
    "learning_rate": (0.003, 1e-6, 1.0),
    "hidden_units": (64, 1, 4096),
    "seed": (7, 0, 2**32 - 1),
    # Seconds that an epoch takes at least: slows the training down for trying out stop, logs and restarts.
    "epoch_seconds": (0.0, 0.0, 3600.0),
}


class Refused(Exception):
    """Wrong input: its text is all that a person needs."""


def read_hyperparameters():
    path = BASE / "input/config/hyperparameters.json"
    given = json.loads(path.read_text()) if path.exists() else {}
    values = {name: default for name, (default, _, _) in HYPERPARAMETERS.items()}
    for name, text in given.items():
        if name.startswith(("sagemaker_", "_")):
            continue
        if name not in HYPERPARAMETERS:
            raise Refused(f"unknown hyperparameter {name}; known are {', '.join(HYPERPARAMETERS)}")
        default, least, most = HYPERPARAMETERS[name]
        try:
            value = type(default)(text)
        except ValueError:
            raise Refused(f"hyperparameter {name} is {text!r}, not a {type(default).__name__}")
        if not least <= value <= most:
            raise Refused(f"hyperparameter {name} is {text}, outside of {least} to {most}")
        values[name] = value
    return values


def read_channel(name):
    """Pixels (scaled to 0..1) and digits of all CSV files of a channel, or None if the job has no such channel."""
    folder = BASE / "input/data" / name
    files = sorted(folder.rglob("*.csv"))
    if not files:
        return None
    rows = numpy.concatenate([numpy.loadtxt(file, delimiter=",", ndmin=2) for file in files])
    if rows.shape[1] != 65:
        raise Refused(f"{files[0]} has {rows.shape[1]} columns, not 65 (a digit and 64 pixels)")
    return rows[:, 1:] / 16, rows[:, 0].astype(int)


def read_data():
    train = read_channel("train")
    if train is None:
        raise Refused(f"no CSV files in the channel train ({BASE / 'input/data/train'})")
    validation = read_channel("validation")
    if validation is None:  # keep every fifth image of the training channel for it
        pixels, digits = train
        kept = numpy.arange(len(digits)) % 5 == 4
        train, validation = (pixels[~kept], digits[~kept]), (pixels[kept], digits[kept])
    return train, validation


def save(model, result):
    folder = BASE / "model"
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "metrics.json").write_text(json.dumps(result, indent=2) + "\n")


def train():
    settings = read_hyperparameters()
    (pixels, digits), (held_pixels, held_digits) = read_data()
    print(f"{len(digits)} images to train on, {len(held_digits)} to validate with; {settings}", flush=True)

    stopped = []
    # SageMaker stops a job with SIGTERM and kills it 120 s later: finish the epoch, save, end well.
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))

    model = MLPClassifier(
        hidden_layer_sizes=(settings["hidden_units"],),
        batch_size=min(settings["batch_size"], len(digits)),
        learning_rate_init=settings["learning_rate"],
        random_state=settings["seed"],
    )
    first = 1
    checkpoint = BASE / "checkpoints/checkpoint.joblib"  # SageMaker keeps this directory in S3 if the job says so
    if checkpoint.exists():
        model, done = joblib.load(checkpoint)
        first = done + 1
        print(f"Going on after epoch {done}", flush=True)

    result = {}
    for epoch in range(first, settings["epochs"] + 1):
        began = time.monotonic()
        model.partial_fit(pixels, digits, classes=CLASSES)
        guesses = model.predict_proba(held_pixels)
        result = {
            "epoch": epoch,
            "train_loss": round(float(model.loss_), 4),
            "validation_loss": round(float(log_loss(held_digits, guesses, labels=CLASSES)), 4),
            "validation_accuracy": round(float((guesses.argmax(axis=1) == held_digits).mean()), 4),
        }
        # The queue's MetricDefinitions read these lines.
        print(" ".join(f"{name}={value}" for name, value in result.items()) + ";", flush=True)
        if checkpoint.parent.is_dir():
            joblib.dump((model, epoch), checkpoint)
        while not stopped and time.monotonic() - began < settings["epoch_seconds"]:
            time.sleep(0.05)
        if stopped:
            print(f"Asked to stop: saving the model of epoch {epoch}", flush=True)
            break

    if not result:  # a checkpoint of all epochs: nothing was left to do
        accuracy = float((model.predict(held_pixels) == held_digits).mean())
        result = {"epoch": first - 1, "validation_accuracy": round(accuracy, 4)}
        print(f"epoch={first - 1} validation_accuracy={result['validation_accuracy']};", flush=True)
    save(model, {**result, "stopped": bool(stopped), "hyperparameters": settings})
    output = BASE / "output/data"
    output.mkdir(parents=True, exist_ok=True)
    table = confusion_matrix(held_digits, model.predict(held_pixels), labels=CLASSES)
    numpy.savetxt(output / "confusion_matrix.csv", table, fmt="%d", delimiter=",")


def main():
    try:
        train()
    except Exception as error:
        text = str(error) if isinstance(error, Refused) else traceback.format_exc()
        print(text, file=sys.stderr, flush=True)
        failure = BASE / "output/failure"  # SageMaker shows its first 1024 characters as the FailureReason
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(text if isinstance(error, Refused) else f"{type(error).__name__}: {error}\n\n{text}")
        sys.exit(2 if isinstance(error, Refused) else 1)


if __name__ == "__main__":
    main()
