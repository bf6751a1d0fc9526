/*
 * iscc.js - read ISCCs in the browser: what a text is, what is wrong with it, and the bits of its units.
 *
 * ISO 24138: base32 without padding; a header of main type, subtype, version and length in nibbles of
 * 4 bits; a body. The server decides what it accepts: this file only explains a text before it is sent,
 * and shows bits. SPDX-License-Identifier: Apache-2.0
 */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const MAIN = ["META", "SEMANTIC", "CONTENT", "DATA", "INSTANCE", "ISCC", "ID"];
const MEDIA = ["TEXT", "IMAGE", "AUDIO", "VIDEO", "MIXED"];
const ISCC = 5, ID = 6, WIDE = 7;

/* The order in which unit types are shown. */
export const ORDER = MAIN.slice(0, 5);

/* "CONTENT_TEXT_V0" as people say it: "Content, text". */
export function typeLabel(type) {
	const [main, sub] = type.split("_");
	const word = (text) => text[0] + text.slice(1).toLowerCase();
	return sub && sub !== "NONE" && !/^V\d/.test(sub) ? `${word(main)}, ${sub.toLowerCase()}` : word(main);
}

function fromBase32(text) {
	const bytes = new Uint8Array(Math.floor(text.length * 5 / 8));
	let bits = 0, value = 0, at = 0;
	for (const letter of text) {
		value = (value << 5 | LETTERS.indexOf(letter)) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			bytes[at++] = value >> bits & 0xff;
		}
	}
	return bytes;
}

function toBase32(bytes) {
	let bits = 0, value = 0, text = "";
	for (const byte of bytes) {
		value = (value << 8 | byte) & 0xfff;
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			text += LETTERS[value >> bits & 31];
		}
	}
	return bits ? text + LETTERS[value << 5 - bits & 31] : text;
}

/* The four numbers of a header. Each is 0 followed by 3 bits, 10 by 6, 110 by 9 or 1110 by 12, and the
 * numbers of a longer form go on where those of the shorter one end. */
function readHeader(bytes) {
	const nibbles = [];
	for (const byte of bytes.subarray(0, 8))
		nibbles.push(byte >> 4, byte & 15);
	let at = 0;
	const next = () => {
		const first = nibbles[at];
		const more = first < 8 ? 0 : first < 12 ? 1 : first < 14 ? 2 : 3;
		if (first === undefined || first === 15 || at + more >= nibbles.length)
			throw new Error("it has no header of an ISCC");
		let value = first & [7, 3, 1, 0][more];
		for (let i = 1; i <= more; i++)
			value = value << 4 | nibbles[at + i];
		at += more + 1;
		return value + [0, 8, 72, 584][more];
	};
	const header = { main: next(), sub: next(), version: next(), length: next() };
	return { ...header, bytes: Math.ceil(at / 2) };
}

function typeName({ main, sub, version }) {
	if (main === 1 || main === 2)
		return `${MAIN[main]}_${MEDIA[sub] || sub}_V${version}`;
	return `${MAIN[main]}_NONE_V${version}`;
}

function makeUnit(main, sub, version, body) {
	const length = body.length / 4 - 1;
	const head = Uint8Array.of(main << 4 | sub, version << 4 | length);
	return { type: typeName({ main, sub, version }), bits: body.length * 8, body,
		 text: "ISCC:" + toBase32([...head, ...body]) };
}

/* The units of a composite. Its length is a set: 4 META, 2 SEMANTIC, 1 CONTENT; DATA and INSTANCE
 * follow. A WIDE one has only these two, of 128 bits each. */
