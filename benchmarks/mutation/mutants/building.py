"""Where a design could be written or kept wrong, and loops of the kernels themselves."""

from benchmarks.mutation.mutant import Mutant

PLACE = "tests/codegen/test_place.py"
OPERATOR = "tests/emulator/test_emulator_operators.py::test_operator"

MUTANTS = (
    Mutant(
        "place: a lock that is not the same file",
        "hlsgen/files.py",
        "return os.path.samestat(os.stat(path), os.fstat(descriptor))",
        "return True",
        (f"{PLACE}::test_a_lock_whose_file_is_gone_holds_nothing",),
        "two builds write into one directory",
    ),
    Mutant(
        "place: nobody locks",
        "hlsgen/files.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        ("tests/cli/test_robustness.py::test_two_builds_at_once",),
        "two builds write into one directory",
    ),
    Mutant(
        "place: an exchange that is not atomic",
        "hlsgen/codegen/place.py",
        "if not exchange(folder, out):",
        "if True:",
        (f"{PLACE}::test_at_every_moment_a_whole_design_is_there",),
        "a kill leaves no design",
    ),
    Mutant(
        "place: an exchange that fails is taken for one",
        "hlsgen/codegen/place.py",
        "in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):\n        return False",
        "in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):\n        return True",
        (f"{PLACE}::test_systems_that_cannot_exchange_rename",),
        "the new design is thrown away",
    ),
    Mutant(
        "place: what was put aside is lost",
        "hlsgen/codegen/place.py",
        "                aside.rename(out)\n        for stale",
        "                pass\n        for stale",
        (f"{PLACE}::test_a_build_killed_between_two_renames_loses_nothing",),
        "a kill loses the design and the user's files",
    ),
    Mutant(
        "place: a failed rename leaves nothing",
        "hlsgen/codegen/place.py",
        ".rename(out)\n            raise",
        ".exists()\n            raise",
        (f"{PLACE}::test_a_failed_rename_puts_the_earlier_design_back",),
        "a full disk leaves no design",
    ),
    Mutant(
        "place: the user's files are lost",
        "hlsgen/codegen/place.py",
        "keep_foreign_files(out, folder)\n",
        '""\n',
        (PLACE,),
        "the user's files are gone",
    ),
    Mutant(
        "place: stale verdicts are kept",
        "hlsgen/codegen/place.py",
        " | OUTDATED",
        "",
        (PLACE,),
        "an earlier design's verdict beside a new one",
    ),
    Mutant(
        "weights: sections are not aligned",
        "hlsgen/codegen/design.py",
        "self.size += len(data) + -len(data) % ALIGNMENT",
        "self.size += len(data)",
        ("tests/host/test_host.py::test_images_stream_back_to_back",),
        "weights are read from the wrong place",
    ),
    Mutant(
        "template: a row too few (base)",
        "templates/layered/conv.cl.j2",
        "for (int y = 0; y < {{ l.output.height }}; ++y)",
        "for (int y = 0; y < {{ l.output.height }} - 1; ++y)",
        (
            "tests/host/test_guards.py::test_what_is_never_written_is_wrong_even_where_zeros_are_right",
            f"{OPERATOR}[conv_plain-base]",
        ),
        "the last row is never written",
    ),
    Mutant(
        "template: a tap too few (base)",
        "templates/layered/conv.cl.j2",
        "for (int kx = 0; kx < {{ l.attributes.window.kernel[1] }}; ++kx) {",
        "for (int kx = 1; kx < {{ l.attributes.window.kernel[1] }}; ++kx) {",
        (
            "tests/host/test_guards.py::test_what_is_never_written_is_wrong_even_where_zeros_are_right",
            f"{OPERATOR}[conv_plain-base]",
        ),
        "a column of the filter is missing",
    ),
    Mutant(
        "template: the wrong border (folded)",
        "templates/folded/feature_reader.cl.j2",
        "column >= 0 && column < s.in_width)",
        "column >= 0)",
        (f"{OPERATOR}[add_residual-folded]",),
        "borders hold the next row",
    ),
    Mutant(
        "template: a residual is dropped (folded)",
        "templates/folded/epilogue.cl.j2",
        '        value += {{ read("residual_in") }};\n',
        '        {{ read("residual_in") }};\n',
        (f"{OPERATOR}[add_residual-folded]",),
        "shortcuts are missing",
    ),
    Mutant(
        "kernel text: bias of the first vector (pipelined)",
        "hlsgen/kernel/result_text.py",
        'bias = f" + {element(n, n.bias)}"',
        "bias = f\" + {n.bias.memory.at('0')}\"",
        (f"{OPERATOR}[conv_pointwise-pipelined]",),
        "other channels get the first one's bias",
    ),
)
