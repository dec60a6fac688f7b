#!/bin/sh
# Pandoc: a text to HTML, LaTeX, a Word document and back, with two threads.
# seconds: 120
printf '# Head\n\nA *word* and `code`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n' > d.md; pandoc d.md -t html; pandoc d.md -t latex | head -5; pandoc d.md -o d.docx && pandoc d.docx -t plain | head -3; pandoc +RTS -N2 -RTS d.md -t json | cut -c1-30; pandoc no.md; echo $?
