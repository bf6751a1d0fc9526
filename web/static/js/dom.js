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

export function copyButton(text, label) {
	const button = make("button", { type: "button", class: "quiet", onclick: async () => {
		await navigator.clipboard.writeText(text);
		button.textContent = "Copied";
		setTimeout(() => { button.textContent = label; }, 1500);
	} }, label);
	return button;
}

/* An address that a browser may open, or null: metadata is from strangers, so javascript: and the like
 * never become links. */
export function safeLink(value) {
	if (typeof value !== "string" || !/^https?:\/\/[^\s]+$/i.test(value))
		return null;
	return make("a", { href: value, rel: "noreferrer nofollow" }, shorten(value, 60));
}

export function download(name, text) {
	const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: name });
	link.click();
	URL.revokeObjectURL(link.href);
}

/* 1234567 as "1,234,567". */
export const number = (value) => Number(value).toLocaleString("en");
export const when = (time) => time.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
