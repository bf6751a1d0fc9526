-- What wrk sends: requests that add one new asset each, or searches of three units; then one line of JSON
-- with what came of it. Arguments behind `--`: "add" or "search", and a number that keeps the ids of this
-- run apart from all others. Texts are made up as base32 characters: 4 of header, the rest of random bits.
local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
local HEADERS = { "AADQ", "EADQ", "GADQ", "IADQ" } -- META, CONTENT TEXT, DATA, INSTANCE of 256 bits
local digit = {}
for i = 1, 32 do digit[i] = DIGITS:sub(i, i) end

local function random_unit(header)
	local text = { "ISCC:", header }
	for i = 3, 52 do text[i] = digit[math.random(32)] end
	text[53] = ({ "A", "I", "Q", "Y" })[math.random(4)] -- 272 bits end in two of five
	return table.concat(text)
end

local function id_of(run, number)
	local text = {}
	for i = 12, 1, -1 do
		text[i] = digit[number % 32 + 1]
		number = math.floor(number / 32)
		if i == 7 then number = run end -- six digits of number below those of the run
	end
	return "ISCC:MAIG" .. table.concat(text)
end

function init(args)
	what, run, number = args[1], tonumber(args[2]), 0
	math.randomseed(run + 1)
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/json"
end

function request()
	local units = {}
	local path = "/indexes/main/search?limit=10"
	number = number + 1
	for i, header in ipairs(HEADERS) do
		if what == "add" or i < 4 then units[i] = '"' .. random_unit(header) .. '"' end
	end
	local body = '{"units":[' .. table.concat(units, ",") .. "]}"
	if what == "add" then
		path = "/indexes/main/assets"
		body = '[{"iscc_id":"' .. id_of(run, number) .. '",' .. body:sub(2, -2) ..
			',"metadata":{"name":"asset ' .. number .. '"}}]'
	end
	return wrk.format(nil, path, nil, body)
end

function done(summary, latency)
	local errors = summary.errors
	io.write(string.format('\nresult {"per_s": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
		summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
		latency:percentile(99) / 1000,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
