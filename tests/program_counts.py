"""How many programs XLA compiles for each public operation: run as a process of its own, where nothing was compiled before."""

import json
import sys

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np

import jcnn
from jcnn.compilation import compiled_folder, keep_compiled
from tests.fuzz.calls import CALLS, MORE

NO_OPERATIONS = {
    *("output_size", "plan", "receptive_field", "summary", "count_parameters"),
    *("small", "lecture", "lenet5", "resnet", "vgg_small", "all_conv", "mobile", "airbench"),
    *("depthwise_separable", "squeeze_excitation", "adapt"),
    *("fit", "load", "save"),
}
"""Public functions that compute nothing with arrays, or are many operations and files."""
PUBLIC = [name for name in jcnn.__all__ if name.islower() and callable(getattr(jcnn, name))]
OPERATIONS = [name for name in PUBLIC if name not in NO_OPERATIONS]
COUNTED = ("conv", "max_pool", "avg_pool", "batch_norm", "layer_norm", "dropout", "upsample", "softmax", "distributions")
MORE_WAYS = [name for name in MORE if name.startswith(COUNTED)]


def main() -> None:
    """Writes, for each, how many programs its first call compiles, and how many its second."""
    keep_compiled(compiled_folder() / "tests")
    compiled: list[str] = []

    def listen(event: str, *_: object, **__: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    counts = {}
    for name in [*OPERATIONS, *MORE_WAYS]:
        # Two operations may share a program, as relu and its gradient do.
        jax.clear_caches()
        counts[name] = []
        call = {**CALLS, **MORE}[name]
        # JAX makes a NumPy array its own by a program of its own, which is none of ours.
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, call.arguments)
        for _ in range(2):
            before = len(compiled)
            jax.block_until_ready(call(**given))
            counts[name].append(len(compiled) - before)
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main()
