/*
 * app.js - the search form: ask the server that sent this page, show the ranked matches.
 *
 * Everything that comes from an index is shown as text, never as markup.
 * SPDX-License-Identifier: Apache-2.0
 */
"use strict";

const field = (id) => document.getElementById(id);

function say(text, isError) {
	const message = field("message");
	message.textContent = text;
	message.className = isError ? "error" : "";
}

/* The words for a failed answer. */
function explain(status, body) {
	const detail = body && body.detail;
	if (Array.isArray(detail))
		return detail.map((item) => `${item.loc.join(".")}: ${item.msg}`).join("; ");
	if (status === 401)
		return "This server needs an API key.";
	return detail || `The server answered with status ${status}.`;
}

async function call(path, options = {}) {
	const headers = { Accept: "application/json", ...options.headers };
	if (field("key").value)
		headers["X-API-Key"] = field("key").value;
	const answer = await fetch(path, { ...options, headers });
	const body = await answer.json().catch(() => null);
	if (!answer.ok)
		throw new Error(explain(answer.status, body));
	return body;
}

/* What kind of ISCC is it? The first letter after the prefix tells the main type. */
function makeQuery(text) {
	const codes = text.split(/[\s,;]+/).filter(Boolean)
		.map((code) => /^ISCC:/i.test(code) ? "ISCC:" + code.slice(5).toUpperCase()
						    : "ISCC:" + code.toUpperCase());
	if (codes.length === 1 && /^ISCC:[MN][A-Z2-7]{15}$/.test(codes[0]))
		return { iscc_id: codes[0] };
	if (codes.length === 1 && /^ISCC:[KL]/.test(codes[0]))
		return { iscc_code: codes[0] };
	return { units: codes };
}

function cell(row, content, className) {
	const td = row.insertCell();
	if (className)
		td.className = className;
	td.append(content);
	return td;
}

function scoreCell(row, score) {
	const meter = document.createElement("meter");
	meter.value = score;
	const td = cell(row, meter, "number");
	td.append(" " + score.toFixed(4));
}

function metadataText(metadata) {
	if (!metadata)
		return "";
	return typeof metadata.name === "string" ? metadata.name : JSON.stringify(metadata);
}

function showMatches(matches) {
	const table = field("matches");
	const body = table.tBodies[0];
	body.replaceChildren();
	for (const match of matches) {
		const row = body.insertRow();
		scoreCell(row, match.score);
		cell(row, match.iscc_id, "id");
		const list = cell(row, "");
		for (const [type, score] of Object.entries(match.types)) {
			const line = document.createElement("div");
			line.textContent = `${type} ${score.toFixed(4)}`;
			list.append(line);
		}
		cell(row, metadataText(match.metadata)).title = JSON.stringify(match.metadata);
	}
	table.hidden = matches.length === 0;
}

function showChunks(matches) {
	const table = field("chunks");
	const body = table.tBodies[0];
	body.replaceChildren();
	for (const match of matches)
		for (const [type, found] of Object.entries(match.types))
			for (const chunk of found.chunks) {
				const row = body.insertRow();
				scoreCell(row, chunk.score);
				cell(row, match.iscc_id, "id");
				cell(row, type);
				cell(row, String(chunk.offset), "number");
				cell(row, String(chunk.size), "number");
			}
	table.hidden = matches.length === 0;
}

async function search(event) {
	event.preventDefault();
	say("Searching ...");
	try {
		const limit = encodeURIComponent(field("limit").value || "20");
		const index = encodeURIComponent(field("index").value);
		const start = performance.now();
		const result = await call(`/indexes/${index}/search?limit=${limit}`, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify(makeQuery(field("code").value)),
		});
		const ms = Math.round(performance.now() - start);
		showMatches(result.global_matches);
		showChunks(result.chunk_matches);
		const count = result.global_matches.length;
		say(`${count === 0 ? "No match" : count === 1 ? "1 match" : count + " matches"} in ${ms} ms.`);
	} catch (error) {
		showMatches([]);
		showChunks([]);
		say(error.message, true);
	}
}

async function listIndexes() {
	try {
		const indexes = await call("/indexes");
		field("index").replaceChildren(...indexes.map(
			({ name, assets }) => new Option(`${name} (${assets} assets)`, name)));
		say(indexes.length === 0 ? "This server has no index yet." : "");
	} catch (error) {
		say(error.message, true);
	}
}

async function showVersion() {
	const status = await call("/status").catch(() => null);
	if (status)
		field("version").textContent = `iscc-search ${status.version}`;
}

field("search").addEventListener("submit", search);
field("key").addEventListener("change", listIndexes);
listIndexes();
showVersion();
