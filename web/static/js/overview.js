/*
 * overview.js - the indexes of the server, and what it does now.
 *
 * Figures come from /metrics, the text format of Prometheus, every two seconds while the page is
 * visible; otherwise nothing is asked. SPDX-License-Identifier: Apache-2.0
 */
import { byId, make, makeSvg, say, number, when } from "./dom.js";
import { get, request, send, getKey } from "./api.js";
import { parseIscc, typeLabel } from "./iscc.js";
import { facts } from "./match.js";
import { toHash } from "./query.js";

const EVERY_MS = 2000;
const POINTS = 60;
let timer = null;
let before = null; /* the last figures, { at, values } */
const lines = new Map(); /* of each chart: { values, path, now } */

/* --- indexes ------------------------------------------------------------------------------------ */

function sizes(index) {
	const parts = Object.entries(index.sizes || {}).filter(([name]) => name !== "lmdb");
	return parts.map(([name, mib]) => `${name.startsWith("SIMPRINT_") ? `passages (${typeLabel(name.slice(9))})` : typeLabel(name)} ${mib || "below 1"} MiB`).join(", ");
}

/* The first asset with an ISCC-ID of a time or later, taken apart; null if there is none. */
async function firstFrom(name, ms) {
	const page = await get(`/indexes/${encodeURIComponent(name)}/assets?limit=1&from=${Math.floor(ms) * 1000}`);
	return page.assets.length ? parseIscc(page.assets[0].iscc_id) : null;
}

/* Realm, first and last time of an index. Assets are listed in the order of time, so the last one is found
 * by halving: some 40 requests for one asset each, and only for people who ask. */
async function times(index) {
	const END_MS = 2 ** 52 / 1000; /* what an ISCC-ID can hold: the year 2112 */
	const first = await firstFrom(index.name, 0);
	if (!first)
		return [["Times", "none: the index is empty"]];
	let last = first, high = END_MS;
	while (high - last.time > 1000) {
		const middle = (last.time.getTime() + high) / 2;
		const found = await firstFrom(index.name, middle);
		if (found)
			last = found;
		else
			high = middle;
	}
	return [["Realm", String(first.realm)], ["First", when(first.time)], ["Last", when(last.time)]];
}

function timesOf(index) {
	const place = make("div", { role: "status" });
	return make("details", { ontoggle: async ({ target }) => {
		if (!target.open)
			return;
		place.textContent = "Looking …";
		try {
			place.replaceChildren(facts(await times(index)));
		} catch (error) {
			place.textContent = error.message;
		}
	} }, make("summary", {}, "Realm, first and last time"), place);
}

function card(index) {
	return make("section", { class: "card", "data-index": index.name },
		    make("header", {}, make("h3", {}, make("code", {}, index.name)),
			 make("a", { class: "button quiet", href: toHash("search", { index: index.name }) }, "Search it")),
		    facts([["Assets", number(index.assets)], ["On disk", `${number(index.size)} MiB`], ...(sizes(index) ? [["Of which", sizes(index)]] : [])]),
		    timesOf(index),
		    make("div", { class: "actions" }, make("button", { type: "button", class: "quiet", onclick: () => remove(index) }, `Delete ${index.name}`)));
}

async function listIndexes() {
	try {
		const indexes = await get("/indexes");
		byId("indexes").replaceChildren(...indexes.map(card), ...(indexes.length ? [] : [make("p", { class: "note" }, "This server has no index yet.")]));
	} catch (error) {
		say(byId("overview-message"), error.message, true);
	}
}

async function change(asked, done) {
	try {
		await send(asked);
		say(byId("overview-message"), done);
		document.dispatchEvent(new Event("indexes-changed"));
		await listIndexes();
	} catch (error) {
		say(byId("overview-message"), error.status === 401 && getKey() ? "The server does not accept this API key." : error.message, true);
	}
}

