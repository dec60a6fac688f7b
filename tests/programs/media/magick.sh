#!/bin/sh
# ImageMagick: a picture made, turned, blurred, scaled, compared.
# seconds: 300
convert -size 200x100 gradient:red-blue g.png; identify g.png | cut -d' ' -f1-4; convert g.png -rotate 30 -blur 0x3 -resize 50% o.jpg; identify -format '%w %h %m\n' o.jpg; convert g.png -threshold 50% txt:- | md5sum; compare -metric AE g.png g.png null: 2>&1; echo; convert no.png x.png 2>&1 | head -1 | cut -c1-40
