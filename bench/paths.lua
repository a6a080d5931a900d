-- Request the paths listed in the file given as the first argument, in random order.
function init(args)
  paths = {}
  for line in io.lines(args[1]) do
    paths[#paths + 1] = wrk.format("GET", line)
  end
  math.randomseed(7)
end

function request()
  return paths[math.random(#paths)]
end