/* Deleting cannot be undone, so the name has to be typed. */
function remove({ name, assets }) {
	const dialog = byId("confirm"), typed = byId("confirm-name"), yes = byId("confirm-yes");
	byId("confirm-text").textContent = `Index ${name} and its ${number(assets)} assets will be gone. This cannot be undone.`;
	typed.value = "";
	yes.disabled = true;
	typed.oninput = () => { yes.disabled = typed.value !== name; };
	dialog.onclose = () => {
		if (dialog.returnValue === "yes" && typed.value === name)
			change(request(`/indexes/${encodeURIComponent(name)}`, { method: "DELETE" }), `Index ${name} is deleted.`);
	};
	dialog.returnValue = "";
	dialog.showModal();
}

function create(event) {
	event.preventDefault();
	const name = byId("create-name").value.trim();
	if (!/^[a-z][a-z0-9]{0,31}$/.test(name)) {
		byId("create-name").setAttribute("aria-invalid", "true");
		say(byId("overview-message"), "An index name is 1 to 32 of a to z and 0 to 9, a letter first.", true);
		byId("create-name").focus();
		return;
	}
	byId("create-name").removeAttribute("aria-invalid");
	change(request("/indexes", { method: "POST", body: { name } }), `Index ${name} is created.`).then(() => { byId("create-name").value = ""; });
}

/* --- now ---------------------------------------------------------------------------------------- */

/* Sum the samples of each metric, and keep those with a label apart: name -> value. */
function readMetrics(text) {
	const values = {};
	for (const line of text.split("\n")) {
		/* Labels may hold braces: route="/indexes/{name}/search". */
		const sample = /^([a-z_]+)(?:\{.*\})? ([0-9.eE+-]+)$/.exec(line);
		if (sample)
			values[sample[1]] = (values[sample[1]] || 0) + Number(sample[2]);
	}
	return values;
}

function chart(title, unit) {
	const path = makeSvg("path", { d: "" });
	const now = make("span", { class: "total" }, "–");
	byId("live").append(make("section", { class: "card" }, make("h3", {}, title), now, " ", make("span", { class: "word" }, unit),
		makeSvg("svg", { viewBox: `0 0 ${POINTS - 1} 40`, preserveAspectRatio: "none", class: "chart", "aria-hidden": "true" }, path)));
	return { values: [], path, now };
}

function plot(title, unit, value) {
	if (value === undefined || Number.isNaN(value))
		return;
	if (!lines.has(title))
		lines.set(title, chart(title, unit));
	const line = lines.get(title);
	line.values.push(value);
	if (line.values.length > POINTS)
		line.values.shift();
	const top = Math.max(...line.values, 1e-9);
	line.path.setAttribute("d", line.values.map((one, i) => `${i ? "L" : "M"}${POINTS - line.values.length + i} ${38 - one / top * 36}`).join(""));
	line.now.textContent = value >= 100 ? number(Math.round(value)) : value.toFixed(value >= 10 ? 0 : 1);
}

async function look() {
	let text = "";
	try {
		await send(request("/metrics"), undefined, (whole) => { text = whole; });
	} catch {
		return; /* the banner, or the field for the key, says why */
	}
	const values = readMetrics(text);
	const at = performance.now();
	if (before) {
		const seconds = (at - before.at) / 1000;
		const rate = (name) => name in values ? Math.max(0, values[name] - (before.values[name] || 0)) / seconds : undefined;
		const requests = rate("iscc_search_http_request_duration_seconds_count");
		plot("Requests", "a second", requests);
		plot("Latency", "ms, mean", requests ? rate("iscc_search_http_request_duration_seconds_sum") / requests * 1000 : 0);
		plot("Waiting", "requests", values.iscc_search_queue_depth);
		plot("Rows compared", "million a second", rate("iscc_search_rows_scanned_total") / 1e6);
		plot("Commits", "a second", rate("iscc_search_commits_total"));
		plot("On disk", "MiB", values.iscc_search_index_bytes / (1 << 20));
	}
	before = { at, values };
}

function tick() {
	clearTimeout(timer);
	if (document.hidden || byId("view-overview").hidden)
		return;
	look().finally(() => { timer = setTimeout(tick, EVERY_MS); });
}

/* Ask nothing any more until the overview is shown again. */
export function rest() {
	clearTimeout(timer);
	before = null;
}

export function show() {
	listIndexes();
	tick();
}

export function startOverview() {
	byId("create").addEventListener("submit", create);
	document.addEventListener("visibilitychange", tick);
}
