/*
 * query.js - from what people paste or drop to queries, and from queries to links and back.
 * SPDX-License-Identifier: Apache-2.0
 */
import { findIsccs, typeLabel, ORDER } from "./iscc.js";
import { when } from "./dom.js";

/* The passages of a file with their places: { type: [{ simprint, offset, size }] }. */
export function passagesOf(file) {
	const found = {};
	for (const { maintype, subtype, version = 0, simprints = [], offsets = [], sizes = [] } of file.features || [])
		found[`${maintype}_${subtype}_V${version}`.toUpperCase()] = simprints.map(
			(simprint, i) => ({ simprint, offset: offsets[i] || 0, size: sizes[i] || 0 }));
	for (const [type, list] of Object.entries(file.simprints || {}))
		found[type] = list.map((one) => typeof one === "string" ? { simprint: one, offset: 0, size: 0 } : one);
	return found;
}

/* The query for a work that is described in a file. It is not asked by its ISCC-ID, which this server
 * need not know. */
export function queryOfFile(file) {
	const query = {};
	const code = file.iscc_code || file.iscc;
	if (typeof code === "string")
		query.iscc_code = code;
	if (Array.isArray(file.units) && file.units.length)
		query.units = file.units;
	const simprints = Object.fromEntries(Object.entries(passagesOf(file)).filter(([, list]) => list.length).map(
		([type, list]) => [type, list.map(({ simprint }) => simprint)]));
	if (Object.keys(simprints).length)
		query.simprints = simprints;
	if (!Object.keys(query).length && typeof file.iscc_id === "string")
		query.iscc_id = file.iscc_id;
	if (!Object.keys(query).length)
		throw new Error("it has neither \"iscc\", \"iscc_code\", \"units\" nor \"iscc_id\"");
	return query;
}

function describe(iscc) {
	if (iscc.kind === "id")
		return `ISCC-ID: declared ${when(iscc.time)}, hub ${iscc.hub}, realm ${iscc.realm}`;
	if (iscc.kind === "unit")
		return `ISCC-UNIT: ${typeLabel(iscc.units[0].type)}, ${iscc.units[0].bits} bits`;
	return `ISCC-CODE${iscc.media ? ` of a${/^[aeiou]/i.test(iscc.media) ? "n" : ""} ${iscc.media.toLowerCase()}` : ""}: ` +
		iscc.units.map(({ type }) => typeLabel(type)).join(" · ");
}

/* Read the text of the search field.
 *   returns  { queries: [{ label, query }], types, hint, error }; no queries: `error` says why, or
 *            the field is empty */
export function recognise(text) {
	if (text.trim().startsWith("{"))
		try {
			const query = queryOfFile(JSON.parse(text));
			const inside = findIsccs([query.iscc_code, ...(query.units || [])].filter(Boolean).join(" "));
			const bad = inside.find(({ error }) => error);
			if (bad)
				throw new Error(`"${bad.given.slice(0, 40)}" is not an ISCC: ${bad.error}`);
			const passages = Object.values(query.simprints || {}).reduce((sum, list) => sum + list.length, 0);
			const types = typesOf(inside);
			return { queries: [{ label: "the file", query }], types,
				 hint: `A file: ${types.map(typeLabel).join(" · ") || "an ISCC-ID"}` +
				       (passages ? `, ${passages} passages` : "") };
		} catch (error) {
			return { queries: [], types: [], error: `This JSON describes no work: ${error.message}.` };
		}
	const found = findIsccs(text);
	const wrong = found.find(({ error }) => error);
	if (wrong)
		return { queries: [], types: [], error: `"${wrong.given.slice(0, 40)}" is not an ISCC: ${wrong.error}.` };
	const isccs = found.map(({ iscc }) => iscc);
	if (!isccs.length)
		return { queries: [], types: [] };
	const types = typesOf(found);
	const units = isccs.filter(({ kind }) => kind === "unit");
	const others = isccs.filter(({ kind }) => kind !== "unit");
	const areOneWork = units.length && others.length <= 1 && (!others.length || others[0].kind === "code") &&
		new Set(units.map(({ units: [unit] }) => unit.type)).size === units.length;
	if (isccs.length === 1 || areOneWork) {
		const query = {};
		if (others.length)
			query[others[0].kind === "id" ? "iscc_id" : "iscc_code"] = others[0].text;
		if (units.length)
			query.units = units.map(({ text: unit }) => unit);
		const hint = isccs.length === 1 ? describe(isccs[0]) :
			`${units.length} ISCC-UNITs${others.length ? " and the ISCC-CODE" : ""} of one work: ` +
			units.map(({ units: [unit] }) => typeLabel(unit.type)).join(" · ");
		return { queries: [{ label: isccs[0].text, query, iscc: isccs.length === 1 ? isccs[0] : null }], types, hint };
	}
	const key = { id: "iscc_id", code: "iscc_code" };
	return { types, hint: `A list: ${isccs.length} queries`,
		 queries: isccs.map((iscc) => ({ label: iscc.text, iscc, query: iscc.kind === "unit" ? { units: [iscc.text] } :
			 { [key[iscc.kind]]: iscc.text } })) };
}

/* The unit types of ISCCs, in the usual order. */
function typesOf(found) {
	const types = new Set(found.filter(({ iscc }) => iscc).flatMap(({ iscc }) => iscc.units.map(({ type }) => type)));
	const rank = (type) => ORDER.indexOf(type.split("_")[0]);
	return [...types].sort((a, b) => rank(a) - rank(b));
}

/* The part of an address behind "#": what a page shows. Empty values are left out. */
export function toHash(view, values) {
	const parts = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
	return `#${new URLSearchParams([...(view === "search" && parts.length ? [] : [["", view]]), ...parts])}`
		.replace(/^#=/, "#");
}

export function fromHash(hash) {
	const text = hash.replace(/^#/, "");
	const name = /^(search|compare|overview)(&|$)/.exec(text);
	const values = Object.fromEntries(new URLSearchParams(name ? text.slice(name[0].length) : text));
	return { view: name ? name[1] : "search", values };
}
