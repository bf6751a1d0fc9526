/*
 * docs.js - turns /openapi/openapi.json into a page: what the API does is written down once.
 *
 * Each operation can be tried: its parameters and body are fields that begin with the examples of the
 * description, and the request is shown for curl and Python, too.
 * SPDX-License-Identifier: Apache-2.0
 */
import { byId, make, copyButton } from "./dom.js";
import { asCurl, getKey, request, setKey } from "./api.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const WRITES = ["post", "put", "patch", "delete"];

/* Follow a reference within the document. */
function resolve(api, value) {
	while (value && value.$ref)
		value = value.$ref.slice(2).split("/").reduce((node, name) => node[name], api);
	return value || {};
}

/* The name of a schema as a link, or a word for one that has none. */
function schemaName(schema) {
	if (!schema)
		return [];
	if (schema.$ref) {
		const name = schema.$ref.replace(/^.*\/schemas\//, "").split("/")[0];
		return [make("a", { href: `#schema-${name}` }, name)];
	}
	if (schema.type === "array")
		return ["array of ", ...schemaName(schema.items)];
	const choices = schema.oneOf || schema.anyOf;
	if (choices)
		return choices.flatMap((one, i) => [...(i ? [" or "] : []), ...schemaName(one)]);
	return [String(schema.type || "value")];
}

/* --- trying ------------------------------------------------------------------------------------- */

function exampleOf(api, media) {
	if (!media)
		return undefined;
	const named = Object.values(media.examples || {})[0];
	const schema = resolve(api, media.schema);
	if (media.example !== undefined)
		return media.example;
	if (named)
		return resolve(api, named).value;
	if (schema.examples)
		return schema.examples[0];
	const items = (schema.oneOf || schema.anyOf || [schema]).map((one) => resolve(api, one)).find((one) => one.type === "array");
	const inner = items && resolve(api, items.items).examples;
	return inner ? [inner[0]] : undefined;
}

function asPython({ path, method, headers, body }) {
	const lines = [...("X-API-Key" in headers ? ["import os"] : []), "import requests", "", "answer = requests." + method.toLowerCase() + "(", `    ${JSON.stringify(location.origin + path)},`];
	const known = Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${name === "X-API-Key" ? "os.environ[\"ISCC_SEARCH_API_KEY\"]" : JSON.stringify(value)}`);
	lines.push(`    headers={${known.join(", ")}},`);
	if (body !== undefined)
		lines.push(`    data=${JSON.stringify(body)}.encode(),`);
	return [...lines, ")", "print(answer.status_code, answer.text)"].join("\n");
}

/* The request that the fields of an operation describe. */
function compose(method, path, fields, body) {
	const query = new URLSearchParams();
	let full = path;
	for (const { parameter, input } of fields) {
		if (!input.value)
			continue;
		if (parameter.in === "path")
			full = full.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
		else if (parameter.in === "query")
			query.append(parameter.name, input.value);
	}
	const asked = request(full + (query.size ? `?${query}` : ""), { method: method.toUpperCase() });
	if (body && body.value.trim()) {
		asked.headers["Content-Type"] = body.dataset.type;
		asked.body = body.value;
	}
	for (const { parameter, input } of fields)
		if (parameter.in === "header" && input.value)
			asked.headers[parameter.name] = input.value;
	return asked;
}

/* An answer with its status, time and headers. */
async function showAnswer(asked, place) {
	const began = performance.now();
	place.replaceChildren(make("p", { class: "hint" }, "Waiting for the answer …"));
	try {
		const answer = await fetch(asked.path, asked);
		const text = await answer.text();
		const ms = (performance.now() - began).toFixed(1);
		const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
		let pretty = text;
		try {
			pretty = JSON.stringify(JSON.parse(text), null, 2);
		} catch {
			/* text of another kind is shown as it is */
		}
		place.replaceChildren(make("p", {}, make("strong", { class: answer.ok ? "good" : "error" }, `${answer.status} ${answer.statusText}`), ` in ${ms} ms`),
				      make("pre", { tabindex: "0" }, pretty || "(no body)"), make("details", {}, make("summary", {}, "Headers"), make("pre", { tabindex: "0" }, headers)));
	} catch {
		place.replaceChildren(make("p", { class: "note error" }, "The server does not answer."));
	}
}

function tryIt(api, method, path, parameters, operation) {
	const id = operation.operationId;
	const fields = parameters.map((parameter) => {
		const schema = resolve(api, parameter.schema);
		const first = parameter.example ?? schema.examples?.[0] ?? (parameter.required ? schema.example : undefined) ?? "";
		const input = make("input", { id: `${id}-${parameter.name}`, value: parameter.required ? first : "", placeholder: String(schema.default ?? first),
					      autocomplete: "off", spellcheck: "false", required: parameter.required });
		return { parameter, input };
	});
	const content = resolve(api, operation.requestBody).content;
	const type = content && Object.keys(content)[0];
	const example = content && exampleOf(api, content[type]);
	const body = content ? make("textarea", { id: `${id}-body`, rows: "8", spellcheck: "false", "data-type": type },
				    typeof example === "string" ? example : example === undefined ? "" : JSON.stringify(example, null, 2)) : null;
	const answer = make("div", { class: "answer", role: "status" });
	const code = make("div", { class: "code" });
	const showCode = () => {
		const asked = compose(method, path, fields, body);
		code.replaceChildren(make("pre", { tabindex: "0", class: "curl" }, asCurl(asked)), copyButton(asCurl(asked), "Copy curl"),
				     make("pre", { tabindex: "0", class: "python" }, asPython(asked)), copyButton(asPython(asked), "Copy Python"));
	};
	const form = make("form", { novalidate: true, oninput: showCode, onsubmit: (event) => {
		event.preventDefault();
		const missing = fields.find(({ input }) => input.required && !input.value);
		fields.forEach(({ input }) => input.removeAttribute("aria-invalid"));
		if (missing) {
			missing.input.setAttribute("aria-invalid", "true");
			missing.input.focus();
			answer.replaceChildren(make("p", { class: "error" }, `${missing.parameter.name} is required.`));
			return;
		}
		showAnswer(compose(method, path, fields, body), answer);
	} }, make("div", { class: "grid" }, fields.map(({ parameter, input }) => make("label", {}, `${parameter.name} (${parameter.in})`, input))),
			  body ? make("label", {}, `Body, ${type}`, body) : null,
			  make("div", { class: "row" }, make("button", { type: "submit", class: WRITES.includes(method) && method !== "post" ? "" : "primary" }, "Send")));
	const details = make("details", { class: "try", ontoggle: showCode }, make("summary", {}, "Try it"), form, answer, make("h4", {}, "The same elsewhere"), code);
	return details;
}

/* --- describing --------------------------------------------------------------------------------- */

function parameterRows(api, parameters) {
	return parameters.length ? make("dl", { class: "facts" }, parameters.flatMap((parameter) => {
		const schema = resolve(api, parameter.schema);
		return [make("dt", {}, make("code", {}, parameter.name)), make("dd", {}, `${parameter.in}${parameter.required ? ", required" : ""}. ${parameter.description || schema.description || ""}` +
			(schema.default === undefined ? "" : ` Default: ${schema.default}.`))];
	})) : null;
}

function contentOf(content) {
	return Object.entries(content || {}).flatMap(([type, { schema }], i) => [...(i ? ["; "] : []), make("code", {}, type), " ", ...schemaName(schema)]);
}

function operationCard(api, method, path, shared, operation) {
	const parameters = [...shared, ...(operation.parameters || [])].map((item) => resolve(api, item));
	const body = resolve(api, operation.requestBody);
	const answers = Object.entries(operation.responses).flatMap(([status, reference]) => {
		const response = resolve(api, reference);
		return [make("dt", {}, make("code", {}, status)), make("dd", {}, `${response.description} `, ...contentOf(response.content))];
	});
	return make("section", { class: "card operation", id: operation.operationId },
		    make("header", {}, make("h3", {}, make("span", { class: "method" }, method.toUpperCase()), " ", make("code", {}, path)),
			 make("span", { class: "word" }, operation.security ? "needs the key, if the server has one" : "open to all")),
		    make("p", {}, make("strong", {}, operation.summary), operation.description ? `. ${operation.description}` : ""),
		    parameterRows(api, parameters), body.content ? make("p", {}, "Body: ", ...contentOf(body.content)) : null,
		    make("details", {}, make("summary", {}, "Answers"), make("dl", { class: "facts" }, answers)), tryIt(api, method, path, parameters, operation));
}

function propertyRows(schema) {
	const required = new Set(schema.required || []);
	return Object.entries(schema.properties || {}).flatMap(([name, property]) => [make("dt", {}, make("code", {}, name), required.has(name) ? " *" : ""),
		make("dd", {}, ...schemaName(property), property.description ? `: ${property.description}` : "")]);
}

function schemaCard(name, schema) {
	const { description, ...rest } = schema;
	return make("section", { class: "card schema", id: `schema-${name}` }, make("h3", {}, name), make("p", {}, description || ""), make("dl", { class: "facts" }, propertyRows(schema)),
		    ...(schema.examples || []).slice(0, 1).map((example) => make("pre", { tabindex: "0" }, JSON.stringify(example, null, 2))),
		    make("details", {}, make("summary", {}, "As JSON Schema"), make("pre", { tabindex: "0" }, JSON.stringify(rest, null, 2))));
}

/* --- the page ----------------------------------------------------------------------------------- */

/* Show only what has all the words. */
function filter() {
	const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
	let count = 0;
	for (const card of document.querySelectorAll("#docs .card")) {
		const text = card.textContent.toLowerCase();
		card.hidden = !words.every((word) => text.includes(word));
		count += !card.hidden;
		byId(`to-${card.id}`).hidden = card.hidden;
	}
	byId("found").textContent = words.length ? `${count} found` : "";
}

function link(id, ...text) {
	return make("li", { id: `to-${id}` }, make("a", { href: `#${id}` }, ...text));
}

function showAll(api) {
	const docs = byId("docs"), contents = byId("contents");
	byId("about").textContent = api.info.description;
	for (const tag of api.tags) {
		const list = make("ul");
		docs.append(make("h2", {}, tag.name), make("p", { class: "hint" }, tag.description));
		contents.append(make("h2", {}, tag.name), list);
		for (const [path, item] of Object.entries(api.paths))
			for (const method of METHODS)
				if (item[method] && item[method].tags.includes(tag.name)) {
					docs.append(operationCard(api, method, path, item.parameters || [], item[method]));
					list.append(link(item[method].operationId, item[method].summary));
				}
	}
	const list = make("ul");
	docs.append(make("h2", {}, "schemas"));
	contents.append(make("h2", {}, "schemas"), list);
	for (const [name, schema] of Object.entries(api.components.schemas)) {
		docs.append(schemaCard(name, schema));
		list.append(link(`schema-${name}`, name));
	}
}

async function start() {
	const answer = await fetch("/openapi/openapi.json");
	showAll(await answer.json());
	if (location.hash)
		document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

byId("key").value = getKey();
byId("key-box").addEventListener("submit", (event) => {
	event.preventDefault();
	setKey(byId("key").value.trim());
	byId("key-note").textContent = "Requests of this page have the key now.";
});
byId("filter").addEventListener("input", filter);
start().catch(() => byId("docs").append(make("p", { class: "note error" }, "The server does not answer. Reload the page to try again.")));
