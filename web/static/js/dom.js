/*
 * dom.js - make elements. Text always becomes text: nothing from an index is ever read as markup.
 * SPDX-License-Identifier: Apache-2.0
 */
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {}))
		if (name.startsWith("on"))
			element.addEventListener(name.slice(2), value);
		else if (value !== false && value !== null && value !== undefined)
			element.setAttribute(name, value === true ? "" : value);
	element.append(...children.flat().filter((child) => child !== null && child !== undefined));
	return element;
}

/* make("a", { href: "/", onclick: go }, "text", child, ...): null children are left out. */
export function make(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

/* A message below a form. It is announced to screen readers, as its place is role="status". */
export function say(place, text, isError = false) {
	place.textContent = text;
	place.classList.toggle("bad", isError);
}

/* A long code with its middle left out; the whole is in the title, and copied by copyButton(). */
export function shorten(text, most = 34) {
	return text.length <= most ? text : `${text.slice(0, most - 11)}…${text.slice(-10)}`;
}

/* Over plain http, other than on this machine, browsers have no navigator.clipboard. */
async function copy(text) {
	if (navigator.clipboard)
		return navigator.clipboard.writeText(text).then(() => true, () => false);
	const area = make("textarea", { class: "hidden", "aria-hidden": "true" }, text);
	document.body.append(area);
	area.select();
	const done = document.execCommand("copy");
	area.remove();
	return done;
}

export function copyButton(text, label) {
	const button = make("button", { type: "button", class: "quiet", onclick: async () => {
		button.textContent = await copy(text) ? "Copied" : "Not copied";
		setTimeout(() => { button.textContent = label; }, 1500);
	} }, label);
	return button;
}

/* An address that a browser may open, or null. Metadata is from strangers: javascript: and the like never become
 * links, a user name must not look like the host, and the text is the address as the browser reads it, with
 * punycode and without characters that turn the direction. */
export function safeLink(value) {
	let url = null;
	try {
		url = new URL(typeof value === "string" ? value : "");
	} catch {
		return null;
	}
	if (!/^https?:$/.test(url.protocol) || url.username || url.password)
		return null;
	return make("a", { href: url.href, rel: "noreferrer nofollow" }, url.href.length > 60 ? `${url.href.slice(0, 59)}…` : url.href);
}

export function download(name, text) {
	const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: name });
	link.click();
	URL.revokeObjectURL(link.href);
}

/* 1234567 as "1,234,567". */
export const number = (value) => Number(value).toLocaleString("en");
export const when = (time) => time.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
