"""Memories of small kernels: what a turn asks of them, and whether banks, ports and replicates give
it."""

import pytest

from hlsgen.audit.design import audit_text

# Two rows are read and written a turn: one index is unrolled, the other is only known at run time.
ROWS = """
__kernel void {name}(void)
{{
    {declaration};
    int x = 0;
    #pragma ivdep array(line)
    while (1) {{
        float4 column[3];
        column[2] = read_channel_intel(in);
        #pragma unroll
        for (int r = 0; r < 2; ++r)
            column[r] = line{access};
        #pragma unroll
        for (int r = 0; r < 2; ++r)
            line{access} = column[r + 1];
        write_channel_intel(out, column[0]);
        x = x == 27 ? 0 : x + 1;
    }}
}}
"""

ROW_KERNELS = {
    "row_first": ("float4 line[2][28]", "[r][x]", "unbankable"),
    "row_last": ("float4 line[28][2]", "[x][r]", ""),
    "three_last": ("float4 line[28][3]", "[x][r]", "unbankable"),
    "padded_last": ("float4 line[28][4]", "[x][r]", ""),
    "declared": (
        "float4 __attribute__((numbanks(2), bankwidth(16), singlepump, "
        "max_replicates(1))) line[32][2]",
        "[x][r]",
        "",
    ),
    "wide_bank": ("float4 line[32][2] __attribute__((numbanks(1), bankwidth(32)))", "[x][r]", ""),
    "one_narrow_bank": (
        "__attribute__((numbanks(1), bankwidth(16))) float4 line[32][2]",
        "[x][r]",
        "unbankable",
    ),
    "by_macro": ("float4 line[32][2] BLOCKS(2, 16, 1)", "[x][r]", ""),
    "by_macro_one_bank": ("float4 line[32][2] BLOCKS(1, 16, 1)", "[x][r]", "unbankable"),
    "row_bits_masked": (
        "float4 __attribute__((bank_bits(5), bankwidth(16))) line[2][32]",
        "[r][x & 31]",
        "",
    ),
    "row_bits_unbounded": (
        "float4 __attribute__((bank_bits(5), bankwidth(16))) line[2][32]",
        "[r][x]",
        "unbankable",
    ),
    "wrong_bits": (
        "float4 __attribute__((bank_bits(4), bankwidth(16))) line[2][32]",
        "[r][x & 31]",
        "unbankable",
    ),
}

OTHERS = """
__kernel void three_readers(const int a, const int b)
{
    float4 tile[256];
    int at = 0;
    #pragma ivdep array(tile)
    while (1) {
        tile[at & 255] = read_channel_intel(in);
        write_channel_intel(out, tile[at + a & 255] + tile[at + b & 255] + tile[at + 1 & 255]);
        ++at;
    }
}

__kernel void two_replicates_allowed(const int a, const int b)
{
    float4 __attribute__((max_replicates(2))) tile[256];
    int at = 0;
    #pragma ivdep array(tile)
    while (1) {
        tile[at & 255] = read_channel_intel(in);
        write_channel_intel(out, tile[at + a & 255] + tile[at + b & 255] + tile[at * 3 & 255]);
        ++at;
    }
}

__kernel void two_writers(const int a, const int b)
{
    float4 tile[256];
    int at = 0;
    #pragma ivdep array(tile)
    while (1) {
        tile[at & 255] = read_channel_intel(in);
        tile[at * 5 & 255] = 0.0f;
        write_channel_intel(out, tile[at + b & 255]);
        ++at;
    }
}

__kernel void two_writers_single_pumped(const int a, const int b)
{
    float4 __attribute__((singlepump)) tile[256];
    int at = 0;
    #pragma ivdep array(tile)
    while (1) {
        tile[at & 255] = read_channel_intel(in);
        tile[at * 5 & 255] = 0.0f;
        write_channel_intel(out, tile[at + b & 255]);
        ++at;
    }
}

__kernel void two_loops_write(void)
{
    float4 line[32];
    for (int x = 0; x < 32; ++x)
        line[x] = 0.0f;
    int x = 0;
    #pragma ivdep array(line)
    while (1) {
        const float4 above = line[x];
        line[x] = read_channel_intel(in);
        write_channel_intel(out, above);
        x = x == 27 ? 0 : x + 1;
    }
}

__kernel void weights_of_104(void)
{
    float4 weights[640][104];
    for (int word = 0; word < 640; ++word)
        for (int i = 0; i < 104; ++i)
            weights[word][i] = read_channel_intel(in);
    int word = 0;
    while (1) {
        float4 sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 104; ++i)
            sum += weights[word][i];
        write_channel_intel(out, sum);
        word = word == 639 ? 0 : word + 1;
    }
}

__kernel void weights_of_128(void)
{
    float4 weights[640][128];
    for (int word = 0; word < 640; ++word)
        for (int i = 0; i < 104; ++i)
            weights[word][i] = read_channel_intel(in);
    int word = 0;
    while (1) {
        float4 sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 104; ++i)
            sum += weights[word][i];
        write_channel_intel(out, sum);
        word = word == 639 ? 0 : word + 1;
    }
}

__kernel void stored_at_run_time(void)
{
    float4 weights[16];
    int at = 0;
    #pragma ivdep
    while (1) {
        weights[at & 15] = read_channel_intel(in);
        float4 sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 16; ++i)
            sum += weights[i];
        write_channel_intel(out, sum);
        ++at;
    }
}

__kernel void stored_decoded(void)
{
    float4 weights[16];
    int at = 0;
    while (1) {
        const float4 next = read_channel_intel(in);
        float4 sum = 0.0f;
        #pragma unroll
        for (int i = 0; i < 16; ++i) {
            if (i == (at & 15))
                weights[i] = next;
            sum += weights[i];
        }
        write_channel_intel(out, sum);
        ++at;
    }
}

__kernel void register_promised(void)
{
    float4 __attribute__((register)) weights[16];
    int at = 0;
    #pragma ivdep
    while (1) {
        weights[at & 15] = read_channel_intel(in);
        write_channel_intel(out, weights[3] + weights[7]);
        ++at;
    }
}

__kernel void sixty_four_bytes(void)
{
    float4 few[4];
    int at = 0;
    #pragma ivdep
    while (1) {
        few[at & 3] = read_channel_intel(in);
        write_channel_intel(out, few[0] + few[1] + few[2] + few[3]);
        ++at;
    }
}
"""
TEXT = (
    "#pragma OPENCL EXTENSION cl_intel_channels : enable\n"
    '#define BLOCKS(banks, bytes, replicates) __attribute__((memory("BLOCK_RAM"), '
    "numbanks(banks), bankwidth(bytes), "
    "singlepump, max_replicates(replicates)))\n"
    "channel float4 in __attribute__((depth(8)));\nchannel float4 out __attribute__((depth(8)));\n"
    + "".join(
        ROWS.format(name=name, declaration=d, access=a) for name, (d, a, _) in ROW_KERNELS.items()
    )
    + OTHERS
)
RULES = frozenset(
    (
        "unbankable",
        "arbitrated",
        "run-time-index",
        "register-index",
        "replicates",
        "double-pump",
        "ports",
    )
)


