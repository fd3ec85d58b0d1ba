"""Recurrences of small kernels: initiation intervals worked out by hand from the latencies in
rules.json."""

import pytest

from hlsgen.audit.design import audit_text

TEXT = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
channel float in __attribute__((depth(8)));
channel float out __attribute__((depth(8)));

__kernel void plain(void)
{
    while (1)
        write_channel_intel(out, read_channel_intel(in) * 2.0f);
}

__kernel void accumulator(const int n)
{
    float sum = 0.0f;
    for (int i = 0; i < n; ++i)
        sum += read_channel_intel(in);
    write_channel_intel(out, sum);
}

__kernel void histogram(void)
{
    float sums[64];
    while (1) {
        const int at = (int)read_channel_intel(in) & 63;
        sums[at] += 1.0f;
        write_channel_intel(out, sums[at]);
    }
}

__kernel void rests_8(void)
{
    float sums[64];
    int at = 0;
    #pragma ivdep array(sums) safelen(8)
    while (1) {
        sums[at] += read_channel_intel(in);
        write_channel_intel(out, sums[at]);
        at = at == 39 ? 0 : at + 1;
    }
}

__kernel void rests_16(void)
{
    float sums[64];
    int at = 0;
    #pragma ivdep array(sums) safelen(16)
    while (1) {
        sums[at] += read_channel_intel(in);
        write_channel_intel(out, sums[at]);
        at = at == 39 ? 0 : at + 1;
    }
}

__kernel void other_array(void)
{
    float sums[64];
    int at = 0;
    #pragma ivdep array(another) safelen(16)
    while (1) {
        sums[at] += read_channel_intel(in);
        write_channel_intel(out, sums[at]);
        at = at == 39 ? 0 : at + 1;
    }
}

__kernel void small_in_registers(void)
{
    float partial[8];
    int at = 0;
    while (1) {
        partial[at & 7] += read_channel_intel(in);
        write_channel_intel(out, partial[at & 7]);
        at = at == 39 ? 0 : at + 1;
    }
}

__kernel void counted(const int n)
{
    float buffer[1024];
    for (int i = 0; i < n; ++i) {
        buffer[i + 16] = buffer[i] + read_channel_intel(in);
        write_channel_intel(out, buffer[i + 16]);
    }
}

// Two loops jump back from one place; the pragma belongs to the inner one.
__kernel void nested(void)
{
    float map[256], sums[128];
    while (1) {
        for (int n = 0; n < 256; ++n)
            map[n] = read_channel_intel(in);
        int at = 0, from = 0;
        #pragma ivdep array(sums) safelen(112)
        for (int turn = 0; turn < 3000; ++turn) {
            const float sum = sums[at];
            if (turn > 2800)
                write_channel_intel(out, sum);
            else
                sums[at] = sum + map[from];
            if (++from == 256)
                from = 0;
            if (++at == 112)
                at = 0;
        }
    }
}

__kernel void long_chain(const int a, const int b, const int c, const int d)
{
    int x = 0, y = 0, z = 0, w = 0, at = 0;
    while (1) {
        write_channel_intel(out, (float)at);
        at += a;
        if (++x == 7) {
            x = 0;
            at += b;
            if (++y == 5) {
                y = 0;
                at += c;
                if (++z == 3) {
                    z = 0;
                    at += d;
                    if (++w == 2)
                        at = w = 0;
                }
            }
        }
    }
}
"""


@pytest.fixture(scope="module")
def kernels():
    return {k.name: k for k in audit_text(TEXT)}


# A load takes 4 to 7 cycles, an addition 3 to 4, a store 1 to 2.
@pytest.mark.parametrize(
    ("kernel", "interval"),
    [
        ("plain", (1, 1)),
        ("accumulator", (3, 4)),
        ("histogram", (7, 12)),
        ("rests_8", (1, 2)),
        ("rests_16", (1, 1)),
        ("other_array", (7, 12)),
        ("small_in_registers", (4, 5)),
        ("counted", (1, 1)),
        ("nested", (1, 1)),
    ],
)
def test_interval(kernels, kernel, interval):
    assert kernels[kernel].interval == interval
    errors = [f for f in kernels[kernel].findings if f.rule == "interval"]
    assert len(errors) == (interval[1] > 1) and all(f.severity == "error" for f in errors)


def test_the_chain_names_its_array_and_lines(kernels):
    text = TEXT.splitlines()
    (loop,) = [x for x in kernels["histogram"].loops if x.interval[1] > 1]
    assert loop.limit == "array sums"
    assert all("sums[at]" in text[line - 1] for line in loop.chain)


def test_distances_are_those_of_the_pragma_or_of_the_counter(kernels):
    distances = {
        name: {m.distance for x in kernels[name].loops for m in x.memories} for name in kernels
    }
    assert (
        distances["rests_16"] == {16}
        and distances["histogram"] == {1}
        and distances["counted"] == {16}
    )


def test_long_chains_of_counters_are_a_warning(kernels):
    assert [f.severity for f in kernels["long_chain"].findings] == ["warning"]
    assert (
        kernels["long_chain"].findings[0].rule == "stages" and kernels["plain"].loops[0].stages == 0
    )
    # Four additions, the choice of the innermost branch, and the choice among all branches at the
    # end.
    assert (
        kernels["long_chain"].loops[0].stages == 5 and kernels["accumulator"].loops[0].stages == 1
    )
