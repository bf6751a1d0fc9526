"""A strict reader of Prometheus' text format 0.0.4: anything that it does not allow, or that a careful
exporter does not write, is an error."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
KINDS = ("counter", "gauge", "histogram", "summary", "untyped")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels: {text[at:]}"
        assert match[1] not in labels, f"label {match[1]} twice"
        labels[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
        if at < len(text):
            assert text[at] == ",", f"labels: {text[at:]}"
            at += 1
    return labels


def parse_value(text):
    assert re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|[+-]Inf", text), f"value {text}"
    return float(text.replace("Inf", "inf"))


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.samples = name, kind, {}

    def add(self, name, labels, value):
        assert name[len(self.name):] in SUFFIXES[self.kind] and name.startswith(self.name), \
            f"{name} stands with {self.name}"
        key = (name, frozenset(labels.items()))
        assert key not in self.samples, f"{key} twice"
        assert self.kind == "gauge" or value >= 0
        self.samples[key] = value


def check_histogram(family):
    """Buckets rise, the last is +Inf and equals the count."""
    series = {}
    for (name, labels), value in family.samples.items():
        labels = dict(labels)
        bound = labels.pop("le", None)
        assert (bound is not None) == name.endswith("_bucket")
        series.setdefault(frozenset(labels.items()), {})[bound or name] = value
    for values in series.values():
        count, total = values.pop(family.name + "_count"), values.pop(family.name + "_sum")
        bounds = sorted(values, key=float)
        assert list(values) == bounds and bounds[-1] == "+Inf"
        counts = [values[bound] for bound in bounds]
        assert counts == sorted(counts) and counts[-1] == count
        assert math.isfinite(total)


def parse(text):
    """All families by name."""
    families, helped, current = {}, set(), None
    assert text.endswith("\n") and "\r" not in text
    for line in text[:-1].split("\n"):
        assert line and line == line.strip(), repr(line)
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert re.fullmatch(NAME, name) and name not in helped and line.split(" ", 3)[3]
            helped.add(name)
            current = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helped and name not in families and kind in KINDS
            assert (kind == "counter") == name.endswith("_total"), name
            current = families[name] = Family(name, kind)
        else:
            match = SAMPLE.fullmatch(line)
            assert match and current, line
            current.add(match[1], parse_labels(match[2] or ""), parse_value(match[3]))
    assert helped == set(families)
    for family in families.values():
        if family.kind == "histogram":
            check_histogram(family)
    return families


class Metrics:
    """The values of one scrape."""

    def __init__(self, text):
        self.families = parse(text)

    def value(self, name, **labels):
        """The sum of the samples of this name that have these labels; None if there is none."""
        wanted = set(labels.items())
        values = [value for family in self.families.values()
                  for (found, has), value in family.samples.items() if found == name and wanted <= has]
        return sum(values) if values else None

    def samples(self, name):
        return {labels: value for (found, labels), value in self.families[name].samples.items()
                if found == name}
