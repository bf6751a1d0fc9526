"""ESLint and html-validate on what the server sends."""
import subprocess

from pages import TOP

BROWSER = ["document", "location", "fetch", "sessionStorage", "navigator", "performance", "setTimeout", "clearTimeout", "addEventListener", "Event",
           "CustomEvent", "URL", "URLSearchParams", "Blob", "TextDecoder", "AbortController", "atob"]
RULES = """import js from "@eslint/js";
export default [js.configs.recommended, {
	languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: Object.fromEntries(%s.map((name) => [name, "readonly"])) },
	rules: { eqeqeq: "error", "prefer-const": "error", "no-var": "error", "no-eval": "error", "no-implied-eval": "error", "no-shadow": "error" },
}];
"""


def test_scripts_pass_eslint(npm):
    (npm / "eslint.config.mjs").write_text(RULES % BROWSER, encoding="utf-8")
    scripts = npm / "js"
    scripts.mkdir(exist_ok=True)
    for path in (TOP / "web/static/js").glob("*.js"):
        (scripts / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(["npx", "eslint", "--max-warnings", "0", "js"], cwd=npm, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_pass_html_validate(npm, site):
    pages = ["/", "/docs", *(f"/docs/{path.stem}" for path in (TOP / "docs").glob("*.md"))]
    names = []
    for number, page in enumerate(pages):
        names.append(f"page{number}.html")
        (npm / names[-1]).write_text(site.get(page, headers={"Accept": "text/html"}).text, encoding="utf-8")
    done = subprocess.run(["npx", "html-validate", *names], cwd=npm, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
