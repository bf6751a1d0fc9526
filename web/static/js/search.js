/*
 * search.js - the search page: one field, options, matches, and an address that brings them back.
 *
 * A search is described by the part of the address behind "#" and by nothing else. Submitting the
 * form only changes that address, so that back, forward, a reload and a sent link show the same.
 * SPDX-License-Identifier: Apache-2.0
 */
import { typeLabel } from "./iscc.js";
import { byId, make, say, copyButton, download, number } from "./dom.js";
import { get, request, send, asCurl, watchKey } from "./api.js";
import { recognise, queryOfFile, toHash } from "./query.js";
import { matchCard, passagesCard, assetCard } from "./match.js";

const field = byId("code");
const FIELD_ROWS_MAX = 8;
let running = null; /* AbortController of the search that is shown next */
let unwanted = new Set(); /* unit types that are switched off */

/* --- the field ---------------------------------------------------------------------------------- */

function showTypes(types) {
	byId("types").replaceChildren(...(types.length ? types : []).map((type) => make("label", { class: "check" },
		make("input", { type: "checkbox", value: type, checked: !unwanted.has(type), onchange: ({ target }) => {
			(target.checked ? unwanted.delete(type) : unwanted.add(type));
		} }), typeLabel(type))), ...(types.length ? [] : ["All types of the ISCC."]));
}

function look() {
	const { hint, error, types } = recognise(field.value);
	const place = byId("recognised");
	place.textContent = error || hint || "ISCC-CODE, ISCC-ID, ISCC-UNITs or a list of them, one per line.";
	place.classList.toggle("bad", Boolean(error));
	field.closest(".field").classList.toggle("wrong", Boolean(error));
	field.setAttribute("aria-invalid", String(Boolean(error)));
	showTypes(types);
	field.rows = Math.min(FIELD_ROWS_MAX, Math.max(1, field.value.split("\n").length));
	return !error;
}

async function takeFiles(files) {
	try {
		const texts = await Promise.all([...files].map(async (file) => {
			try {
				return JSON.stringify(queryOfFile(JSON.parse(await file.text())));
			} catch (error) {
				throw new Error(`${file.name}: expected an .iscc.json file, but ${error instanceof SyntaxError ? "it is not JSON" : error.message}`);
			}
		}));
		if (texts.length > 1) /* a list: of each file what names the work */
			field.value = texts.map((text, i) => {
				const { iscc_code, iscc_id } = JSON.parse(text);
				if (!iscc_code && !iscc_id)
					throw new Error(`${files[i].name}: expected an ISCC-CODE, as several files are searched by their codes`);
				return iscc_code || iscc_id;
			}).join("\n");
		else
			field.value = texts[0];
		look();
		submit();
	} catch (error) {
		say(byId("message"), error.message, true);
	}
}

/* --- the address -------------------------------------------------------------------------------- */

function submit() {
	if (!look() || !field.value.trim()) {
		say(byId("message"), field.value.trim() ? "" : "Paste an ISCC first, or drop a file.", true);
		field.focus();
		return;
	}
	const values = { q: field.value.trim().replace(/\s+/g, " "), index: byId("index").value,
			 limit: byId("limit").value === "20" ? "" : byId("limit").value, min: byId("min-score").value,
			 rank: byId("rank").value, certain: byId("certain").checked ? "1" : "",
			 without: [...unwanted].join(","), passages: byId("passages").checked ? "" : "0" };
	const hash = toHash("search", values);
	if (hash === location.hash)
		show(values);
	else
		location.hash = hash;
}

/* --- answers ------------------------------------------------------------------------------------ */

function skeletons() {
	byId("results").replaceChildren(...[0, 1, 2].map(() => make("div", { class: "card skeleton", "aria-hidden": "true" })));
}

/* What a query asks for, with the options. */
function bodyOf(query, values, types) {
	const body = { ...query, explain: true }; /* for "Why?" of each card */
	const out = new Set((values.without || "").split(",").filter(Boolean));
	if (values.min)
		body.min_score = Number(values.min);
	if (values.rank === "significance" || values.rank === "tiered")
		body.rank = values.rank;
	if (values.certain)
		body.max_expect = 0.01; /* one search of a hundred has such a match by chance */
	if (out.size && types.some((type) => !out.has(type)))
		body.types = types.filter((type) => !out.has(type));
	return body;
}

