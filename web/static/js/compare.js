/*
 * compare.js - two works side by side: the bits of their units, and the passages that they share.
 *
 * A side is an ISCC-ID of an index, an ISCC-CODE, units, or a file. Bits are compared here, so that a
 * code needs no index. Passages come from files, or from two searches of the index: the passages
 * of one that the other has, and the other way round, which together have the places in both.
 * SPDX-License-Identifier: Apache-2.0
 */
import { findIsccs, compareBodies, scoreWord, typeLabel, ORDER } from "./iscc.js";
import { byId, make, makeSvg, say, shorten, when } from "./dom.js";
import { get, request, send } from "./api.js";
import { passagesOf, queryOfFile, toHash } from "./query.js";
import { nameOf } from "./match.js";

const SIDES = ["left", "right"];
const COLUMNS = 32;
const PASSAGES_SHOWN = 50;
/* Files of each side: what an address cannot hold. */
const files = { left: {}, right: {} };

/* --- the sides ---------------------------------------------------------------------------------- */

/* Units of texts; the longest of each type, as only that one is searched. */
function unitsOf(texts) {
	const best = {};
	for (const { given, iscc, error } of findIsccs(texts.join(" "))) {
		if (error)
			throw new Error(`"${given.slice(0, 40)}" is not an ISCC: ${error}.`);
		for (const unit of iscc.units)
			if (!best[unit.type] || best[unit.type].bits < unit.bits)
				best[unit.type] = unit;
	}
	return best;
}

async function readSide(side, text, index, signal) {
	const { json, content } = files[side];
	if (json) {
		const query = queryOfFile(json);
		const texts = [...(query.units || []), query.iscc_code].filter(Boolean);
		return { name: nameOf(json.filename || "a file", json.metadata || json), units: unitsOf(texts), passages: passagesOf(json), content };
	}
	const found = findIsccs(text);
	const id = found.length === 1 && found[0].iscc && found[0].iscc.kind === "id" ? found[0].iscc : null;
	if (!found.length)
		throw new Error(`The ${side === "left" ? "first" : "second"} work is missing: paste an ISCC, or choose a file.`);
	if (!id)
		return { name: shorten(found[0].given), units: unitsOf([text]), content };
	if (!index)
		throw new Error("An ISCC-ID is looked up in an index, and this server has none.");
	const asset = await get(`/indexes/${encodeURIComponent(index)}/assets/${id.text}`, signal);
	const texts = asset.units && asset.units.length ? asset.units : [asset.iscc_code].filter(Boolean);
	return { id: id.text, name: nameOf(id.text, asset.metadata), units: unitsOf(texts), content: content || await ownText(asset.metadata, signal) };
}

/* The text of a work, if its `source` is on this server: the page may not load from any other. */
async function ownText(metadata, signal) {
	const source = metadata && metadata.source;
	/* A stranger's metadata must not start an export of this server. */
	if (typeof source !== "string" || !source.startsWith(`${location.origin}/`) || source.startsWith(`${location.origin}/indexes`))
		return undefined;
	const answer = await fetch(source, { signal }).catch(() => null);
	return answer && answer.ok ? new Uint8Array(await answer.arrayBuffer()) : undefined;
}

async function takeFiles(side, list) {
	files[side] = {};
	const names = [];
	for (const file of list) {
		names.push(file.name);
		if (!/\.json$/i.test(file.name)) {
			files[side].content = new Uint8Array(await file.arrayBuffer());
			continue;
		}
		try {
			files[side].json = JSON.parse(await file.text());
			queryOfFile(files[side].json);
			byId(side).value = ""; /* the file is the work now */
		} catch (error) {
			delete files[side].json;
			say(byId(`${side}-is`), `${file.name}: expected an .iscc.json file, but ${error instanceof SyntaxError ? "it is not JSON" : error.message}`, true);
			return;
		}
	}
	say(byId(`${side}-is`), names.join(", "));
}

function look(side) {
	const text = byId(side).value;
	const found = findIsccs(text);
	const wrong = found.find(({ error }) => error);
	const one = found.length === 1 && found[0].iscc;
	if (text.trim())
		files[side] = { content: files[side].content };
	say(byId(`${side}-is`), wrong ? `"${wrong.given.slice(0, 40)}" is not an ISCC: ${wrong.error}.` :
	    one && one.kind === "id" ? `ISCC-ID: declared ${when(one.time)}, hub ${one.hub}` :
	    found.flatMap(({ iscc }) => iscc.units).map(({ type, bits }) => `${typeLabel(type)}, ${bits} bits`).join(" · "), Boolean(wrong));
}

/* --- bits --------------------------------------------------------------------------------------- */