@pytest.fixture(scope="module")
def kernels():
    return {k.name: k for k in audit_text(TEXT)}


def broken(kernel):
    return {f.rule for f in kernel.findings if f.rule in RULES}


def hot(kernel, name):
    """The turn of the loop that never ends."""
    (array,) = [a for a in kernel.arrays if a.name == name]
    return max((t for t in array.turns), key=lambda t: t.line)


@pytest.mark.parametrize("name", ROW_KERNELS)
def test_rows_of_a_line_buffer(kernels, name):
    rule = ROW_KERNELS[name][2]
    assert broken(kernels[name]) == ({rule} if rule else set())
    turn = hot(kernels[name], "line")
    assert (turn.reads, turn.writes) == (2, 2)
    if not rule:
        assert (turn.load.reads, turn.load.writes, turn.replicates, turn.double_pumped) == (
            1,
            1,
            1,
            False,
        )


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("three_readers", set()),
        ("two_replicates_allowed", {"replicates"}),
        ("two_writers", {"double-pump"}),
        ("two_writers_single_pumped", {"arbitrated"}),
        ("two_loops_write", {"ports"}),
        ("weights_of_104", {"unbankable"}),
        ("weights_of_128", set()),
        ("stored_at_run_time", {"run-time-index"}),
        ("stored_decoded", set()),
        ("register_promised", {"register-index"}),
        ("sixty_four_bytes", set()),
    ],
)
def test_rules(kernels, name, rules):
    assert broken(kernels[name]) == rules


def test_figures(kernels):
    assert hot(kernels["three_readers"], "tile").replicates == 3
    assert hot(kernels["two_writers"], "tile").double_pumped
    # 104 words of 16 bytes follow each other with a period of 8: 13 meet in each of 8 banks.
    narrow, padded = (
        hot(kernels["weights_of_104"], "weights"),
        hot(kernels["weights_of_128"], "weights"),
    )
    assert (narrow.geometry.banks, narrow.load.reads) == (8, 13)
    assert (padded.geometry.banks, padded.geometry.width, padded.load.reads) == (128, 16, 1)


def test_what_is_kept_in_registers(kernels):
    assert not kernels["stored_decoded"].arrays
    (few,) = kernels["sixty_four_bytes"].arrays
    assert few.registers and few.bytes == 64
    (weights,) = kernels["stored_at_run_time"].arrays
    assert not weights.registers and weights.bytes == 256
