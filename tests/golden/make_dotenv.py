#!/usr/bin/env python3
"""Write what python-dotenv makes of many .env files.

    python3 -m venv peer
    peer/bin/pip install python-dotenv==1.2.4
    peer/bin/python tests/golden/make_dotenv.py > tests/golden/dotenv.tsv

One file a line, fields separated by tabs: its text, the lines of statements that cannot be read (joined
by commas, "-" if none), then NAME=VALUE for each name that has a value, and NAME for each that has not.
Bytes that are not printable ASCII, and backslashes, are written \\xNN. The environment has ENV=env and
EMPTY, which is empty. Some texts are chosen, the others made by random.Random(SEED).
"""
import io
import logging
import os
import random

from dotenv.main import DotEnv
from dotenv.parser import parse_stream

SEED = 24138
RANDOM = 600
CHOSEN = [
    "", "\n", "A", "A=", "A=1", "A=1\n", "A=1\r\nB=2\r\n", "A=1\rB=2", "\ufeffA=1\n", "A = 1", "A =1", "A= 1 ", "\tA\t=\t1\t",
    "A=#abc", "A= #abc", "A=abc#c", "A=abc #c", "A=abc\t#c", "A=abc\u00a0#c", "A=a # b # c", "A=a b  c ", "#A=1", " # A=1",
    "A=1 # x\nB=2", "A#b=1", "export A=1", "export  A=1", "export\tA=1", "exportA=1", "export=1", "export A", "export", "export # x",
    "export \nA=1", 'A="x"', "A='x'", 'A="x" # c', 'A="x"#c', "A='x' # c", 'A="x" y', 'A="x"y\nB=2', 'A=x"y"', "A=x'y'",
    'A=""', "A=''", 'A=" x "', "A=' x '", 'A="a#b"', 'A="a\nb"', "A='a\nb'", 'A="a\r\nb"\r\nB=1', 'A="a\\nb"', "A='a\\nb'",
    'A="\\a\\b\\f\\n\\r\\t\\v\\\\\\"\\\'"', "A='\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\''", 'A="\\x\\0\\$"', 'A="\\\\n"', "A=\\n\\\\", 'A="\\"',
    "A='\\'", 'A="x\\"y"', "A='x\\'y'", 'A="x\\\\"', "A='x\\\\'", 'A="x\nB=1\n', "A='x\nB=1\n", 'A="x\nB="y"\nC=1', "A=x\\\nB=1",
    "'A'=1", "'A B'=1", "'A=1", "''=1", '"A"=1', "=1", "==1", "A==1", "A=1=2", "A B=1", "A b", "A: 1\nB=2", "1=2", "A.b-c=1",
    "\u00e4=\u00f6", "A=\u20ac", "A=x\u00a0", "A=x\u2003\u3000", "A=\u00a0x", "A\u00a0=1", "A=1\x0bB=2", "A=1\x0cB=2", "A=x\x1c#y", "A=x\x85#y",
    "A=1\nA=2", "A=1\nB=2\nA=3", "A=1\nA", "A=1\nA=", "a=1\nA=2", "A=$ENV", "A=${ENV}", 'A="${ENV}"', "A='${ENV}'", "A=x${ENV}y${ENV}z",
    "A=${NO}", "A=${NO:-d}", "A=${NO:-}", "A=${NO:-d e}", "A=${NO:-#}", 'A="${NO:-d\n}"', "A=${EMPTY:-d}", "A=${ENV:-d}", "A=${NO-d}", "A=${NO:d}",
    "A=${NO:=d}", "A=${NO", "A=${NO:-d", "A=${}", "A=${:-d}", "A=$${ENV}", "A=\\${ENV}", 'A="\\${ENV}"', "A=${ ENV }", "A=${NO:-${ENV}}",
    "A=${${ENV}}", "A=1\nB=${A}2\nC=${B}3", "A=${B}\nB=1", "B\nA=${B:-d}", "B=\nA=${B:-d}", "ENV=file\nA=${ENV}", "A=${A}", "A=1\nA=${A}2",
    "ENV\nA=${ENV:-d}", "A=1\nbad line\nB=2", "A=1\n\n\n=\n\nB=\"\n", "A=\"1\n2\" 3\nB=2", "A=`x`", "A=$(x)", "A=1;B=2", "A={\"x\": \"y\"}",
    "A=postgresql://u:p#w@h/d", "A='postgresql://u:p@h/d?x=1'", "A=\"C:\\\\new\"", "A=C:\\new",
]
TOKENS = ["A", "B", "KEY", "=", "=", "=", " = ", "'", '"', "\\", "\\n", '\\"', "\\'", "\\\\", "\\x", "#", " #", "\t#", " ", "\t", "\n", "\n",
          "\r\n", "\r", "\u00a0", "\u2003", "\x0b", "\x1c", "\x85", "\u00e4", "export ", "export", "${A}", "${ENV}", "${EMPTY:-d}",
          "${NO:-d f}", "${NO}", "${A:x}", "${", "}", "$", "${:-q}", "abc", "x y", "A=b\n", "B='x'\n", 'KEY="${A}"\n']


def escape(text):
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in text.encode())


def bad_lines(text):
    for statement in parse_stream(io.StringIO(text)):
        if statement.error:
            source = statement.original.string
            blank = source[:len(source) - len(source.lstrip())]
            yield str(statement.original.line + blank.count("\n"))


def main():
    logging.disable(logging.CRITICAL)
    os.environ.clear()
    os.environ.update({"ENV": "env", "EMPTY": ""})
    source = random.Random(SEED)
    texts = CHOSEN + ["".join(source.choice(TOKENS) for _ in range(source.randint(2, 14))) for _ in range(RANDOM)]
    for text in texts:
        read = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8").read()
        values = DotEnv(None, stream=io.StringIO(read)).dict()
        fields = [escape(name) + ("" if value is None else "=" + escape(value)) for name, value in values.items()]
        print("\t".join([escape(text), ",".join(bad_lines(read)) or "-", *fields]))


if __name__ == "__main__":
    main()
