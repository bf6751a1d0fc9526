/*
 * match.js - one match, one asset, the scores of unit types: the cards of the search page.
 * SPDX-License-Identifier: Apache-2.0
 */
import { parseIscc, typeLabel, scoreWord, ORDER } from "./iscc.js";
import { make, safeLink, shorten, copyButton, when } from "./dom.js";
import { toHash } from "./query.js";

/* The title of an asset: `name` or `title` of its metadata, or its ISCC-ID. */
export function nameOf(iscc_id, metadata) {
	for (const key of ["name", "title"])
		if (metadata && typeof metadata[key] === "string" && metadata[key].trim())
			return metadata[key];
	return iscc_id;
}

/* A bar for each unit type: label, bar, score. A bar below 0.75 is grey: it does not count by default. */
export function bars(types, extra = () => null) {
	const rank = ([type]) => ORDER.indexOf(type.split("_")[0]);
	const list = make("dl", { class: "bars" });
	for (const [type, score] of Object.entries(types).sort((a, b) => rank(a) - rank(b))) {
		const inner = make("span");
		inner.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
		list.append(make("dt", { title: type }, typeLabel(type)),
			    make("dd", { "aria-hidden": "true" }, make("span", { class: score < 0.75 ? "bar low" : "bar" }, inner)),
			    make("dd", {}, score.toFixed(4), extra(type)));
	}
	return list;
}

function idFacts(iscc_id) {
	try {
		const { time, hub, realm } = parseIscc(iscc_id);
		return [["Declared", when(time)], ["Hub, realm", `${hub}, ${realm}`]];
	} catch {
		return []; /* an older form of an ISCC-ID: it has no time */
	}
}

function value(of) {
	const text = typeof of === "string" ? of : JSON.stringify(of);
	return safeLink(of) || (text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

/* A list of terms and their values. */
export function facts(pairs) {
	return make("dl", { class: "facts" }, pairs.flatMap(([term, of]) => [make("dt", {}, term), make("dd", {}, of)]));
}

export function metadataFacts(metadata) {
	return Object.entries(metadata || {}).filter(([key]) => key !== "name").map(([key, of]) => [key, value(of)]);
}

/* What an asset's ISCC-ID leads to. */
export function links(iscc_id, index, compareWith) {
	return [
		make("a", { class: "button quiet", href: toHash("search", { q: iscc_id, index }) }, "More like this"),
		compareWith && compareWith !== iscc_id ?
			make("a", { class: "button quiet", href: toHash("compare", { a: compareWith, b: iscc_id, index }) }, "Compare") : null,
		copyButton(iscc_id, "Copy ISCC-ID"),
	];
}

function source(metadata) {
	const link = metadata && (safeLink(metadata.gateway) || safeLink(metadata.source) || safeLink(metadata.url));
	return link ? make("div", { class: "hint" }, link) : null;
}

/* What the tiers of the server mean. */
const KINDS = { exact: "the same file", near_duplicate: "nearly the same work", similar: "the same meaning", corroborated: "several types agree",
		title_only: "only the title", weak: "one weak sign", incoherent: "the codes contradict each other" };

/* The kind of match, and how many assets would match so well without being related: the server may say both. */
function kind(match) {
	const parts = [];
	if (match.tier)
		parts.push(make("span", { class: "kind" }, `Kind of match: ${KINDS[match.tier] ?? match.tier}`));
	if (typeof match.expect === "number")
		parts.push(make("span", {}, `Expected by chance: ${match.expect.toPrecision(2)} assets of this index`));
	return parts.length ? make("div", { class: "hint" }, ...parts.flatMap((part, i) => i ? [" · ", part] : [part])) : null;
}

/* A number as people read it: 0.012, and below that 3e-9. */
const small = (of) => of >= 0.001 ? String(Number(of.toPrecision(2))) : of.toExponential(0);

function tableOf(label, heads, rows) {
	return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label },
		    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, rows)));
}

const numbers = (...cells) => cells.map((cell) => make("td", { class: "number" }, cell));

