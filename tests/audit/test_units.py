"""Arithmetic units, global memory and ends of channels of small kernels, counted by hand."""

import pytest

from hlsgen.audit.design import audit_text

TEXT = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
typedef struct { float8 v[2]; } word;
typedef struct { float8 v[3]; } odd;
#define COPIES 4
channel float8 in __attribute__((depth(8)));
channel float8 out __attribute__((depth(8)));
channel float8 many[COPIES][2] __attribute__((depth(8)));
channel word words __attribute__((depth(8)));
channel odd odds __attribute__((depth(8)));

__kernel void dot(void)
{
    float8 weights[27];
    #pragma unroll
    for (int i = 0; i < 27; ++i)
        weights[i] = read_channel_intel(in);
    while (1) {
        float8 sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 27; ++i)
            sum += read_channel_intel(in) * weights[i];
        write_channel_intel(out, sum);
    }
}

__kernel void not_unrolled(void)
{
    while (1) {
        float8 sum = 0.0f;
        for (int i = 0; i < 27; ++i)
            sum += read_channel_intel(in) * 3.0f;
        write_channel_intel(out, sum);
    }
}

// Products lane by lane, added as a vector, and the other way round.
__kernel void lanes_apart(void)
{
    while (1) {
        union { float8 v; float lane[8]; } a, b, term;
        a.v = read_channel_intel(in);
        b.v = read_channel_intel(in);
        #pragma unroll
        for (int i = 0; i < 8; ++i)
            term.lane[i] = a.lane[i] * b.lane[7 - i];
        write_channel_intel(out, term.v + b.v);
    }
}

__kernel void sum_of_lanes(void)
{
    while (1) {
        union { float8 v; float lane[8]; } term;
        term.v = read_channel_intel(in) * 3.0f;
        float sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 8; ++i)
            sum += term.lane[i];
        write_channel_intel(out, (float8)sum);
    }
}

__kernel void few_turns(void)
{
    while (1) {
        float8 sum = 0.0f;
        for (int i = 0; i < 2; ++i)
            sum += read_channel_intel(in) * 3.0f;
        write_channel_intel(out, sum);
    }
}

__kernel void clamps(void)
{
    while (1)
        write_channel_intel(out, fmax(fmin(read_channel_intel(in), 6.0f), 0.0f));
}

__kernel void exponentials(void)
{
    while (1)
        write_channel_intel(out, exp(read_channel_intel(in)) + 1.0f);
}

__kernel void reciprocal(void)
{
    while (1) {
        const float8 value = read_channel_intel(in);
        write_channel_intel(out, value * (1.0f / value.s0));
    }
}

__kernel void products(const int a, const int b, const int c)
{
    for (int i = 0; i < a * b; ++i)
        write_channel_intel(out, (float8)(float)(i * c * 12));
}

__kernel void copy(__global const word *restrict from, __global odd *restrict to,
__global const float *restrict single, const int n)
{
    for (int i = 0; i < n; ++i) {
        write_channel_intel(words, from[i]);
        to[i] = read_channel_intel(odds);
        write_channel_intel(out, (float8)single[i]);
    }
}

__kernel void one_of_two(const int n)
{
    for (int i = 0; i < n; ++i) {
        const float8 value = read_channel_intel(in);
        if (i < 3)
            write_channel_intel(many[get_compute_id(0)][0], value);
        else
            write_channel_intel(many[get_compute_id(0)][1], value);
    }
}

__kernel void twice(const int n)
{
    for (int i = 0; i < 4; ++i)
        write_channel_intel(out, read_channel_intel(in));
    for (int i = 0; i < n; ++i)
        write_channel_intel(out, read_channel_intel(in) + 1.0f);
}
"""


@pytest.fixture(scope="module")
def kernels():
    return {k.name: k for k in audit_text(TEXT)}


@pytest.mark.parametrize(
    ("kernel", "dsps"),
    [
        ("dot", 27 * 8),
        ("not_unrolled", 8),
        ("few_turns", 8),
        ("lanes_apart", 8),
        ("sum_of_lanes", 8),
        ("clamps", 0),
        ("exponentials", 8 * (9 + 1)),
        ("reciprocal", 2.5 + 8),
        ("products", 2 * 1.5),
    ],
)
def test_dsps(kernels, kernel, dsps):
    assert kernels[kernel].arithmetic.dsps == dsps


def test_global_units(kernels):
    units = {u.argument: (u.store, u.bytes, u.aligned) for u in kernels["copy"].units}
    assert units == {"from": (False, 64, True), "to": (True, 96, False), "single": (False, 4, True)}
    assert [f.rule for f in kernels["copy"].findings] == ["unaligned"]


def test_ends_of_channels(kernels):
    ends = {(e.channel, e.write): len(e.lines) for e in kernels["one_of_two"].ends}
    assert ends == {("in", False): 1, ("many", True): 1, ("many+32", True): 1}
    assert not kernels["one_of_two"].findings
    found = kernels["twice"].findings
    assert [f.rule for f in found] == ["call-sites"] * 2 and all(
        f.severity == "warning" for f in found
    )


def test_channels_keep_their_names_in_the_lines(kernels):
    text = TEXT.splitlines()
    assert all(
        "channel_intel" in text[line - 1]
        for k in kernels.values()
        for e in k.ends
        for line in e.lines
    )
