#!/usr/bin/env bash
# Runs once, when Gradescope builds the image. The wheel of jcnn lies beside this file in the archive.
set -euo pipefail
apt-get install -y python3 python3-venv
python3 -m venv /autograder/venv
/autograder/venv/bin/pip install /autograder/source/jcnn-*.whl
