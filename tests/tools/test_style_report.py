"""tools/style_report on a small tree whose numbers are counted by hand."""

import subprocess
import sys
from pathlib import Path

REPORT = Path(__file__).resolve().parents[2] / "tools" / "style_report"

SOURCE = '''/*
 * few.c - three functions.
 */
#include "few.h"

static int once(int x)
{
\treturn x; /* why */
}

static int twice(int x)
{
\tconst char *text = "/* no comment */";

\treturn x + *text;
}

int isx_few(int x,
\t    int y)
{
\treturn once(x) + twice(y) + twice(x);
}
'''


def test_numbers_of_a_small_tree(tmp_path):
    (tmp_path / "src" / "base").mkdir(parents=True)
    (tmp_path / "src" / "base" / "few.c").write_text(SOURCE)
    (tmp_path / "src" / "base" / "few.h").write_text("/* few.h - one. */\nint isx_few(int x, int y);\n")
    done = subprocess.run([sys.executable, REPORT, "--root", tmp_path, "--files"], capture_output=True,
                          text=True, check=True)
    ours = next(line for line in done.stdout.splitlines() if line.startswith("ours "))
    # Functions of 4, 6 and 5 lines; files of 2 and 22; 4 of 18 lines that are not blank, and 1 of 2.
    assert ours.split() == ["ours", "5/6/6", "0", "%", "12/22/22", "22/50", "%", "46"]
    assert "3 functions in 24 lines" in done.stdout
    assert "50 % of the static functions have one caller" in done.stdout
    assert "  22 % of   18 lines  src/base/few.c" in done.stdout
