-- Post Postmark's report of one open per request, each a different one, to the path that is given.
function init(args)
  number = 0
  path = args[1]
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  number = number + 1
  local body = string.format(
    '{"RecordType":"Open","MessageID":"b7bc2f4a-e38e-4336-af7d-%012d","Recipient":"ada.%d@example.com","Tag":"m%d",' ..
    '"ReceivedAt":"2026-03-01T%02d:%02d:%02dZ","MessageStream":"outbound","FirstOpen":true,"ReadSeconds":0,' ..
    '"UserAgent":"Mozilla/5.0 (iPhone)","Platform":"Mobile","Metadata":{"issue":"spring"},' ..
    '"Client":{"Name":"Chrome","Company":"Google","Family":"Chrome"},"OS":{"Name":"iOS","Family":"iOS"}}',
    number % 20011, number % 5003, number % 29, number / 3600 % 24, number / 60 % 60, number % 60)
  return wrk.format("POST", path, nil, body)
end
