"""A real Chromium, driven by Selenium, and what it saw: messages, requests, violations of the page's policy."""
import json
import shutil
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE_S = 60


def start(width=1280, height=900, dark=False, profile=None):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                     "--no-first-run", "--disable-background-networking", f"--window-size={width},{height}",
                     *([f"--user-data-dir={profile}"] if profile else [])):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=Service(DRIVER)), width, height, dark)


class Browser:
    """One window. Waits are for what a user would see, never for a time."""

    def __init__(self, driver, width, height, dark):
        self.driver = driver
        self.resize(width, height, dark)

    def resize(self, width, height, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def open(self, url):
        """Load an address anew, also if only the part behind "#" is another."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def find(self, selector):
        """The element, as soon as it is there and can be seen."""
        return self.wait(lambda: next((one for one in self.all(selector) if one.is_displayed()), None), selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition, what=""):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                found = condition()
            except Exception as error:  # pylint: disable=broad-except  # the page was changed meanwhile: look again
                found, what = None, f"{what} ({type(error).__name__})"
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not seen: {what}; the page says: {self.text('main')[:1500]}")

    def text(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def sees(self, selector, text):
        """Wait until an element contains a text."""
        return self.wait(lambda: text in self.text(selector), f"{text!r} in {selector}")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def fits(self):
        """Nothing reaches out of the window sideways."""
        width, window = self.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        return width <= window

    def messages(self):
        """What the console has got since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """The addresses that were asked since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
