"""Where quantised networks could be something else than onnxruntime's."""

from benchmarks.mutation.mutant import Mutant

READ, RUN = "tests/frontend/test_quantised.py", "tests/emulator/test_quantised.py"
EQUAL = f"{READ}::test_references_equal_onnxruntime"
FUSED = f"{READ}::test_operators_are_fused_where_onnxruntime_fuses_them"
DECISIONS = f"{RUN}::test_decisions_of_kernels"

MUTANTS = (
    Mutant(
        "quantised: half goes up",
        "hlsgen/quantised.py",
        "np.rint(kept)",
        "np.floor(kept + 0.5)",
        (f"{EQUAL}[conv-uint8-ties]",),
        "results that lie half way are off by one",
    ),
    Mutant(
        "quantised: a product and a sum are rounded twice",
        "hlsgen/quantised.py",
        "(error != 0) & even",
        "(error != 0) & False",
        ("tests/frontend/test_quantised_formulas.py::test_a_sum_that_float64_rounds_to_a_tie",),
        "sums of feature maps are off by one, rarely",
    ),
    Mutant(
        "quantised: the bias without its zero point",
        "hlsgen/ops/quantised_arguments.py",
        "- zero * rows",
        "- 0 * rows",
        (f"{EQUAL}[conv-uint8-plain]",),
        "all sums are off",
    ),
    Mutant(
        "quantised: any Relu goes",
        "hlsgen/frontend/propagate_quantised.py",
        "return bool(low >= 0)",
        "return True",
        (f"{EQUAL}[leaky-uint8-plain]", f"{EQUAL}[conv_relu_that_stays-uint8-plain]"),
        "negative results stay",
    ),
    Mutant(
        "quantised: Flatten is passed",
        "hlsgen/frontend/propagate_quantised.py",
        '"Unsqueeze", "Slice")',
        '"Unsqueeze", "Slice", "Flatten")',
        (f"{FUSED}[gemm_behind_flatten-uint8]",),
        "integers where onnxruntime computes float32",
    ),
    Mutant(
        "quantised: borders of zero",
        "hlsgen/ops/quantised_conv.py",
        "return str(layer.attributes.given.zero)",
        'return "0"',
        (DECISIONS,),
        "results at the border are off",
    ),
    Mutant(
        "quantised: results are cut off",
        "hlsgen/kernel/result_text.py",
        "_rte(fmin",
        "_rtz(fmin",
        (DECISIONS,),
        "most results are off by one",
    ),
)
