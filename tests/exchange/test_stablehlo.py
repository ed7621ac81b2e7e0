"""Networks as StableHLO: a program for any batch and several platforms, which runs where there is no jcnn."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jcnn import NetworkError
from jcnn.exchange import to_stablehlo
from tests.exchange.networks import DIGIT, digits, logits, trained

ELSEWHERE = """
import sys
sys.modules["jcnn"] = None
try:
    import jcnn
except ImportError:
    pass
else:
    sys.exit("jcnn is there")

from pathlib import Path
import numpy as np
from jax import export

x = np.load("x.npy")
for path in sorted(Path().glob("*.stablehlo")):
    call = export.deserialize(bytearray(path.read_bytes())).call
    y = np.concatenate([call(x[:1]), call(x[1:])])
    np.save(path.with_suffix(".npy"), y)
"""


def test_programs_run_without_jcnn_for_any_number_of_images(tmp_path: Path) -> None:
    x = digits()
    np.save(tmp_path / "x.npy", x)
    for name in ("LeNet-5", "with a state"):
        given = trained(name)
        (tmp_path / f"{name}.stablehlo").write_bytes(to_stablehlo(*given[:3], input_shape=DIGIT))
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True, cwd=tmp_path)
    for name in ("LeNet-5", "with a state"):
        found, expected = np.load(tmp_path / f"{name}.npy"), logits(trained(name), x)
        # The same sums, compiled once for all batches and once for this one.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
        assert (found.argmax(-1) == expected.argmax(-1)).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_every_dtype(dtype: str) -> None:
    given, x = trained("averaged", dtype), digits(dtype)[:5]
    program = export.deserialize(bytearray(to_stablehlo(*given[:3], input_shape=DIGIT, platforms=["cpu"])))
    found, expected = (np.asarray(y, np.float64) for y in (program.call(jnp.asarray(x)), logits(given, x)))
    room = 50 * float(jnp.finfo(dtype).eps) * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=room)


def test_one_program_is_for_all_platforms_and_made_of_operations_that_all_have() -> None:
    given = trained("with a state")
    program = export.deserialize(bytearray(to_stablehlo(*given[:3], input_shape=DIGIT)))
    assert program.platforms == ("cpu", "cuda", "tpu")
    text = program.mlir_module()
    assert "stablehlo.convolution" in text
    assert set(re.findall(r"custom_call @(\w+)", text)) <= {"shape_assertion"}
    (x,) = program.in_avals
    assert str(x.shape) == "(n, 8, 8, 1)"


def test_what_cannot_be_exported_is_refused_before_anything_is_traced() -> None:
    given = trained("averaged")
    with pytest.raises(ValueError, match=r"platforms='gpu': expected one of 'cpu', 'cuda', 'rocm' or 'tpu'"):
        to_stablehlo(*given[:3], input_shape=DIGIT, platforms=["gpu"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"platforms=\(\): expected some of cpu, cuda, rocm, tpu"):
        to_stablehlo(*given[:3], input_shape=DIGIT, platforms=())
    with pytest.raises(NetworkError, match=r"params\[0\]\['w'\] has shape"):
        to_stablehlo(*given[:3], input_shape=(8, 8, 3))
    state = trained("with a state")
    with pytest.raises(NetworkError, match="state is None"):
        to_stablehlo(*state[:2], input_shape=DIGIT)


def test_a_program_of_64_bits_is_made_where_jax_has_32() -> None:
    given = trained("averaged", "float64")
    with jax.enable_x64(False):
        program = export.deserialize(bytearray(to_stablehlo(*given[:3], input_shape=DIGIT, platforms=["cpu"])))
    assert program.in_avals[0].dtype == jnp.float64
