"""axe-core, the rules of accessibility that a program can check, on every part of the page in both schemes."""
import pytest


@pytest.fixture(scope="session", name="axe")
def axe_script(npm):
    return (npm / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("part", ["/", "/#q={id}", "/#q=hello", "/#compare&a={id}&b={other}", "/#overview", "/docs", "/docs/tutorial", "/docs/scores"])
def test_axe_finds_nothing(page, site, sample, axe, part, dark):
    page.resize(1280, 900, dark)
    page.open(site.base + part.format(id=sample["assets"][0]["iscc_id"], other=sample["assets"][1]["iscc_id"]))
    page.wait(lambda: page.run("return document.readyState") == "complete")
    if "compare" in part:
        page.find(".unit")
    elif part == "/docs":
        page.find(".operation")
    elif "{id}" in part:
        page.sees("#message", "ms.")
    page.run(axe)
    found = page.driver.execute_async_script("const done = arguments[0]; axe.run().then((r) => done(r.violations.map((v) => "
                                             "[v.id, v.impact, v.nodes.map((n) => n.html.slice(0, 200))])))")
    assert not found, found
