/*
 * app.js - the parts of the page and which of them the address shows.
 *
 * Everything that comes from an index is shown as text, never as markup (dom.js).
 * SPDX-License-Identifier: Apache-2.0
 */
import { byId } from "./dom.js";
import { get } from "./api.js";
import { fromHash } from "./query.js";
import { startSearch, show as showSearch, listIndexes } from "./search.js";
import { startCompare, show as showCompare } from "./compare.js";
import { startOverview, show as showOverview, rest } from "./overview.js";

const views = { search: showSearch, compare: showCompare, overview: showOverview };
let current = "";

/* Show what the address asks for. The heading of another part gets the focus, so that a screen reader
 * begins there. */
function go() {
	const { view, values } = fromHash(location.hash);
	const isOther = current && current !== view;
	current = view;
	rest();
	document.title = "ISCC search";
	for (const name of Object.keys(views)) {
		byId(`view-${name}`).hidden = name !== view;
		const link = document.querySelector(`nav a[data-view=${name}]`);
		if (name === view)
			link.setAttribute("aria-current", "page");
		else
			link.removeAttribute("aria-current");
	}
	if (isOther)
		byId("main").focus();
	views[view](values);
}

async function showVersion() {
	const status = await get("/status").catch(() => null);
	if (status)
		byId("version").textContent = `iscc-search ${status.version}`;
}

async function begin() {
	await listIndexes();
	go();
	showVersion();
}

startSearch(begin);
startCompare();
startOverview();
addEventListener("hashchange", go);
document.addEventListener("server-back", begin);
document.addEventListener("indexes-changed", listIndexes);
begin();
