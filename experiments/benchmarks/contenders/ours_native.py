"""jcnn with its optional convolutions by oneDNN."""

from experiments.benchmarks.contenders.ours import run
from jcnn.conv import native

if __name__ == "__main__":
    native.require()
    run("jcnn", "jcnn-native", "onednn-cpu-gomp")
