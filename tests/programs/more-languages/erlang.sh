#!/bin/sh
# Erlang: a thousand processes, ports, files, Unix sockets, a compiled module.
# seconds: 120
export HOME="$PWD"
erl -noshell -eval 'Me = self(), [spawn(fun() -> Me ! {N, lists:sum(lists:seq(1, N))} end) || N <- lists:seq(1, 1000)], S = lists:sum([receive {N, V} -> V end || N <- lists:seq(1, 1000)]), io:format("~p~n", [S]), io:format("~s", [os:cmd("echo child")]), P = open_port({spawn, "cat"}, [binary]), port_command(P, <<"through">>), receive {P, {data, D}} -> io:format("~s~n", [D]) end, port_close(P), ok = file:write_file("f", binary:copy(<<"x">>, 100000)), {ok, B} = file:read_file("f"), io:format("~p~n", [byte_size(B)]), {ok, L} = gen_tcp:listen(0, [{ifaddr, {local, "s"}}]), spawn(fun() -> {ok, C} = gen_tcp:connect({local, "s"}, 0, [binary]), gen_tcp:send(C, "hello") end), {ok, A} = gen_tcp:accept(L), receive {tcp, A, X} -> io:format("~s~n", [X]) end, io:format("~p~n", [(catch 1/0) =/= 0]), receive after 20 -> ok end, halt(5).' 2>&1 | head -40; echo "status $?"
printf -- '-module(m).\n-export([f/1]).\nf(0) -> 1; f(N) -> N * f(N - 1).\n' > m.erl; erlc m.erl && erl -noshell -eval 'io:format("~p~n", [m:f(30)]), halt().'