function none(index, values) {
	return make("p", { class: "note" }, `Nothing in index ${index} has a unit that reaches the threshold, ${values.min || "0.75 unless the server has another one"}. ` +
		    (values.certain ? "And what chance explains was left out." : "Unrelated works have about 0.5: a lower threshold shows more, mostly by chance."));
}

/* The request and its answer, to look at, keep, and send again from a terminal. */
function raw(asked, text) {
	let pretty = text;
	try {
		pretty = JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		/* shown as it is */
	}
	return make("details", { class: "raw" }, make("summary", {}, "JSON and curl of this search"),
		    make("h3", {}, "curl"), make("pre", { tabindex: "0" }, asCurl(asked)), copyButton(asCurl(asked), "Copy"),
		    make("h3", {}, "Answer"), make("pre", { tabindex: "0" }, pretty), copyButton(text, "Copy"),
		    make("button", { type: "button", class: "quiet", onclick: () => download("iscc-search.json", text) }, "Save"));
}

/* One query: its matches, its passages, and a button for the next page while there is one. */
async function ask({ query, label }, values, types, index, signal, place) {
	const parameters = new URLSearchParams({ limit: values.limit || "20", after: "" });
	if (query.iscc_id && values.passages !== "0")
		parameters.set("chunks", "true");
	const asked = request(`/indexes/${encodeURIComponent(index)}/search?${parameters}`, { method: "POST", body: bodyOf(query, values, types) });
	let text = "";
	const result = await send(asked, signal, (whole) => { text = whole; });
	const context = { index, asked: query.iscc_id || query.iscc_code || (query.units || [])[0] };
	const matches = make("ol", { class: "list", "aria-label": `Matches of ${label}` });
	const passages = make("ol", { class: "list", "aria-label": `Passages of ${label}` });
	const title = make("h2", { hidden: true }, "Shared passages");
	const append = (page) => { /* returns the first new card */
		const cards = page.global_matches.map((match) => matchCard(match, context));
		matches.append(...cards);
		passages.append(...page.chunk_matches.map((match) => passagesCard(match, context)));
		title.hidden = !passages.childElementCount;
		return cards[0];
	};
	append(result);
	place.replaceChildren(matches.childElementCount || passages.childElementCount ? matches : none(index, values), title, passages,
			      ...more(asked, parameters, result.next, append), raw(asked, text));
	return result;
}

/* A button that fetches the next page and appends it. Nothing where there is none. */
function more(asked, parameters, next, append) {
	if (!next)
		return [];
	const button = make("button", { type: "button", class: "more", onclick: async () => {
		button.disabled = true;
		parameters.set("after", next);
		try {
			const page = await send({ ...asked, path: `${asked.path.split("?")[0]}?${parameters}` });
			const first = append(page);
			button.replaceWith(...more(asked, parameters, page.next, append));
			first?.focus(); /* the button that had the focus is gone */
			say(byId("message"), `${count(page.global_matches.length, "more match")}.` +
			    (page.changed ? " The index was written to meanwhile: pages may repeat or miss a match." : ""));
		} catch (error) {
			button.disabled = false;
			say(byId("message"), error.message, true);
		}
	} }, "More matches");
	return [button];
}

function count(many, one) {
	return `${number(many)} ${many === 1 ? one : `${one}${one.endsWith("ch") ? "es" : "s"}`}`;
}

async function showAsset(query, index, signal) {
	const place = byId("asset");
	if (!query.iscc_id) {
		place.replaceChildren();
		return;
	}
	const asset = await get(`/indexes/${encodeURIComponent(index)}/assets/${encodeURIComponent(query.iscc_id)}`, signal);
	place.replaceChildren(assetCard(asset, index), make("h2", {}, "More like this"));
}