/* The bits of a body, 32 in a row: filled where a bit is 1, coloured where the other body differs. */
function bitGrid(body, other, label) {
	const bits = Math.min(body.length, other.length) * 8;
	const svg = makeSvg("svg", { viewBox: `0 0 ${COLUMNS * 10} ${Math.ceil(bits / COLUMNS) * 10}`, class: "bits", role: "img", "aria-label": label });
	for (let i = 0; i < bits; i++) {
		const bit = body[i >> 3] >> 7 - i % 8 & 1;
		const differs = (body[i >> 3] ^ other[i >> 3]) >> 7 - i % 8 & 1;
		svg.append(makeSvg("rect", { x: i % COLUMNS * 10 + 0.75, y: Math.floor(i / COLUMNS) * 10 + 0.75, width: 8.5, height: 8.5, rx: 1.5,
					     class: differs ? "differs" : bit ? "same" : "zero", "fill-opacity": differs && !bit ? 0.35 : null }));
	}
	return svg;
}

function unitCard(type, left, right) {
	const a = left.units[type], b = right.units[type];
	if (!a || !b)
		return make("section", { class: "card unit", "data-type": type }, make("h3", {}, typeLabel(type)),
			    make("p", { class: "hint" }, `Only the ${a ? "first" : "second"} work has this unit.`));
	const { bits, distance, score } = compareBodies(a.body, b.body);
	const verdict = type.startsWith("INSTANCE") ? (distance ? "other bytes" : "the same bytes") : scoreWord(score);
	const said = `${distance} of ${bits} bits differ`;
	return make("section", { class: "card unit", "data-type": type },
		    make("header", {}, make("h3", {}, typeLabel(type)), make("span", {}, make("span", { class: "total" }, score.toFixed(4)), " ",
			 make("span", { class: "word" }, verdict))),
		    make("p", { class: "hint" }, said + (a.bits === b.bits ? "." : `: a unit of ${a.bits} bits is compared with the beginning of one of ${b.bits}.`)),
		    make("div", { class: "pair" }, bitGrid(a.body, b.body, `Bits of the first work, ${said}`), bitGrid(b.body, a.body, `Bits of the second work, ${said}`)));
}

/* --- passages ----------------------------------------------------------------------------------- */

/* The passages of the work `from` that `to` has: { type, query, match, score, offset, size } with the
 * place in `to`. */
async function askPassages(from, to, index, signal) {
	const result = await send(request(`/indexes/${encodeURIComponent(index)}/search?limit=1000&chunks=true`,
					  { method: "POST", body: { iscc_id: from } }), signal);
	const match = result.chunk_matches.find(({ iscc_id }) => iscc_id === to);
	return match ? Object.entries(match.types).flatMap(([type, { chunks }]) => chunks.map((chunk) => ({ type, ...chunk }))) : [];
}

