"""Promised distances against the truth: small kernels whose distances are known by hand, and
kernels that are told what to do by a table."""

import numpy as np
import pytest

from hlsgen.audit.design import read_kernels
from hlsgen.audit.distance import Prover, distance_findings
from hlsgen.audit.findings import ERROR, NOTE, WARNING
from hlsgen.host.manifest import Argument, Launch

HEADER = """
#pragma OPENCL EXTENSION cl_intel_channels : enable
channel float in __attribute__((depth(8)));
channel float out __attribute__((depth(8)));
channel int steps __attribute__((depth(8)));
channel int forwarded __attribute__((depth(8)));
channel int places __attribute__((depth(8)));
channel int kept_places __attribute__((depth(8)));
typedef struct { float16 value; int flag; int at; int unused[14]; } word;
channel word packed __attribute__((depth(8)));
"""

# A buffer of one row of 28: a word is loaded 28 turns after its store.
ROW = """
__kernel void {name}(void)
{{
    float line[28];
    int x = {start};
    #pragma ivdep array(line){promise}
    while (1) {{
        const float above = line[x];
        line[x] = read_channel_intel(in);
        write_channel_intel(out, above);
        x = x == 27 ? 0 : x + 1;
    }}
}}
"""

OTHERS = """
// Every second store goes on; what is loaded was stored 6 turns before, or 14.
__kernel void two_distances(void)
{
    float ring[64];
    int at = 0;
    #pragma ivdep array(ring) safelen(6)
    while (1) {
        const float old = ring[(at & 1 ? at - 6 : at - 14) & 63];
        ring[at & 63] = read_channel_intel(in);
        write_channel_intel(out, old);
        at = (at + 1) & 63;
    }
}

// A counter that never comes back.
__kernel void for_ever(void)
{
    float line[28];
    long at = 0;
    #pragma ivdep array(line) safelen(28)
    while (1) {
        const float above = line[at % 28];
        line[at % 28] = read_channel_intel(in);
        write_channel_intel(out, above);
        ++at;
    }
}

// Halves change places with every run of the inner loop: no word is loaded in the run that stores
// it.
__kernel void halves(void)
{
    float both[2][32];
    while (1) {
        int which = 0;
        for (int run = 0; run < 5; ++run) {
            #pragma ivdep array(both)
            for (int i = 0; i < 32; ++i) {
                both[which][i] = read_channel_intel(in);
                write_channel_intel(out, both[which ^ 1][i]);
            }
            which ^= 1;
        }
    }
}

// The counter begins outside of the cycle that it stays in.
__kernel void begins_elsewhere(void)
{
    float line[64];
    int x = 50;
    #pragma ivdep array(line) safelen(10)
    while (1) {
        const float old = line[x];
        line[x] = read_channel_intel(in);
        write_channel_intel(out, old);
        x = x >= 9 ? (x > 40 ? x - 20 : 0) : x + 1;
    }
}

__kernel void beyond(void)
{
    float line[28];
    int x = 0;
    #pragma ivdep array(line) safelen(28)
    while (1) {
        const float above = line[x];
        line[x] = read_channel_intel(in);
        write_channel_intel(out, above);
        x = x == 28 ? 0 : x + 1;
    }
}

__kernel void histogram(void)
{
    float bins[64];
    #pragma ivdep array(bins) safelen(4)
    while (1) {
        const float value = read_channel_intel(in);
        bins[(int)value & 63] += 1.0f;
        write_channel_intel(out, bins[0]);
    }
}

// A step is its row length and its turns.
__kernel void reader(__global const int *restrict table, const int count)
{
    for (int n = 0; n < count; ++n)
        for (int i = 0; i < 3; ++i)
            write_channel_intel(steps, table[n * 3 + i]);
}

__kernel void dispatcher(const int count)
{
    for (int n = 0; n < count; ++n) {
        int record[3];
        for (int i = 0; i < 3; ++i)
            record[i] = read_channel_intel(steps);
        if (record[0] == 1)
            for (int i = 1; i < 3; ++i)
                write_channel_intel(forwarded, record[i]);
    }
}

__kernel void engine(void)
{
    float line[64];
    while (1) {
        const int row = read_channel_intel(forwarded);
        const int turns = read_channel_intel(forwarded);
        int x = 0;
        #pragma ivdep array(line) safelen(9)
        for (int n = 0; n < turns; ++n) {
            const float above = line[x];
            line[x] = read_channel_intel(in);
            write_channel_intel(out, above);
            if (++x == row)
                x = 0;
        }
    }
}

__kernel void from_memory(__global const int *restrict where, const int count)
{
    for (int n = 0; n < count; ++n)
        write_channel_intel(places, where[n]);
}

// Words of several numbers, copied whole.
__kernel void words_from_memory(__global const word *restrict words, const int count)
{
    for (int n = 0; n < count; ++n) {
        const word w = words[n];
        if (w.flag < 100)
            write_channel_intel(packed, w);
    }
}

__kernel void unpacks(void)
{
    float kept[64];
    #pragma ivdep array(kept) safelen(4)
    while (1) {
        const word w = read_channel_intel(packed);
        const float old = kept[w.at & 63];
        kept[w.at & 63] = w.value.s0;
        write_channel_intel(out, old);
    }
}

// Places that come once and are used for ever.
__kernel void keeps_places(void)
{
    int table[6];
    for (int i = 0; i < 6; ++i)
        table[i] = read_channel_intel(kept_places);
    float kept[64];
    int n = 0;
    #pragma ivdep array(kept) safelen(2)
    while (1) {
        const int at = table[n] & 63;
        const float old = kept[at];
        kept[at] = read_channel_intel(in);
        write_channel_intel(out, old);
        n = n == 5 ? 0 : n + 1;
    }
}

__kernel void sends_places(__global const int *restrict kept_table)
{
    for (int n = 0; n < 6; ++n)
        write_channel_intel(kept_places, kept_table[n]);
}

// What an address rests on changes from turn to turn in a memory: no period can be seen in the
// counters.
__kernel void remembers(void)
{
    int table[100];
    for (int i = 0; i < 100; ++i)
        table[i] = i;
    float kept[64];
    int n = 0;
    #pragma ivdep array(kept) safelen(2)
    while (1) {
        const int at = table[n] & 63;
        table[n] = at + 1;
        const float old = kept[at];
        kept[at] = read_channel_intel(in);
        write_channel_intel(out, old);
        n = n == 99 ? 0 : n + 1;
    }
}

__kernel void gathers(void)
{
    float kept[64];
    #pragma ivdep array(kept) safelen(3)
    while (1) {
        const int at = read_channel_intel(places) & 63;
        const float old = kept[at];
        kept[at] = read_channel_intel(in);
        write_channel_intel(out, old);
    }
}
"""
ROWS = {"exact": " safelen(28)", "larger": " safelen(29)", "smaller": " safelen(3)", "never": ""}
TEXT = HEADER + "".join(ROW.format(name=n, promise=p, start=0) for n, p in ROWS.items()) + OTHERS


