/*
 * docs.js - turns /openapi/openapi.json into a page: what the API does is written down once.
 * SPDX-License-Identifier: Apache-2.0
 */
"use strict";

const METHODS = ["get", "post", "put", "delete"];

function add(parent, tag, text, className) {
	const element = document.createElement(tag);
	if (text)
		element.textContent = text;
	if (className)
		element.className = className;
	parent.append(element);
	return element;
}

/* Follow a reference within the document. */
function resolve(api, value) {
	while (value && value.$ref)
		value = value.$ref.slice(2).split("/").reduce((node, name) => node[name], api);
	return value || {};
}

/* The name of a schema, or a word for one that has none. */
function schemaName(schema) {
	if (!schema)
		return "";
	if (schema.$ref)
		return schema.$ref.split("/").pop();
	if (schema.type === "array")
		return `array of ${schemaName(schema.items)}`;
	return String(schema.type || "value");
}

function contentName(content) {
	const json = content && content["application/json"];
	return json ? schemaName(json.schema) : "";
}

function addParameters(api, section, parameters) {
	for (const parameter of parameters.map((item) => resolve(api, item))) {
		const line = add(section, "div");
		add(line, "code", parameter.name);
		const schema = parameter.schema || {};
		const rest = schema.default === undefined ? "" : ` Default: ${schema.default}.`;
		line.append(` (${parameter.in}${parameter.required ? ", required" : ""}) ` +
			    `${parameter.description || ""}${rest}`);
	}
}

function addOperation(api, parent, method, path, shared, operation) {
	const section = add(parent, "section", "", "operation");
	const title = add(section, "h3");
	add(title, "span", method.toUpperCase() + " ", "method");
	add(title, "code", path);
	add(section, "div", operation.summary + (operation.security ? " (needs the key)" : ""));
	if (operation.description)
		add(section, "p", operation.description);
	addParameters(api, section, [...shared, ...(operation.parameters || [])]);
	if (operation.requestBody)
		add(section, "div", `Body: ${contentName(operation.requestBody.content)}`);
	for (const [status, reference] of Object.entries(operation.responses)) {
		const response = resolve(api, reference);
		const line = add(section, "div");
		add(line, "code", status);
		const name = contentName(response.content);
		line.append(` ${response.description}${name ? ` (${name})` : ""}`);
	}
}

function addTag(api, main, tag) {
	add(main, "h2", tag.name);
	add(main, "p", tag.description);
	for (const [path, item] of Object.entries(api.paths))
		for (const method of METHODS)
			if (item[method] && item[method].tags.includes(tag.name))
				addOperation(api, main, method, path, item.parameters || [], item[method]);
}

function addSchemas(api, main) {
	add(main, "h2", "schemas");
	for (const [name, schema] of Object.entries(api.components.schemas)) {
		add(main, "h3", name);
		add(main, "p", schema.description);
		const { description, ...rest } = schema;
		add(main, "pre", JSON.stringify(rest, null, 2));
	}
}

async function show() {
	const main = document.getElementById("docs");
	const answer = await fetch("/openapi/openapi.json");
	const api = await answer.json();
	add(main, "p", api.info.description);
	for (const tag of api.tags)
		addTag(api, main, tag);
	addSchemas(api, main);
}

show().catch((error) => add(document.getElementById("docs"), "p", error.message, "error"));