const decode = (simprint) => Uint8Array.from(atob(simprint.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

/* The best partner of each passage of the first file among those of the second. */
function pairPassages(left, right) {
	const decoded = (list) => list.map((one) => ({ ...one, body: decode(one.simprint) }));
	const others = Object.fromEntries(Object.entries(right).map(([type, list]) => [type, decoded(list)]));
	return Object.entries(left).flatMap(([type, list]) => decoded(list).flatMap((a) => {
		let best = null;
		for (const b of others[type] || []) {
			const { score } = compareBodies(a.body, b.body);
			if (score >= 0.75 && (!best || score > best.score))
				best = { type, score, a, b };
		}
		return best || [];
	}));
}

/* Pairs of passages with the places in both works: [{ type, score, a: { offset, size }, b }]. */
async function sharedPassages(left, right, index, signal) {
	if (left.passages && right.passages)
		return pairPassages(left.passages, right.passages);
	if (!left.id || !right.id)
		return [];
	const [there, back] = await Promise.all([askPassages(left.id, right.id, index, signal), askPassages(right.id, left.id, index, signal)]);
	const placeOf = new Map(back.map(({ type, match, offset, size }) => [`${type} ${match}`, { offset, size }]));
	return there.filter(({ type, query }) => placeOf.has(`${type} ${query}`)).map(
		({ type, query, score, offset, size }) => ({ type, score, a: placeOf.get(`${type} ${query}`), b: { offset, size } }));
}

/* One line for each work, its passages as boxes, and bands from each to its partner. */
function tracks(pairs) {
	const WIDTH = 1000, TOP = 22, LOW = 92, THICK = 14;
	const end = (side) => Math.max(1, ...pairs.map((pair) => pair[side].offset + pair[side].size));
	const ends = { a: end("a"), b: end("b") };
	const x = (side, at) => at / ends[side] * WIDTH;
	const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} 128`, class: "tracks", role: "img",
				     "aria-label": `${pairs.length} passages of the first work above, their places in the second below` },
			    makeSvg("text", { x: 0, y: 14 }, "First"), makeSvg("text", { x: 0, y: 124 }, "Second"),
			    makeSvg("rect", { x: 0, y: TOP, width: WIDTH, height: THICK, class: "track" }), makeSvg("rect", { x: 0, y: LOW, width: WIDTH, height: THICK, class: "track" }));
	for (const { a, b, score } of pairs) {
		const [a0, a1, b0, b1] = [x("a", a.offset), x("a", a.offset + a.size), x("b", b.offset), x("b", b.offset + b.size)];
		svg.append(makeSvg("path", { d: `M${a0} ${TOP + THICK}L${a1} ${TOP + THICK}L${b1} ${LOW}L${b0} ${LOW}Z`, class: "link" }, makeSvg("title", {}, score.toFixed(4))),
			   makeSvg("rect", { x: a0, y: TOP, width: Math.max(2, a1 - a0 - 1), height: THICK, class: "passage" }),
			   makeSvg("rect", { x: b0, y: LOW, width: Math.max(2, b1 - b0 - 1), height: THICK, class: "passage" }));
	}
	return svg;
}

/* The text of a passage: offsets and sizes count bytes of UTF-8. */
function excerpt(content, { offset, size }) {
	if (!content)
		return make("p", { class: "hint" }, "Choose the text of the work as a file to read the passage here.");
	const text = new TextDecoder().decode(content.subarray(offset, offset + size));
	return make("blockquote", { dir: "auto" }, make("mark", {}, text || "(behind the end of the file)"));
}

function passagesSection(pairs, left, right) {
	const shown = [...pairs].sort((p, q) => q.score - p.score).slice(0, PASSAGES_SHOWN);
	return make("section", { class: "card", id: "shared" }, make("h2", {}, `${pairs.length} shared passage${pairs.length === 1 ? "" : "s"}`), tracks(pairs),
		    ...shown.map(({ type, score, a, b }) => make("details", {}, make("summary", {}, `${score.toFixed(4)} ${typeLabel(type)}: ${a.offset} to ${a.offset + a.size} in the first, ` +
			 `${b.offset} to ${b.offset + b.size} in the second`), make("div", { class: "texts" }, excerpt(left.content, a), excerpt(right.content, b)))),
		    pairs.length > shown.length ? make("p", { class: "hint" }, `The ${PASSAGES_SHOWN} nearest are listed.`) : null);
}

/* --- the page ----------------------------------------------------------------------------------- */

let running = null;

async function run(index, signal) {
	const message = byId("compare-message"), place = byId("comparison");
	say(message, "Comparing …");
	const [left, right] = await Promise.all(SIDES.map((side) => readSide(side, byId(side).value, index, signal)));
	const rank = (type) => ORDER.indexOf(type.split("_")[0]);
	const types = [...new Set([...Object.keys(left.units), ...Object.keys(right.units)])].sort((a, b) => rank(a) - rank(b));
	if (!types.length)
		throw new Error("Neither work has units to compare.");
	const pairs = await sharedPassages(left, right, index, signal);
	place.replaceChildren(make("div", { class: "pair" }, make("h2", { dir: "auto" }, left.name), make("h2", { dir: "auto" }, right.name)),
			      make("p", { class: "legend" }, ...[["same", "1 in both"], ["zero", "0 in both"], ["differs", "differs"]].map(
				      ([kind, text]) => make("span", {}, make("i", { class: kind }), text))),
			      ...types.map((type) => unitCard(type, left, right)), ...(pairs.length ? [passagesSection(pairs, left, right)] : []));
	const both = types.filter((type) => left.units[type] && right.units[type]).length;
	say(message, `${both} of ${types.length} unit types are in both works.`);
}

export async function show({ a = "", b = "", index }) {
	running?.abort();
	running = new AbortController();
	for (const [side, text] of [["left", a], ["right", b]])
		if (text && text !== byId(side).value.trim()) { /* another work: a file of the one before is not its text */
			byId(side).value = text;
			files[side] = {};
		}
	if (index && [...byId("compare-index").options].some(({ value }) => value === index))
		byId("compare-index").value = index;
	SIDES.forEach((side) => { if (byId(side).value) look(side); });
	if (SIDES.some((side) => !byId(side).value.trim() && !files[side].json))
		return;
	try {
		await run(byId("compare-index").value, running.signal);
	} catch (error) {
		if (error.name === "AbortError")
			return;
		byId("comparison").replaceChildren();
		say(byId("compare-message"), error.message, true);
	}
}

export function startCompare() {
	for (const side of SIDES) {
		byId(side).addEventListener("input", () => look(side));
		byId(`${side}-file`).addEventListener("change", ({ target }) => takeFiles(side, target.files));
	}
	byId("compare").addEventListener("submit", (event) => {
		event.preventDefault();
		const missing = SIDES.find((side) => !byId(side).value.trim() && !files[side].json);
		if (missing) {
			say(byId("compare-message"), `The ${missing === "left" ? "first" : "second"} work is missing: paste an ISCC, or choose a file.`, true);
			byId(missing).focus();
			return;
		}
		const hash = toHash("compare", { a: byId("left").value.trim(), b: byId("right").value.trim(), index: byId("compare-index").value });
		if (hash === location.hash)
			show({});
		else
			location.hash = hash;
	});
}
