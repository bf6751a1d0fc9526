-- What wrk sends to a peer: the queries of a file, one JSON body a line, one after the other; then one line
-- of JSON with what came of it (figures of no request at all are 0). Arguments behind `--`: the file and the limit.
function init(args)
	queries, number = {}, 0
	for line in io.lines(args[1]) do queries[#queries + 1] = line end
	path = "/indexes/main/search?limit=" .. args[2]
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/json"
end

function request()
	number = number % #queries + 1
	return wrk.format(nil, path, nil, queries[number])
end

function done(summary, latency)
	local errors = summary.errors
	io.write(string.format('\nresult {"requests": %d, "per_s": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
		summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
		latency:percentile(99) / 1000,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