@pytest.fixture(scope="module")
def kernels():
    return read_kernels(TEXT)


def prover(kernels, table=((1, 9, 40), (2, 3, 30), (1, 20, 200)), places=None):
    def launch(kernel, buffer=None, number=None):
        given = [Argument(buffer=buffer)] * (buffer is not None)
        given += [Argument(number=number)] * (number is not None)
        return Launch(kernel, tuple(given), kernel)

    launches = [
        launch("reader", "table", len(table)),
        launch("dispatcher", number=len(table)),
        launch("from_memory", "where", 6),
        launch("sends_places", "kept_table"),
        launch("words_from_memory", "words", 8),
    ]
    buffers = {"table": np.array(table, np.int32)}
    words = np.zeros((8, 32), np.int32)
    words[:, 17] = [3, 4, 5, 6, 7, 3, 9, 6]  # the word of the sixth row is not sent
    words[5, 16] = 100
    buffers["words"] = words
    buffers["kept_table"] = np.array((1, 2, 3, 1, 4, 2), np.int32)
    if places is not None:
        buffers["where"] = np.array(places, np.int32)
    return Prover(kernels, launches, buffers, fuel=100_000)


@pytest.fixture(scope="module")
def distances(kernels):
    return {d.kernel: d for d in prover(kernels).distances()}


@pytest.mark.parametrize(
    ("kernel", "least"),
    [
        *((name, 28) for name in ROWS),
        ("two_distances", 6),
        ("halves", None),
        ("begins_elsewhere", 10),
        ("engine", 9),
    ],
)
def test_the_least_distance(distances, kernel, least):
    assert (
        distances[kernel].proved
        and distances[kernel].least == least
        and not distances[kernel].outside
    )


@pytest.mark.parametrize(
    ("kernel", "finding"),
    [
        ("exact", None),
        ("larger", ("distance", ERROR)),
        ("smaller", ("short-promise", NOTE)),
        ("never", ("distance", ERROR)),
        ("two_distances", None),
        ("halves", None),
        ("engine", None),
        ("for_ever", ("unproved", WARNING)),
        ("histogram", ("unproved", WARNING)),
        ("gathers", ("unproved", WARNING)),
        ("unpacks", ("distance", ERROR)),
        ("remembers", ("unproved", WARNING)),
    ],
)
def test_what_is_found(distances, kernel, finding):
    (found,) = [[(f.rule, f.severity) for f in distance_findings([distances[kernel]], {})]]
    assert found == ([finding] if finding else [])


def test_an_index_that_leaves_its_array_is_an_error(distances):
    found = distance_findings([distances["beyond"]], {})
    assert ("outside", ERROR) in [(f.rule, f.severity) for f in found]


def test_what_is_not_run_to_its_end_is_told(distances):
    assert distances["for_ever"].least == 28 and "the first" in distances["for_ever"].proof


def test_a_short_promise_that_costs_cycles_is_a_warning(distances):
    (found,) = distance_findings([distances["smaller"]], {("smaller", "line"): 3.0})
    assert found.severity == WARNING


def test_reasons_name_what_an_address_rests_on(distances):
    assert "channel in" in distances["histogram"].proof
    assert (
        "channel places of from_memory" in distances["gathers"].proof
        and "buffer where" in distances["gathers"].proof
    )


def test_a_step_of_the_table_decides(kernels):
    """A row of 8 in a step of this engine breaks the promise; in a step of another one it does
    not."""
    found = {d.kernel: d.least for d in prover(kernels, ((1, 9, 40), (2, 8, 30))).distances()}
    assert found["engine"] == 9
    found = {d.kernel: d.least for d in prover(kernels, ((1, 9, 40), (1, 8, 30))).distances()}
    assert found["engine"] == 8


def test_constants_that_travel_through_channels_are_followed(kernels):
    found = {d.kernel: d for d in prover(kernels, places=(5, 6, 7, 8, 6, 5)).distances()}
    assert found["gathers"].proved and found["gathers"].least == 3


def test_a_step_without_repeated_words_has_no_distance(kernels):
    """Every run of a loop counts by itself: words of the step before do not matter."""
    found = {d.kernel: d.least for d in prover(kernels, ((1, 9, 9), (1, 9, 9))).distances()}
    assert found["engine"] is None
