-- luajit kernel.lua FILE.lua: runs a kernel's Lua text, which returns `run`; for each size read, answers
-- `CPU-seconds checksum`.
local run = dofile(arg[1])

for line in io.lines() do
  local begun = os.clock()
  local sum = run(tonumber(line))
  print(string.format("%.6f %.0f", os.clock() - begun, sum % 2 ^ 32))
  io.flush()
end