/* How the score came about: a row for each unit type of the query. */
function why(match) {
	if (!match.explanation)
		return null;
	const rows = Object.entries(match.explanation).map(([type, one]) => make("tr", { "data-type": type }, make("td", {}, typeLabel(type)),
		...(one.absent ? [make("td", { colspan: "4" }, "This asset has none")] :
		    [...numbers(`${one.distance} of ${one.compared_bits}`, one.score.toFixed(4), small(one.expect)),
		     make("td", {}, one.counted ? "counts" : `${one.missed_by.toFixed(4)} too low`)])));
	return make("details", { class: "why" }, make("summary", {}, "Why?"),
		    tableOf("Why this score", ["Type", "Bits that differ", "Score", "By chance", ""], rows),
		    make("p", { class: "hint" }, "By chance: how many units of this index would be so near if none was related. " +
			 "The score is made of the types that count; a strong one weighs more."));
}

/* The nearest unit type and the word for its score, as the score of an asset is lower than its units' and has
 * no words. The type is named: an equal title is no identical work. */
function nearest(types) {
	const [type, score] = Object.entries(types).sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
	return type ? `${typeLabel(type)}: ${scoreWord(score)}` : "";
}

/* A match as an item of the list. */
export function matchCard(match, { index, asked }) {
	return make("li", { class: "card match", "data-id": match.iscc_id, tabindex: "-1" },
		    make("header", {}, make("h3", { dir: "auto" }, nameOf(match.iscc_id, match.metadata)),
			 make("span", {}, make("span", { class: "total" }, match.score.toFixed(4)), " ",
			      make("span", { class: "word" }, nearest(match.types)))),
		    bars(match.types), source(match.metadata), kind(match), why(match),
		    make("div", { class: "actions" }, make("code", { class: "id", title: match.iscc_id }, match.iscc_id),
			 ...links(match.iscc_id, index, asked)),
		    make("details", {}, make("summary", {}, "Details"),
			 facts([...idFacts(match.iscc_id), ...metadataFacts(match.metadata)])));
}

/* An asset whose passages match. */
export function passagesCard(match, { index, asked }) {
	const rows = Object.entries(match.types).flatMap(([type, { chunks }]) => chunks.map(
		(chunk) => make("tr", {}, make("td", {}, typeLabel(type)), make("td", { class: "number" }, chunk.score.toFixed(4)),
				make("td", { class: "number" }, String(chunk.offset)), make("td", { class: "number" }, String(chunk.size)),
				make("td", { class: "number" }, String(chunk.freq)), make("td", { class: "number" }, `${Math.round(100 * (chunk.share ?? 0))} %`))));
	const found = Object.values(match.types).map(({ matches, queried }) => `${matches} of ${queried} passages`).join(", ");
	return make("li", { class: "card passages", "data-id": match.iscc_id },
		    make("header", {}, make("h3", { dir: "auto" }, nameOf(match.iscc_id, match.metadata)),
			 make("span", {}, make("span", { class: "total" }, match.score.toFixed(4)), " ", make("span", { class: "word" }, found))),
		    make("div", { class: "actions" }, make("code", { class: "id" }, match.iscc_id), ...links(match.iscc_id, index, asked)),
		    make("details", {}, make("summary", {}, "Passages"),
			 tableOf("Passages", ["Type", "Score", "Offset", "Size", "Assets with it", "Share of the score"], rows)));
}

/* The asset itself, as the index has it. */
export function assetCard(asset, index) {
	return make("article", { class: "card asset", "data-id": asset.iscc_id },
		    make("header", {}, make("h2", { dir: "auto" }, nameOf(asset.iscc_id, asset.metadata)), make("span", { class: "word" }, `in index ${index}`)),
		    source(asset.metadata),
		    facts([["ISCC-ID", make("code", {}, asset.iscc_id)], ...idFacts(asset.iscc_id),
			   ...(asset.iscc_code ? [["ISCC-CODE", make("code", {}, asset.iscc_code)]] : []),
			   ...(asset.units || []).map((unit) => [unitName(unit), make("code", { title: unit }, shorten(unit, 48))]),
			   ...metadataFacts(asset.metadata)]));
}

function unitName(unit) {
	try {
		return typeLabel(parseIscc(unit).units[0].type);
	} catch {
		return "Unit";
	}
}
