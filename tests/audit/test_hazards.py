"""Kernels as hlsgen once wrote them and as they are mended: the audit finds each hazard in the one
and nothing in the other."""

import pytest

from hlsgen.audit.design import audit_text

HEADER = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
typedef float16 vec;
typedef union { float16 v; float lane[16]; } lanes;
typedef struct { vec v[2]; } weight_word;
typedef struct { vec v[3]; } group_word;
channel vec in __attribute__((depth(64)));
channel vec biases __attribute__((depth(64)));
channel vec out __attribute__((depth(64)));
channel weight_word loads __attribute__((depth(64)));
channel group_word pixels __attribute__((depth(64)));
channel group_word sums_out __attribute__((depth(64)));
channel float8 results __attribute__((depth(64)));
channel float8 weights_in __attribute__((depth(64)));
channel float8 features __attribute__((depth(64)));
"""

EPILOGUE = """
__kernel void epilogue_{kind}(const int turns, const int vectors, const int count)
{{
    vec bias[3];
    int pixel = 0, t = 0;
    for (int turn = 0; turn < turns; ++turn) {{
        {body}
        write_channel_intel(out, read_channel_intel(in) + shift);
        if (++t == vectors) {{
            t = 0;
            if (++pixel == count)
                pixel = 0;
        }}
    }}
}}
"""
BIAS_IN_MEMORY = """
        const vec shift = pixel == 0 ? read_channel_intel(biases) : bias[t];
        bias[t] = shift;
"""
BIAS_DECODED = """
        vec shift = bias[0];
        #pragma unroll
        for (int i = 1; i < 3; ++i)
            if (i == t)
                shift = bias[i];
        if (pixel == 0) {
            shift = read_channel_intel(biases);
            #pragma unroll
            for (int i = 0; i < 3; ++i)
                if (i == t)
                    bias[i] = shift;
        }
"""

NEXT_WEIGHTS = """
__kernel void next_weights_{kind}(const int turns, const int words, const int count)
{{
    vec weights[3][8], next_weights[3][8];
    vec sums{sums};
    int tap = 0, pixel = 0, output = 0, input = 0;
    #pragma ivdep array(sums) safelen({rest})
    for (int turn = 0; turn < turns; ++turn) {{
        if (pixel < words) {{
            const weight_word next = read_channel_intel(loads);
            {store}
            input += 2;
            if (input == 8) {{
                input = 0;
                ++output;
            }}
        }}
        const group_word word = read_channel_intel(pixels);
        group_word group;
        #pragma unroll
        for (int t = 0; t < 3; ++t) {{
            vec product = 0.0f;
            #pragma unroll
            for (int i = 0; i < 8; ++i)
                product += word.v[t] * weights[t][i];
            group.v[t] = tap == 0 ? product : sums{at} + product;
            sums{at} = group.v[t];
        }}
        write_channel_intel(sums_out, group);
        if (++pixel == count) {{
            pixel = output = 0;
            ++tap;
            #pragma unroll
            for (int t = 0; t < 3; ++t)
                #pragma unroll
                for (int i = 0; i < 8; ++i)
                    weights[t][i] = next_weights[t][i];
        }}
    }}
}}
"""
STORE_AT_RUN_TIME = """
            #pragma unroll
            for (int b = 0; b < 2; ++b)
                next_weights[output][input + b] = next.v[b];
"""
STORE_DECODED = """
            #pragma unroll
            for (int t = 0; t < 3; ++t)
                #pragma unroll
                for (int i = 0; i < 8; i += 2)
                    if (t == output && i == input)
                        #pragma unroll
                        for (int b = 0; b < 2; ++b)
                            next_weights[t][i + b] = next.v[b];
"""

WINDOW = """
__kernel void window_{kind}(const int columns, const int emit)
{{
    vec line{rows};
    vec window[3][3];
    int x = 0;
    #pragma ivdep array(line) safelen({rest})
    while (1) {{
        vec column[3];
        column[2] = read_channel_intel(in);
        #pragma unroll
        for (int r = 0; r < 2; ++r)
            column[r] = line{at};
        #pragma unroll
        for (int r = 0; r < 2; ++r)
            line{at} = column[r + 1];
        vec sum = 0.0f;
        #pragma unroll
        for (int r = 0; r < 3; ++r) {{
            #pragma unroll
            for (int c = 0; c < 2; ++c)
                window[r][c] = window[r][c + 1];
            window[r][2] = column[r];
            #pragma unroll
            for (int c = 0; c < 3; ++c)
                sum += window[r][c];
        }}
        write_channel_intel(out, sum);
        if (++x == columns)
            x = 0;
    }}
}}
"""

WEIGHTS = """
__kernel void words_{kind}(void)
{{
    float8 weights[64][{width}];
    {load}
    int word = 0;
    while (1) {{
        float8 product = 0.0f;
        const float8 value = read_channel_intel(features);
        #pragma unroll
        for (int i = 0; i < 9; ++i)
            product += value * weights[word][i];
        write_channel_intel(results, product);
        word = word == 63 ? 0 : word + 1;
    }}
}}
"""
TWO_LOOPS = """
    float8 bias = read_channel_intel(weights_in);
    for (int w = 0; w < 64; ++w)
        for (int i = 0; i < 9; ++i)
            weights[w][i] = read_channel_intel(weights_in) + bias;
"""
ONE_LOOP = """
    int w = 0, i = 0;
    for (int n = 0; n < 64 * 9; ++n) {
        weights[w][i] = read_channel_intel(weights_in);
        if (++i == 9) {
            i = 0;
            ++w;
        }
    }
"""

TEXT = (
    HEADER
    + EPILOGUE.format(kind="old", body=BIAS_IN_MEMORY)
    + EPILOGUE.format(kind="mended", body=BIAS_DECODED)
    + NEXT_WEIGHTS.format(
        kind="old", store=STORE_AT_RUN_TIME, sums="[3][784]", at="[t][pixel]", rest=8
    )
    + NEXT_WEIGHTS.format(
        kind="mended", store=STORE_DECODED, sums="[784][4]", at="[pixel][t]", rest=16
    )
    + WINDOW.format(kind="old", rows="[2][114]", at="[r][x]", rest=3)
    + WINDOW.format(kind="mended", rows="[128][2]", at="[x][r]", rest=9)
    + WEIGHTS.format(kind="old", width=9, load=TWO_LOOPS)
    + WEIGHTS.format(kind="mended", width=16, load=ONE_LOOP)
)
HAZARDS = {
    "epilogue": {"interval"},
    "next_weights": {"interval", "run-time-index", "unbankable"},
    "window": {"interval", "unbankable"},
    "words": {"unbankable", "call-sites"},
}


@pytest.fixture(scope="module")
def kernels():
    return {k.name: k for k in audit_text(TEXT)}


@pytest.mark.parametrize("hazard", HAZARDS)
def test_the_old_text_is_found(kernels, hazard):
    found = {f.rule for f in kernels[f"{hazard}_old"].findings if f.severity != "note"}
    assert HAZARDS[hazard] <= found


@pytest.mark.parametrize("hazard", HAZARDS)
def test_the_mended_text_is_clean(kernels, hazard):
    assert not [f for f in kernels[f"{hazard}_mended"].findings if f.severity != "note"]


@pytest.mark.parametrize("hazard", ["epilogue", "next_weights", "window"])
def test_mending_costs_no_dsps(kernels, hazard):
    assert kernels[f"{hazard}_old"].arithmetic.dsps == kernels[f"{hazard}_mended"].arithmetic.dsps
