"""tools/check_layers on small trees that break one law each: the law has to be named, with its place."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[2] / "tools" / "check_layers"
OPENING = "/*\n * {name} - a file of this test.\n */\n"


def check(tree, files):
    """Write `files`, compile those that are C, and run the check: (exit status, lines)."""
    for name, text in files.items():
        path = tree / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OPENING.format(name=path.name) + text)
    for path in (tree / "src").glob("*/*.c"):
        made = tree / "build" / "src" / path.parent.name / (path.stem + ".o")
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", f"-I{tree}/src", "-c", "-o", made, path], check=True)
    done = subprocess.run([sys.executable, CHECK, "--root", tree], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout.splitlines()


def test_a_tree_that_keeps_the_laws(tmp_path):
    status, lines = check(tmp_path, {
        "base/low.h": "/* Answers. */\nint isx_low(void);\n",
        "base/low.c": "int isx_low(void)\n{\n\treturn 1;\n}\n",
        "service/high.c": '#include "base/low.h"\nint isx_high(void)\n{\n\treturn isx_low();\n}\n',
    })
    assert (status, lines) == (0, ["3 files keep the layers"])


def test_a_call_through_a_wall_names_both_files_and_the_symbol(tmp_path):
    """As it was with isx_index_list_free(): declared in a public header, defined in service/."""
    status, lines = check(tmp_path, {
        "engine/low.c": "int isx_high(void);\nint isx_low(void)\n{\n\treturn isx_high();\n}\n",
        "service/high.c": "int isx_high(void)\n{\n\treturn 1;\n}\n",
    })
    assert (status, lines) == (1, ["src/engine/low.c: must not use isx_high of src/service/high.c"])


def test_folders_of_one_level_do_not_see_each_other(tmp_path):
    status, lines = check(tmp_path, {
        "iscc/left.c": "int isx_right;\nint isx_left(void)\n{\n\treturn isx_right;\n}\n",
        "scan/right.c": "int isx_left(void);\nint isx_right_too(void)\n{\n\treturn isx_left();\n}\n",
    })
    assert (status, lines) == (1, ["src/scan/right.c: must not use isx_left of src/iscc/left.c"])


def test_files_of_one_folder_that_use_each_other_are_named_with_the_symbols(tmp_path):
    """As it was with lmdb_file.c and lmdb_verify.c. A file that only uses the circle is not in it."""
    status, lines = check(tmp_path, {
        "storage/one.c": "int isx_two(void);\nint isx_one(void)\n{\n\treturn isx_two();\n}\n",
        "storage/two.c": "int isx_three(void);\nint isx_two(void)\n{\n\treturn isx_three();\n}\n",
        "storage/three.c": "int isx_one(void);\nint isx_three(void)\n{\n\treturn isx_one();\n}\n",
        "storage/user.c": "int isx_one(void);\nint isx_user(void)\n{\n\treturn isx_one();\n}\n",
    })
    assert (status, lines) == (1, [
        "src/storage/one.c: in a circle: src/storage/one.c uses isx_two of src/storage/two.c, "
        "src/storage/three.c uses isx_one of src/storage/one.c, "
        "src/storage/two.c uses isx_three of src/storage/three.c"])


def test_files_of_one_folder_in_a_line_are_no_circle(tmp_path):
    status, lines = check(tmp_path, {
        "base/low.c": "int isx_low(void)\n{\n\treturn 1;\n}\n",
        "base/left.c": "int isx_low(void);\nint isx_left(void)\n{\n\treturn isx_low();\n}\n",
        "base/right.c": "int isx_low(void), isx_left(void);\n"
                        "int isx_right(void)\n{\n\treturn isx_low() + isx_left();\n}\n",
    })
    assert (status, lines) == (0, ["3 files keep the layers"])


@pytest.mark.parametrize("name, text, line", [
    ("storage/low.h", "\nstruct isx_indexed_unit;\n", "src/storage/low.h:5: storage/ must not know isx_indexed_unit"),
    ("base/low.h", '#include "http/server.h"\n', "src/base/low.h:4: base/ must not include http/server.h"),
    ("base/low.h", "\nint isx_low(void);\n", "src/base/low.h:5: a public prototype without a contract"),
    ("base/low.h", "static inline int f(char *t)\n{\n\treturn atoi(t);\n}\n",
     "src/base/low.h:6: atoi( is not used here"),
])
def test_a_text_that_breaks_a_law_is_named_with_its_line(tmp_path, name, text, line):
    status, lines = check(tmp_path, {name: text})
    assert (status, lines) == (1, [line])


def test_a_file_without_an_object_is_named(tmp_path):
    """Without objects nothing is known of symbols, which must not read as a tree that keeps the laws."""
    (tmp_path / "src" / "base").mkdir(parents=True)
    (tmp_path / "src" / "base" / "low.c").write_text(OPENING.format(name="low.c"))
    done = subprocess.run([sys.executable, CHECK, "--root", tmp_path], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and done.stdout.startswith("src/base/low.c: no object ")
