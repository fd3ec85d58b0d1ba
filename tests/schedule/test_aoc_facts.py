"""Facts of public aoc reports: tables are whole, and the documents state the agreement that they
show."""

import csv
from math import prod
from pathlib import Path

import pytest

import benchmarks.model

FOLDER = Path(benchmarks.model.__file__).parent
TABLES = ["aoc_memory_verdicts.csv", "aoc_loop_verdicts.csv", "aoc_latencies.csv"]


def rows(name):
    with open(FOLDER / name, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_names_its_source(name):
    table = rows(name)
    assert len(table) >= 15
    for row in table:
        assert None not in row and None not in row.values(), "a cell too many or too few"
        assert all(part.count("/") == 1 for part in row["repository"].split()) and row["repository"]
        assert "/" in row["report"] and row["aoc"]


def test_memories_hold_what_their_sources_declare():
    for row in rows("aoc_memory_verdicts.csv"):
        size = prod(map(int, row["dims"].split("x"))) * int(row["element_bits"]) // 8
        assert row["verdict"] in ("stall-free", "arbitrated", "registers")
        if row["verdict"] != "registers":
            words = (
                int(row["banks"])
                * int(row["bank_depth"])
                * int(row["replicates"])
                * int(row["private_copies"])
            )
            assert int(row["requested"]) == size
            assert int(row["implemented"]) == words * int(row["bank_width"]) // 8, row


@pytest.fixture(scope="module")
def audit_rules():
    from benchmarks.model import audit_rules

    return audit_rules


def test_the_documents_state_it(audit_rules):
    text = audit_rules.DOCUMENT.read_text()
    stated = text.split(audit_rules.START)[1].split(audit_rules.END)[0].strip()
    assert stated == audit_rules.table(audit_rules.agreements()), (
        "python -m benchmarks.model.audit_rules --write"
    )


@pytest.mark.parametrize(
    ("rule", "column", "wrong"),
    [
        ("depths", "bank_depth", "3"),
        ("lowest_bits", "bank_bits", "1 2 3 4"),
        ("replicates", "replicates", "9"),
    ],
)
def test_a_wrong_fact_is_no_agreement(audit_rules, rule, column, wrong):
    row = next(r for r in audit_rules.read(TABLES[0]) if r["array"] == "_aFeeder_DB_0_ibuffer")
    judge = getattr(audit_rules, rule)
    assert judge([row]).agree == 1
    assert judge([row | {column: wrong}]).agree == 0


def test_index_forms(audit_rules):
    def places(dims, text):
        return [word.place for word in audit_rules.words(dims, 4, text)]

    assert places([8, 4], "r [i][u]") == [0, 4, 8, 12]
    assert places([4, 8], "w [u][i]") == [0, 32, 64, 96]
    assert places([2, 16], "w [i][8*j+u]") == list(range(0, 32, 4))
    assert places([32], "r [8*u+i]") == [0, 32, 64, 96]
    row = {"element_bits": "32", "dims": "32x32", "attributes": ""}
    assert audit_rules.separable(row, "w [u][i]") and not audit_rules.separable(row, "w [i][u]")
