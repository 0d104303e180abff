"""Writes the data set of handwritten digits as the CSV files that train.py reads from its channels.

    python3 prepare.py --out data
    python3 prepare.py --out data --s3 s3://BUCKET/digits      (uploads them too; needs boto3)

The data set (1,797 images of 8 x 8 pixels, the test set of https://archive.ics.uci.edu/dataset/80) comes with the
scikit-learn package. If that is not installed, its wheel is fetched with pip, with nothing installed. Standard library only.
A row is the digit and then its 64 pixels, 0 to 16; every fifth image of each digit is kept for validation.
"""

import argparse
import csv
import gzip
import importlib.util
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

INSIDE = "datasets/data/digits.csv.gz"
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")


def read_packed():
    """The data set's compressed CSV, from the installed package or from its wheel."""
    spec = importlib.util.find_spec("sklearn")
    if spec is not None and spec.origin is not None:
        return pathlib.Path(spec.origin).with_name("datasets").joinpath("data", "digits.csv.gz").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", folder, "-r", str(REQUIREMENTS)]
        if subprocess.run(command).returncode != 0:
            raise SystemExit("prepare.py: could not fetch scikit-learn, which brings the data; pip's message is above")
        wheel = next(pathlib.Path(folder).glob("scikit_learn-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return archive.read("sklearn/" + INSIDE)


def split(packed):
    """Rows of (digit, pixel, ...), for training and for validation."""
    train, validation, seen = [], [], {}
    for row in csv.reader(io.StringIO(gzip.decompress(packed).decode("ascii"))):
        values = [int(float(value)) for value in row]
        digit, pixels = values[-1], values[:-1]
        seen[digit] = seen.get(digit, 0) + 1
        (validation if seen[digit] % 5 == 0 else train).append([digit, *pixels])
    return {"train": train, "validation": validation}


def main():
    parser = argparse.ArgumentParser(description="Writes the digits data set as CSV files.")
    parser.add_argument("--out", default="data", type=pathlib.Path, help="directory to write to (default: data)")
    parser.add_argument("--s3", metavar="s3://BUCKET/PREFIX", help="also upload the files there")
    options = parser.parse_args()
    for channel, rows in split(read_packed()).items():
        path = options.out / channel / "digits.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        print(f"{path}: {len(rows)} images")
        if options.s3:
            upload(path, options.s3, channel)


def upload(path, uri, channel):
    try:
        import boto3
    except ImportError:
        raise SystemExit("prepare.py: --s3 needs boto3: python3 -m pip install boto3")
    if not uri.startswith("s3://") or uri == "s3://":
        raise SystemExit(f"prepare.py: --s3 takes s3://BUCKET/PREFIX, not {uri}")
    bucket, _, prefix = uri[len("s3://") :].partition("/")
    key = "/".join(part for part in (prefix.strip("/"), channel, path.name) if part)
    boto3.client("s3").upload_file(str(path), bucket, key)
    print(f"s3://{bucket}/{key}")


if __name__ == "__main__":
    main()
