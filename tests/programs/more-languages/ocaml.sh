#!/bin/sh
# OCaml: native code and bytecode with threads, fork, a stack that ends, timers that interrupt.
# seconds: 120
cat > m.ml <<'O'
let () = Printf.printf "%d\n%!" (List.fold_left (+) 0 (List.init 1000 (fun i -> i)));
  let r, w = Unix.pipe () in
  (match Unix.fork () with 0 -> ignore (Unix.write_substring w "child" 0 5); exit 3 | pid -> Unix.close w; let b = Bytes.create 10 in let n = Unix.read r b 0 10 in print_endline (Bytes.sub_string b 0 n); (match Unix.waitpid [] pid with _, Unix.WEXITED n -> Printf.printf "%d\n" n | _ -> ()));
  let m = Mutex.create () and c = ref 0 in
  let ts = List.init 4 (fun _ -> Thread.create (fun () -> for _ = 1 to 1000 do Mutex.lock m; incr c; Mutex.unlock m done) ()) in List.iter Thread.join ts; Printf.printf "%d\n" !c;
  let rec f n = 1 + f n in (try ignore (f 1) with Stack_overflow -> print_endline "overflow");
  Sys.set_signal Sys.sigalrm (Sys.Signal_handle (fun _ -> print_endline "alarm")); ignore (Unix.setitimer Unix.ITIMER_REAL { Unix.it_interval = 0.; it_value = 0.3 }); (try ignore (Unix.select [] [] [] 60.) with Unix.Unix_error (Unix.EINTR, _, _) -> print_endline "EINTR"); exit 4
O
ocamlfind ocamlopt -version >/dev/null 2>&1; ocamlopt -I +threads unix.cmxa threads.cmxa m.ml -o m 2>&1 && ./m; echo "status $?"; ocamlc -I +threads unix.cma threads.cma m.ml -o b 2>&1 && ./b; echo "status $?"; echo 'print_endline "top";;' | ocaml -noprompt 2>&1 | grep top