function splitCode({ sub, version, length }, body) {
	const size = sub === WIDE ? 16 : 8;
	const parts = [];
	if (sub !== WIDE)
		[[4, 0, 0], [2, 1, sub], [1, 2, sub]].forEach(([bit, main, media]) => {
			if (length & bit)
				parts.push([main, media]);
		});
	parts.push([3, 0], [4, 0]);
	if (length > 7 || body.length !== parts.length * size)
		throw new Error(`an ISCC-CODE like this has ${parts.length * size * 8} bits behind its header, here are ` +
				`${body.length * 8}: characters are missing or too many`);
	return parts.map(([main, media], i) => makeUnit(main, media, version, body.subarray(i * size, i * size + size)));
}

/* The time and hub number in the 8 bytes of an ISCC-ID: 52 bits of microseconds, 12 bits of hub. */
function readId(body) {
	const value = new DataView(body.buffer, body.byteOffset, 8).getBigUint64(0);
	return { hub: Number(value & 0xfffn), time: new Date(Number((value >> 12n) / 1000n)) };
}

/* Read one ISCC, with or without "ISCC:", in any case.
 *   returns  { kind: "code" | "id" | "unit", text, units, ... }; an Error says what is wrong */
export function parseIscc(given) {
	const text = given.trim().replace(/^iscc:/i, "").replaceAll("-", "").toUpperCase();
	if (text && text.length < 10)
		throw new Error(`it has ${text.length} characters, the shortest ISCC has 10 behind "ISCC:"`);
	const wrong = [...text].findIndex((letter) => !LETTERS.includes(letter));
	if (!text)
		throw new Error("nothing follows \"ISCC:\"");
	if (wrong >= 0)
		throw new Error(`character ${wrong + 1} is "${text[wrong]}": an ISCC has only A to Z and 2 to 7`);
	const bytes = fromBase32(text);
	const header = readHeader(bytes);
	const body = bytes.subarray(header.bytes);
	const whole = `ISCC:${text}`;
	if (header.main === ISCC)
		return { kind: "code", text: whole, media: MEDIA[header.sub], units: splitCode(header, body) };
	if (header.main === ID) {
		if (body.length !== 8)
			throw new Error(`an ISCC-ID has 16 characters behind "ISCC:", here are ${text.length}`);
		return { kind: "id", text: whole, realm: header.sub, units: [], ...readId(body) };
	}
	if (header.main > ID)
		throw new Error(`main type ${header.main} of its header does not exist`);
	const bits = (header.length + 1) * 32;
	if (bits > 256 || body.length * 8 !== bits)
		throw new Error(`its header announces a unit of ${bits} bits, here are ${body.length * 8}: ` +
				"characters are missing or too many");
	const unit = { type: typeName(header), bits, body, text: whole };
	return { kind: "unit", text: whole, units: [unit] };
}

/* Find every ISCC in a text that people paste: separated by space, comma or line, with or without
 * "ISCC:", in URIs and quotes.
 *   returns  [{ given, iscc } or { given, error }], in order */
export function findIsccs(text) {
	return text.split(/[\s,;"'<>()[\]]+/).filter(Boolean).map((given) => {
		const inside = given.match(/(?:^|[/:?=&#])iscc:([a-z0-9]+)/i);
		const last = given.match(/^https?:\/\/.*[/=]([a-z2-7]{12,})\/?$/i);
		try {
			return { given, iscc: parseIscc(inside ? inside[1] : last ? last[1] : given) };
		} catch (error) {
			return { given, error: error.message };
		}
	});
}

/* How far two bodies differ, over their common beginning. */
export function compareBodies(a, b) {
	const bytes = Math.min(a.length, b.length);
	let distance = 0;
	for (let i = 0; i < bytes; i++)
		for (let x = a[i] ^ b[i]; x; x &= x - 1)
			distance++;
	return { bits: bytes * 8, distance, score: 1 - distance / (bytes * 8) };
}

/* The word for a score. 0.5 is what unrelated codes have, 0.75 the usual threshold. */
export function scoreWord(score) {
	return score >= 1 ? "identical" : score >= 0.9 ? "nearly the same" : score >= 0.75 ? "similar" : "unrelated";
}
