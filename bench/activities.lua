-- Post one activity per request, each a different one. wrk runs one sender per connection.
function init(args)
  number = 0
  wrk.headers["Content-Type"] = "application/x-ndjson"
end

function request()
  number = number + 1
  local body = string.format(
    '{"contact_id":"c%d","campaign_activity_id":"m%d","tracking_activity_type":"em_opens","created_time":%d,"device_type":"mobile"}',
    number % 5003, number % 29, 1700000000000 + number)
  return wrk.format("POST", "/track/v1/activities", nil, body)
end
