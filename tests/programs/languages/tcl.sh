#!/bin/sh
# Tcl 8.6: the event loop, pipelines of processes, files and their times, sockets' error.
tclsh <<'TCL'
puts [exec printf "b\na\nc\n" | sort]
set f [open "|cat" r+]
fconfigure $f -blocking 0 -buffering line
fileevent $f readable { puts "got [gets $f]"; set done 1 }
puts $f hello
vwait done
close $f
after 20 { set tick 1 }
vwait tick
set f [open data w]; puts -nonewline $f [string repeat x 5000]; close $f
puts [file size data]
file mkdir a/b/c; file copy data a/b/c/data; puts [lsort [glob -directory a/b/c *]]
file attributes data -permissions 0600; puts [file attributes data -permissions]
puts [catch {exec sh -c "exit 5"} message options] ; puts [lrange [dict get $options -errorcode] 0 0][lindex [dict get $options -errorcode] 2] 
puts [lsort -integer {10 9 2 33 1}] ; puts [expr {2**100}] ; puts [clock format 0 -gmt 1]
set pid [exec sleep 1000 &] ; puts [catch {exec sh -c "kill $pid"}]
puts [catch {open /no/such/file} message]$message
TCL
