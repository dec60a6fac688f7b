#!/bin/sh
# Lua 5.4: coroutines, files, processes, string matching, garbage collection.
lua5.4 - <<'LUA'
local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a * 2) end end)
print(co(1), co(2), co(21))
local f <close> = assert(io.open("data", "w"))
for i = 1, 1000 do f:write(i, "\n") end
f:flush()
local sum = 0
for line in io.lines("data") do sum = sum + tonumber(line) end
print(sum, f:seek("end"))
print(io.popen("echo from a child"):read("a"))
print(os.execute("exit 3"))
print(os.rename("data", "other"), io.open("data"))
print(("key=value; k2=v2"):gsub("(%w+)=(%w+)", "%2=%1"))
collectgarbage() ; print(collectgarbage("count") < 1000, os.getenv("HOME"), #os.tmpname())
print(select("#", pcall(error, { code = 42 })), string.format("%5.2f|%x|%q", 3.14159, 255, "a\nb"))
LUA