async function run(values, signal) {
	const { queries, types, error } = recognise(values.q);
	const index = values.index || byId("index").value;
	const message = byId("message"), results = byId("results");
	if (error || !queries.length)
		throw new Error("Nothing was searched."); /* the line below the field says why */
	if (!index)
		throw new Error("This server has no index yet. Create one under Overview.");
	say(message, "Searching …");
	skeletons();
	const start = performance.now();
	if (queries.length === 1) {
		await showAsset(queries[0].query, index, signal);
		const place = make("div");
		const result = await ask(queries[0], values, types, index, signal, place);
		results.replaceChildren(place);
		const shared = result.chunk_matches.length;
		say(message, `${count(result.global_matches.length, "match")}${shared ? `, ${count(shared, "asset")} with shared passages` : ""} ` +
		    `in ${Math.round(performance.now() - start)} ms.`);
		return;
	}
	byId("asset").replaceChildren();
	results.replaceChildren();
	let failed = 0;
	for (const one of queries) { /* in turn, so that a long list does not crowd out other clients */
		const place = make("div");
		const summary = make("span", { class: "word" });
		results.append(make("section", { class: "query" }, make("h2", { class: "id" }, one.label), summary, place));
		try {
			const result = await ask(one, values, types, index, signal, place);
			summary.textContent = count(result.global_matches.length, "match");
		} catch (problem) {
			if (problem.name === "AbortError" || problem.status === 401 || problem.status === 0)
				throw problem;
			failed++;
			place.replaceChildren(make("p", { class: "note error" }, problem.message));
		}
	}
	say(message, `${count(queries.length, "search")}${failed ? `, ${failed} of them failed` : ""}, in ${Math.round(performance.now() - start)} ms.`, failed > 0);
}

/* Show what an address asks for; an empty one is the start of the page. */
export async function show(values) {
	running?.abort();
	running = new AbortController();
	const { signal } = running;
	unwanted = new Set((values.without || "").split(",").filter(Boolean));
	if (values.q !== undefined && values.q !== field.value.trim().replace(/\s+/g, " "))
		field.value = values.q.startsWith("{") ? values.q : values.q.replaceAll(" ", "\n");
	byId("limit").value = values.limit || "20";
	byId("min-score").value = values.min || "";
	byId("rank").value = ["significance", "tiered"].includes(values.rank) ? values.rank : "";
	byId("certain").checked = Boolean(values.certain);
	byId("passages").checked = values.passages !== "0";
	if (values.index && [...byId("index").options].some(({ value }) => value === values.index))
		byId("index").value = values.index;
	look();
	if (!values.q) {
		if (byId("results").childElementCount) { /* back from a search to the start */
			say(byId("message"), "");
			field.value = "";
			look();
		}
		byId("results").replaceChildren();
		byId("asset").replaceChildren();
		return;
	}
	document.title = `${values.q.slice(0, 40)} - ISCC search`;
	try {
		await run(values, signal);
	} catch (error) {
		if (error.name === "AbortError")
			return;
		byId("results").replaceChildren();
		if (error.status !== undefined)
			byId("asset").replaceChildren();
		say(byId("message"), error.message, true);
	}
}

/* Fill the lists of indexes. Returns false if the server did not answer with them. */
export async function listIndexes() {
	try {
		const indexes = await get("/indexes");
		for (const id of ["index", "compare-index"]) {
			const before = byId(id).value;
			byId(id).replaceChildren(...indexes.map(({ name, assets }) => make("option", { value: name }, `${name} (${number(assets)})`)));
			if (indexes.some(({ name }) => name === before))
				byId(id).value = before;
		}
		if (byId("message").classList.contains("bad"))
			say(byId("message"), "");
		if (!indexes.length && !byId("message").textContent)
			say(byId("message"), "This server has no index yet. Create one under Overview, or with \"iscc-search add\".");
		return true;
	} catch (error) {
		say(byId("message"), error.message, true);
		return false;
	}
}

export function startSearch(again) {
	byId("search").addEventListener("submit", (event) => {
		event.preventDefault();
		submit();
	});
	field.addEventListener("input", look);
	field.addEventListener("keydown", (event) => { /* Enter searches, Shift and Enter begin a line */
		if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
			event.preventDefault();
			submit();
		}
	});
	byId("file").addEventListener("change", ({ target }) => {
		takeFiles(target.files);
		target.value = "";
	});
	const drop = byId("drop");
	for (const type of ["dragenter", "dragover"])
		drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
	drop.addEventListener("dragleave", () => drop.classList.remove("over"));
	drop.addEventListener("drop", (event) => {
		event.preventDefault();
		drop.classList.remove("over");
		if (event.dataTransfer.files.length)
			takeFiles(event.dataTransfer.files);
	});
	watchKey(again);
	look();
}
