/*
 * api.js - talk to the server that sent this page.
 *
 * The key is kept in sessionStorage: this tab has it until it is closed, and no other site can read it.
 * A server that does not answer is asked again until it does; the banner says so meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 */
import { byId } from "./dom.js";

const KEY = "iscc-search-key";
const RETRY_MS = 2000;

export const getKey = () => sessionStorage.getItem(KEY) || "";
export const setKey = (key) => sessionStorage.setItem(KEY, key);

/* An answer that is no success. `status` 0: there was no answer. */
export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

/* The sentence for a refusal: the server's own words, and what to do about them. */
function explain(status, body) {
	const detail = body && body.detail;
	if (status === 401)
		return getKey() ? "The server does not accept this API key." : "This server asks for an API key.";
	if (Array.isArray(detail))
		return detail.map(({ loc, msg }) => `${loc.slice(1).join(".") || loc.join(".")}: ${msg}`).join("; ");
	return detail || `The server answered with status ${status}.`;
}

/* The request as it is sent, for fetch() and for showing. */
export function request(path, { method = "GET", body, type = "application/json" } = {}) {
	const headers = { Accept: "application/json" };
	if (body !== undefined)
		headers["Content-Type"] = type;
	if (getKey())
		headers["X-API-Key"] = getKey();
	return { path, method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
}

/* The same request for a terminal. The key is not written into it. */
export function asCurl({ path, method, headers, body }) {
	const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
	const parts = ["curl -s", quote(location.origin + path)];
	if (method !== "GET" && method !== "POST")
		parts.push(`-X ${method}`);
	if (headers["X-API-Key"])
		parts.push("-H \"X-API-Key: $ISCC_SEARCH_API_KEY\"");
	if (body !== undefined)
		parts.push(`-H ${quote(`Content-Type: ${headers["Content-Type"]}`)}`, `-d ${quote(body)}`);
	return parts.join(" \\\n  ");
}

let isAway = false;

async function waitForServer() {
	const banner = byId("server");
	isAway = true;
	banner.hidden = false;
	banner.textContent = "The server does not answer. Trying again until it does …";
	for (;;) {
		await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
		try {
			await fetch("/healthz", { cache: "no-store" });
			break;
		} catch {
			/* still away */
		}
	}
	isAway = false;
	banner.textContent = "The server is back.";
	setTimeout(() => { banner.hidden = true; }, 3000);
	document.dispatchEvent(new Event("server-back"));
}

/* Send a request and return the JSON of its answer; an ApiError otherwise.
 *   keep  gets the answer as it came: numbers of more digits than JavaScript has are whole in it */
export async function send(asked, signal, keep) {
	let answer;
	try {
		answer = await fetch(asked.path, { method: asked.method, headers: asked.headers, body: asked.body, signal });
	} catch (error) {
		if (error.name === "AbortError")
			throw error;
		if (!isAway)
			waitForServer();
		throw new ApiError(0, "The server does not answer.");
	}
	const text = await answer.text();
	let body = null;
	try {
		body = text ? JSON.parse(text) : null;
	} catch {
		/* an answer of a proxy, perhaps: its status says enough */
	}
	if (answer.status === 401)
		document.dispatchEvent(new CustomEvent("key-needed", { detail: explain(401) }));
	if (keep)
		keep(text);
	if (!answer.ok)
		throw new ApiError(answer.status, explain(answer.status, body));
	return body;
}

export const get = (path, signal) => send(request(path), signal);

/* The field for the key: shown when the server asks, with what is wrong. */
export function watchKey(again) {
	const box = byId("key-box"), input = byId("key"), note = byId("key-note");
	const use = () => {
		if (/[^\x21-\x7e]/.test(input.value.trim())) { /* no header could hold it */
			input.setAttribute("aria-invalid", "true");
			note.textContent = "A key has only letters, digits and signs of ASCII.";
			note.classList.add("bad");
			return;
		}
		setKey(input.value.trim());
		box.hidden = true;
		input.removeAttribute("aria-invalid");
		again();
	};
	box.addEventListener("submit", (event) => {
		event.preventDefault();
		use();
	});
	document.addEventListener("key-needed", ({ detail }) => {
		if (!box.hidden)
			return;
		box.hidden = false;
		note.textContent = `${detail} It is kept until you close this tab.`;
		note.classList.toggle("bad", Boolean(getKey()));
		if (getKey())
			input.setAttribute("aria-invalid", "true");
		input.focus();
	});
}
